#include "core/exec/slurm_client.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdlib>

#include "core/base/files.h"
#include "core/base/run_program.h"
#include "core/base/text.h"

extern char** environ;

namespace runyard {
namespace {

// Its argument is copied by Slurm as it is; everything else is in the run folder.
constexpr std::string_view kScript = "#!/bin/sh\nexec \"$1\" \"$2\"\n";

/// The server's environment without what would change the commands behind the configuration's back.
std::vector<std::string> clean_environment() {
  std::vector<std::string> env;
  for (char** entry = environ; *entry; ++entry) {
    const std::string_view text = *entry;
    const bool is_option = text.starts_with("SBATCH_") || text.starts_with("SQUEUE_") ||
                           text.starts_with("SCANCEL_") || text.starts_with("RUNYARD_");
    const bool is_job = text.starts_with("SLURM_") && !text.starts_with("SLURM_CONF=");
    if (!is_option && !is_job) env.emplace_back(text);
  }
  return env;
}

Result<ProgramOutput> call(const SlurmOptions& options, std::vector<std::string> argv) {
  return run_program(std::move(argv),
                     {.limit = options.command_timeout, .env = clean_environment()});
}

/// sbatch replaces %j and others in the name of its output file.
std::string without_patterns(const std::string& path) {
  std::string text;
  for (const char c : path) text.append(c == '%' ? 2 : 1, c);
  return text;
}

std::string words_of(const ProgramOutput& told) {
  std::string words(trim(told.errors.empty() ? told.output : told.errors));
  for (char& c : words) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  return words.substr(0, 1000);
}

/// True when the answer does not say whether there is a job now.
bool is_unclear(const std::string& words) {
  for (const char* sign : {"contact slurm controller", "timed out", "Zero Bytes", "temporarily",
                           "Unable to contact", "munge", "Munge"}) {
    if (words.find(sign) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

Result<std::string> SlurmClient::submit(const SlurmRequest& request) const {
  const auto script = request.folder / "script";
  if (auto done = write_file_atomic(script, kScript); !done) return done.error();
  // The variables of the job are in the spec. The shim itself needs none.
  const auto variables = request.folder / "export";
  if (auto done = write_file_atomic(variables, std::string_view("PATH=/usr/bin:/bin\0", 19));
      !done) {
    return done.error();
  }
  const auto output = request.folder / SlurmRequest::kOutput;
  std::vector<std::string> argv = {"sbatch",
                                   "--parsable",
                                   "--export-file=" + variables.string(),
                                   "--chdir=" + request.folder.string(),
                                   "--output=" + without_patterns(output.string()),
                                   "--open-mode=append",
                                   "--job-name=" + request.name,
                                   "--no-requeue",
                                   "--ntasks=1",
                                   fmt::format("--cpus-per-task={}", request.cpus)};
  if (request.memory_mb > 0) argv.push_back(fmt::format("--mem={}M", request.memory_mb));
  if (request.gpus > 0) argv.push_back(fmt::format("--gres=gpu:{}", request.gpus));
  if (request.time_min > 0) argv.push_back(fmt::format("--time={}", request.time_min));
  if (!options_.partition.empty()) argv.push_back("--partition=" + options_.partition);
  if (!options_.account.empty()) argv.push_back("--account=" + options_.account);
  if (!options_.qos.empty()) argv.push_back("--qos=" + options_.qos);
  argv.insert(argv.end(), options_.flags.begin(), options_.flags.end());
  for (const auto& word : {script, request.shim, request.folder}) argv.push_back(word.string());
  const auto told = call(options_, std::move(argv));
  if (!told) {
    return told.error().kind == ErrorKind::kNotFound
               ? make_error(ErrorKind::kInvalid,
                            "Slurm's commands are not installed: " + told.error().message)
               : told.error();
  }
  if (told->exit_code != 0) {
    const std::string words = words_of(*told);
    return make_error(is_unclear(words) ? ErrorKind::kUnavailable : ErrorKind::kInvalid, words);
  }
  const std::string_view line = trim(told->output);
  const std::string id(line.substr(0, line.find(';')));  // "id;cluster"
  if (id.empty() || id.find_first_not_of("0123456789") != std::string::npos) {
    return make_error(ErrorKind::kUnavailable, "sbatch printed no job id");
  }
  return id;
}

Result<std::vector<SlurmJob>> SlurmClient::list() const {
  const auto told = call(options_, {"squeue", "-h", "-t", "all", "-u", std::to_string(::getuid()),
                                    "-O", "JobID:|,Name:|,State:|,Reason:|,exit_code:|"});
  if (!told) return told.error();
  if (told->exit_code != 0) return make_error(ErrorKind::kUnavailable, words_of(*told));
  return parse(told->output);
}

Result<> SlurmClient::cancel(const std::string& id, const std::string& name, Cancel what) const {
  std::vector<std::string> argv = {"scancel", "--name=" + name};
  if (what == Cancel::kWaiting) argv.push_back("--state=PENDING");
  if (what == Cancel::kSupervisor) argv.insert(argv.end(), {"--batch", "--signal=USR1"});
  argv.push_back(id);
  const auto told = call(options_, std::move(argv));
  if (!told) return told.error();
  if (told->exit_code != 0) return make_error(ErrorKind::kUnavailable, words_of(*told));
  return {};
}

std::vector<SlurmJob> SlurmClient::parse(std::string_view text) {
  std::vector<SlurmJob> jobs;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    std::array<std::string_view, 5> fields;
    bool whole = true;
    for (auto& field : fields) {
      const std::size_t bar = line.find('|');
      whole = whole && bar != std::string_view::npos;
      if (!whole) break;
      field = trim(line.substr(0, bar));
      line.remove_prefix(bar + 1);
    }
    if (!whole) continue;
    SlurmJob job{std::string(fields[0]), std::string(fields[1]), std::string(fields[2]),
                 std::string(fields[3])};
    std::from_chars(fields[4].data(), fields[4].data() + fields[4].size(), job.wait_status);
    jobs.push_back(std::move(job));
  }
  return jobs;
}

}  // namespace runyard
