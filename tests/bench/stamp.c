// The command of the latency benchmark: its first instructions write the time, and that is all.
// Linked statically, so that no loader stands before them.
#include <stdio.h>
#include <time.h>
#include <unistd.h>

int main(void) {
  struct timespec time;
  char text[64];
  clock_gettime(CLOCK_MONOTONIC, &time);
  const int size =
      snprintf(text, sizeof text, "stamp=%lld%09ld\n", (long long)time.tv_sec, time.tv_nsec);
  return write(1, text, (size_t)size) == size ? 0 : 1;
}
