#include <boost/json/object.hpp>
#include <optional>

#include "cli/commands.h"
#include "cli/follow.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/terminal.h"

namespace runyard::cli {
namespace {

constexpr std::int64_t kTailBytes = 1 << 20;

/// The last `count` lines of a text; a newline at its end does not begin another line.
std::string_view last_lines(std::string_view text, int count) {
  if (count <= 0) return {};
  std::size_t end = text.ends_with('\n') ? text.size() - 1 : text.size();
  for (; count > 0; --count) {
    const std::size_t newline = end == 0 ? text.npos : text.rfind('\n', end - 1);
    if (newline == text.npos) return text;
    end = newline;
  }
  return text.substr(end + 1);
}

int print_document(Api& api, const std::string& id) {
  auto document = api.log_tail_document(id, kTailBytes);
  if (!document) return fail(document.error());
  print_json(*document);
  return kOk;
}

}  // namespace

int run_log(const Args& args) {
  Command command("runyard log", "Print the log of a job.");
  std::string reference;
  bool follow = false;
  std::optional<int> tail;
  command.app()
      .add_option("job", reference, "The job: its id, a unique part of it, or @")
      ->required()
      ->type_name("");
  command.app().add_flag("-f,--follow", follow,
                         "Go on until the job has ended, and exit with its code");
  command.app()
      .add_option("-n,--tail", tail, "Begin with the last N lines (of the last MiB)")
      ->check(CLI::NonNegativeNumber.description(""))
      ->type_name("N");
  command.app().footer(
      "The bytes of the log are printed as they are; on a terminal only colours and carriage\n"
      "returns pass, and other control sequences are dropped. With --json: the end of the log\n"
      "(at most 1 MiB) as a document; with --follow too: the log on stderr, the job on stdout.");
  if (auto code = command.parse(args)) return *code;

  auto api = command.connect();
  if (!api) return fail(api.error());
  auto id = api->resolve(reference);
  if (!id) return fail(id.error());
  if (command.json() && !follow) return print_document(*api, *id);

  std::FILE* out = command.json() ? stderr : stdout;
  std::int64_t offset = 0;
  if (tail) {
    auto page = api->log_tail(*id, kTailBytes);
    if (!page) return fail(page.error());
    LogSink sink(out);
    sink.write(last_lines(page->content, *tail));
    sink.flush();
    if (!follow) sink.finish();
    offset = page->next_offset;
  }
  if (follow) {
    catch_interrupts();
    boost::json::object job;
    const int code = follow_job(*api, *id, out, offset, job);
    if (command.json() && !job.empty()) print_json(job);
    return code;
  }
  if (tail) return kOk;
  LogSink sink(stdout);
  auto read = api->log_from(*id, 0, [&](std::string_view chunk) { sink.write(chunk); });
  sink.finish();
  return read ? kOk : fail(read.error());
}

}  // namespace runyard::cli
