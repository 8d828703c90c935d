#include <boost/json.hpp>
#include <charconv>

#include "api/file_reply.h"
#include "api/log_stream.h"
#include "api/routes.h"

namespace runyard {
namespace {

namespace json = boost::json;

constexpr const char* kPlainText = "text/plain; charset=utf-8";

Reply whole_or_page(JobService& service, const Call& call) {
  const std::string& job_id = call.path.at("id");
  const bool paged = call.query.contains("offset") || call.query.contains("tail");
  const auto is_download = read_flag(call, "download");
  if (!is_download) return problem(is_download.error());
  const auto known = service.find(job_id);
  if (!known) return problem(known.error());
  auto fd = service.open_log(job_id);
  const bool absent = !fd && fd.error().kind == ErrorKind::kNotFound;  // a job that has not begun
  if (!fd && !absent) return problem(fd.error());
  if (paged) {
    const auto offset = read_number(call, "offset", 0, 0, INT64_MAX);
    if (!offset) return problem(offset.error());
    const auto tail = read_number(call, "tail", kDefaultLogTail, 0, INT64_MAX);
    if (!tail) return problem(tail.error());
    auto page = absent ? Result<LogPage>(LogPage{}) : read_log_page(fd->get(), *offset, *tail);
    if (!page) return problem(page.error());
    return json_reply({{"job_id", job_id},
                       {"content", page->content},
                       {"next_offset", page->next_offset},
                       {"size", page->size},
                       {"is_truncated", page->is_truncated},
                       {"log_path", known->job->log_path()}});
  }
  FileLook look{kPlainText, {}};
  if (*is_download) look.headers.push_back(save_as(job_id + ".log"));
  if (!absent) return file_reply(call, std::move(*fd), std::move(look));
  Reply empty;
  empty.content_type = std::move(look.content_type);
  empty.headers = std::move(look.headers);
  return empty;
}

Reply lines(JobService& service, const Call& call) {
  const std::string& job_id = call.path.at("id");
  const bool is_tail = call.query.contains("tail");
  if (is_tail && call.query.contains("start")) {
    return problem(422, "either 'start' and 'count', or 'tail'",
                   {{"/tail", "does not go together with 'start'"}});
  }
  const auto start = read_number(call, "start", 1, 1, INT64_MAX);
  if (!start) return problem(start.error());
  const auto count = read_number(call, is_tail ? "tail" : "count", kDefaultLines, 0, kMaxLines);
  if (!count) return problem(count.error());
  const auto page = service.log_lines(job_id, is_tail ? 0 : *start, *count);
  if (!page) return problem(page.error());
  json::object document{{"job_id", job_id}, {"start", page->start}};
  document["lines"] = json::array(page->lines.begin(), page->lines.end());
  document["next"] = page->start + static_cast<std::int64_t>(page->lines.size());
  document["total"] = page->total;
  document["size"] = page->size;
  document["cut"] = json::array(page->cut.begin(), page->cut.end());
  document["is_complete"] = page->is_complete;
  return json_reply(document);
}

Reply search(JobService& service, const Call& call) {
  const std::string& job_id = call.path.at("id");
  const auto text = call.query.find("q");
  if (text == call.query.end()) {
    return problem(422, "'q' is missing: what is to be looked for?", {{"/q", "is missing"}});
  }
  LogQuery query;
  query.text = text->second;
  for (const auto& [name, flag] :
       {std::pair("regex", &query.regex), std::pair("ignore_case", &query.ignore_case)}) {
    const auto read = read_flag(call, name);
    if (!read) return problem(read.error());
    *flag = *read;
  }
  const auto from = read_number(call, "from", 1, 1, INT64_MAX);
  if (!from) return problem(from.error());
  query.from = *from;
  const auto limit = read_number(call, "limit", query.limit, 1, kMaxMatches);
  if (!limit) return problem(limit.error());
  query.limit = *limit;
  const auto result = service.search_log(job_id, query);
  if (!result) return problem(result.error());
  json::array matches;
  for (const LogMatch& match : result->matches) {
    matches.push_back(json::object{{"line", match.line}, {"text", match.text}});
  }
  return json_reply({{"job_id", job_id},
                     {"matches", std::move(matches)},
                     {"next", result->next ? json::value(*result->next) : nullptr},
                     {"total", result->total}});
}

Reply stream(JobService& service, LogStreams& followed, const Call& call) {
  const std::string& job_id = call.path.at("id");
  const auto known = service.find(job_id);
  if (!known) return problem(known.error());
  auto offset = read_number(call, "offset", 0, 0, INT64_MAX);
  if (!offset) return problem(offset.error());
  // A browser that connects again sends both: the address as it was, and how far it came.
  const std::string last_id = call.header("last-event-id");
  std::int64_t id = 0;
  const auto [end, error] = std::from_chars(last_id.data(), last_id.data() + last_id.size(), id);
  const bool is_ours =
      !last_id.empty() && error == std::errc() && id >= 0 && end == last_id.data() + last_id.size();
  Reply reply;
  reply.stream = followed.open(job_id, is_ours ? id : *offset);
  return reply;
}

}  // namespace

std::vector<Route> log_routes(JobService& service, StreamServer& streams) {
  const auto followed = std::make_shared<LogStreams>(service, streams);
  const auto bind = [&service](Reply (*handler)(JobService&, const Call&)) {
    return [&service, handler](const Call& call) { return handler(service, call); };
  };
  return {
      {"GET", "/api/jobs/:id/log", Role::kViewer, "The log of a job, whole or a part",
       bind(whole_or_page),
       answers("", 200, kPlainText)
           .answers("", 206, kPlainText)
           .sends("Content-Range")
           .answers("LogPage")
           .answers("", 304)
           .header("Range")
           .header("If-Range")
           .header("If-None-Match")
           .query(query_flag("download", "A browser saves it as a file"))
           .query(query_integer("offset", 0, INT64_MAX, 0, "The part from here, as a document"))
           .query(query_integer("tail", 0, INT64_MAX, kDefaultLogTail,
                                "The last bytes, as a document"))
           .fails({416})},
      {"GET", "/api/jobs/:id/log/lines", Role::kViewer, "Lines of a log as a terminal shows them",
       bind(lines),
       answers("LogLines")
           .query(query_integer("start", 1, INT64_MAX, 1, "The number of the first line"))
           .query(query_integer("count", 0, kMaxLines, kDefaultLines))
           .query(query_integer("tail", 0, kMaxLines, kDefaultLines,
                                "The last lines, instead of start and count"))},
      {"GET", "/api/jobs/:id/log/search", Role::kViewer, "Lines of a log that match", bind(search),
       answers("LogMatches")
           .query(query_text("q", "What to look for, within a line"))
           .query(query_flag("regex", "q is a regular expression of RE2"))
           .query(query_flag("ignore_case"))
           .query(query_integer("from", 1, INT64_MAX, 1, "The first line to look into"))
           .query(query_integer("limit", 1, kMaxMatches, 100))},
      {"GET", "/api/jobs/:id/log/stream", Role::kViewer,
       "A log as it grows, until the job has ended",
       [&service, followed](const Call& call) { return stream(service, *followed, call); },
       answers("", 200, "text/event-stream")
           .header("Last-Event-ID")
           .query(query_integer("offset", 0, INT64_MAX, 0, "The byte to begin at"))
           .fails({503})},
      {"GET", "/api/jobs/:id/series", Role::kViewer, "The curves that a job has printed",
       [&service](const Call& call) {
         auto series = service.series(call.path.at("id"));
         return series ? json_text(std::move(*series)) : problem(series.error());
       },
       answers("Series[]")},
  };
}

}  // namespace runyard
