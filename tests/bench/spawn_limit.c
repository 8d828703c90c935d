// The machine's limit, for the benchmark: COUNT children, LANES at a time, each by vfork and exec
// with a new log file of its own as its output.
// usage: spawn_limit [--fsync] [--begin] LANES COUNT FOLDER PROGRAM [ARG]...
//   --fsync   also appends a record to one file for each child and waits until it is on disk, as a
//             queue must before it may say that it has accepted the job
//   --begin   appends the time at which each child was asked for to its log
// Prints one JSON object: seconds in all, CPU seconds of the children and of this program.
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static atomic_int g_next;
static int g_count, g_record = -1, g_begin;
static const char* g_folder;
static char** g_argv;

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double cpu(int who) {
  struct rusage usage;
  getrusage(who, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void* lane(void* unused) {
  (void)unused;
  for (int i; (i = atomic_fetch_add(&g_next, 1)) < g_count;) {
    char path[4096];
    struct timespec begin;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    snprintf(path, sizeof path, "%s/%d.log", g_folder, i);
    if (g_record >= 0) {
      char record[512];
      memset(record, 'x', sizeof record);
      if (write(g_record, record, sizeof record) < 0 || fdatasync(g_record) != 0) {
        perror("record");
        exit(1);
      }
    }
    const int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    const pid_t pid = log < 0 ? -1 : vfork();
    if (pid == 0) {
      dup2(log, 1);
      dup2(log, 2);
      execv(g_argv[0], g_argv);
      _exit(127);
    }
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
      fprintf(stderr, "cannot run %s\n", g_argv[0]);
      exit(1);
    }
    if (g_begin) dprintf(log, "begin=%lld%09ld\n", (long long)begin.tv_sec, begin.tv_nsec);
    close(log);
  }
  return NULL;
}

int main(int argc, char** argv) {
  int with_record = 0;
  for (; argc > 1 && strncmp(argv[1], "--", 2) == 0; --argc, ++argv) {
    if (strcmp(argv[1], "--fsync") == 0) with_record = 1;
    if (strcmp(argv[1], "--begin") == 0) g_begin = 1;
  }
  if (argc < 5) {
    fprintf(stderr, "usage: spawn_limit [--fsync] [--begin] LANES COUNT FOLDER PROGRAM [ARG]...\n");
    return 2;
  }
  const int lanes = atoi(argv[1]);
  g_count = atoi(argv[2]);
  g_folder = argv[3];
  g_argv = argv + 4;
  if (with_record) {
    char path[4096];
    snprintf(path, sizeof path, "%s/record", g_folder);
    g_record = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  }
  const double begin = now();
  pthread_t threads[64];
  const int used = lanes < 64 ? lanes : 64;
  for (int i = 0; i < used; ++i) pthread_create(&threads[i], NULL, lane, NULL);
  for (int i = 0; i < used; ++i) pthread_join(threads[i], NULL);
  printf("{\"seconds\": %.6f, \"children_cpu\": %.6f, \"own_cpu\": %.6f}\n", now() - begin,
         cpu(RUSAGE_CHILDREN), cpu(RUSAGE_SELF));
  return 0;
}
