#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <charconv>
#include <optional>

#include "cli/commands.h"
#include "cli/follow.h"
#include "cli/interrupt.h"
#include "cli/json_access.h"
#include "cli/output.h"
#include "cli/terminal.h"

namespace runyard::cli {
namespace {

constexpr std::int64_t kTailBytes = 1 << 20;
constexpr int kMostLines = 1 << 20;  // a line has a byte at least

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

/// `100`, `100:200`, `:50` (the last ones): what log/lines is asked for.
Result<Api::Query> lines_query(const std::string& text) {
  const auto refuse = [&] {
    return make_error(ErrorKind::kInvalid, "--lines: '" + text +
                                               "' is not FROM:TO such as 100:200, 100: or :50 (the "
                                               "last 50)");
  };
  const auto number = [](std::string_view digits) -> std::int64_t {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return error == std::errc() && end == digits.data() + digits.size() && value > 0 ? value : 0;
  };
  const std::size_t colon = text.find(':');
  const std::string_view from = std::string_view(text).substr(0, colon);
  const std::string_view to = colon == text.npos ? from : std::string_view(text).substr(colon + 1);
  if (from.empty() && number(to) > 0) return Api::Query{{"tail", std::string(to)}};
  if (number(from) == 0 || (!to.empty() && number(to) < number(from))) return refuse();
  Api::Query query{{"start", std::string(from)}};
  if (!to.empty()) query.emplace_back("count", std::to_string(number(to) - number(from) + 1));
  return query;
}

/// Lines by number, as a terminal shows them; without colours when this is none.
int print_lines(Api& api, const std::string& id, const std::string& text, bool json) {
  auto query = lines_query(text);
  if (!query) return fail(query.error());
  std::int64_t left = INT64_MAX;
  for (auto& [key, value] : *query) {
    if (key != "start") left = std::stoll(value);
  }
  const bool plain = !wants_colour(stdout);
  for (;;) {
    for (auto& [key, value] : *query) {
      if (key != "start") value = std::to_string(std::min<std::int64_t>(left, 5000));
    }
    auto document = api.get("/api/jobs/" + id + "/log/lines", *query);
    if (!document) return fail(document.error());
    if (json) {
      print_json(*document);
      return kOk;
    }
    const auto* object = document->if_object();
    const auto* lines = object ? array_of(*object, "lines") : nullptr;
    const auto next = object ? integer_of(*object, "next") : std::nullopt;
    if (!lines || !next) return fail(make_error(ErrorKind::kInternal, "no lines came back"));
    for (const auto& line : *lines) {
      const std::string shown(line.is_string() ? std::string_view(line.get_string()) : "");
      print((plain ? without_colours(shown) : shown) + "\n");
    }
    left -= static_cast<std::int64_t>(lines->size());
    const auto* complete = object->if_contains("is_complete");
    const bool counting = complete && complete->is_bool() && !complete->get_bool();
    if (left <= 0 || (lines->empty() && !counting)) return kOk;
    const bool with_count = query->size() > 1 || query->front().first == "tail";
    *query = {{"start", std::to_string(*next)}};
    if (with_count) query->emplace_back("count", std::to_string(left));
  }
}

/// Lines that match, each with its number.
int print_matches(Api& api, const std::string& id, Api::Query query, bool json) {
  boost::json::array all;
  query.emplace_back("from", "1");
  for (;;) {
    auto document = api.get("/api/jobs/" + id + "/log/search", query);
    if (!document) return fail(document.error());
    const auto* object = document->if_object();
    const auto* matches = object ? array_of(*object, "matches") : nullptr;
    if (!matches) return fail(make_error(ErrorKind::kInternal, "no matches came back"));
    for (const auto& match : *matches) {
      all.push_back(match);
      if (json || !match.is_object()) continue;
      print(fmt::format("{}: {}\n", integer_of(match.get_object(), "line").value_or(0),
                        escape_controls(text_of(match.get_object(), "text"))));
    }
    const auto next = integer_of(*object, "next");
    if (!next || interrupted()) break;
    query.back().second = std::to_string(*next);
  }
  if (json) print_json(all);
  return all.empty() ? kFailed : kOk;
}

}  // namespace

int run_log(const Args& args) {
  Command command("runyard log", "Print the log of a job.");
  std::string reference;
  bool follow = false;
  std::optional<int> tail;
  std::string range, search;
  bool regex = false, ignore_case = false;
  command.app()
      .add_option("job", reference, "The job: its id, a unique part of it, or @")
      ->required()
      ->type_name("");
  command.app().add_flag("-f,--follow", follow,
                         "Go on until the job has ended, and exit with its code");
  command.app()
      .add_option("-n,--tail", tail, "Begin with the last N lines (of the last MiB)")
      ->check(CLI::Range(0, kMostLines).description(""))
      ->type_name("N");
  auto* lines = command.app()
                    .add_option("--lines", range,
                                "Lines by number, as a terminal shows them: 100:200, 100:, or :50")
                    ->type_name("FROM:TO")
                    ->excludes("--tail")
                    ->excludes("--follow");
  auto* searched = command.app()
                       .add_option("--search", search, "Lines that match, with their numbers")
                       ->type_name("TEXT")
                       ->excludes(lines)
                       ->excludes("--tail")
                       ->excludes("--follow");
  command.app()
      .add_flag("--regex", regex, "--search is a regular expression (RE2)")
      ->needs(searched);
  command.app()
      .add_flag("-i,--ignore-case", ignore_case, "--search for capital and small letters alike")
      ->needs(searched);
  command.app().footer(
      "The bytes of the log are printed as they are; on a terminal only colours and carriage\n"
      "returns pass, and other control sequences are dropped. With --json: the end of the log\n"
      "(at most 1 MiB) as a document; with --follow too: the log on stderr, the job on stdout.\n"
      "--search ends with 1 when no line matches.");
  if (auto code = command.parse(args)) return *code;

  auto api = command.connect();
  if (!api) return fail(api.error());
  auto id = api->resolve(reference);
  if (!id) return fail(id.error());
  if (!range.empty()) return print_lines(*api, *id, range, command.json());
  if (searched->count() > 0) {
    Api::Query query{{"q", search}, {"limit", "1000"}};
    if (regex) query.emplace_back("regex", "true");
    if (ignore_case) query.emplace_back("ignore_case", "true");
    catch_interrupts();
    return print_matches(*api, *id, std::move(query), command.json());
  }
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
