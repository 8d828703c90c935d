#include <fmt/format.h>

#include <boost/json.hpp>

#include "api/pages.h"
#include "api/routes.h"
#include "core/workspace/workspace.h"

namespace runyard {
namespace {

constexpr std::int64_t kMaxPage = 5000;
constexpr std::int64_t kMaxTradesPage = 10'000;

Reply recent(JobService& service, const Call& call) {
  const auto query = read_page(call, kMaxPage);
  if (!query) return problem(query.error());
  const auto page = service.workspace().backtests.recent(*query);
  return page ? page_reply(*page) : problem(page.error());
}

Reply backtest(JobService& service, const Call& call) {
  const std::string& id = call.path.at("bt_run_id");
  auto document = service.workspace().backtests.find(id);
  if (!document) return problem(document.error());
  const auto jobs = service.jobs_of(id);
  if (!jobs) return problem(jobs.error());
  (*document)["jobs"] = to_json(*jobs);
  return json_reply(*document);
}

Reply equity(JobService& service, const Call& call) {
  const auto points = service.workspace().backtests.equity(call.path.at("bt_run_id"));
  return points ? json_reply(*points) : problem(points.error());
}

Reply trades(JobService& service, const Call& call) {
  const auto limit = read_number(call, "limit", 1000, 1, kMaxTradesPage);
  if (!limit) return problem(limit.error());
  const auto offset = read_number(call, "offset", 0, 0, INT32_MAX);
  if (!offset) return problem(offset.error());
  const auto page = service.workspace().backtests.trades(call.path.at("bt_run_id"),
                                                         static_cast<std::size_t>(*offset),
                                                         static_cast<std::size_t>(*limit));
  return page ? page_reply(*page) : problem(page.error());
}

Reply plot(JobService& service, const Call& call) {
  auto picture = service.workspace().backtests.plot(call.path.at("bt_run_id"));
  if (!picture) return problem(picture.error());
  const FileIdentity& file = picture->identity;
  const std::string tag =
      fmt::format("\"{:x}-{:x}-{:x}\"", file.inode, file.size, file.modified_ns);
  Reply reply;
  reply.content_type = "image/png";
  reply.headers.emplace_back("ETag", tag);
  if (call.header("if-none-match") == tag) {
    reply.status = 304;
  } else {
    reply.file = FileBody{std::move(picture->fd), 0, static_cast<std::int64_t>(file.size)};
  }
  return reply;
}

}  // namespace

std::vector<Route> backtest_routes(JobService& service) {
  const auto bind = [&service](Reply (*handler)(JobService&, const Call&)) {
    return [&service, handler](const Call& call) { return handler(service, call); };
  };
  return {
      {"GET", "/api/backtests/recent", Role::kViewer, "Backtests, newest first", bind(recent),
       answers("BacktestSummary[]")
           .sends("X-Total-Count")
           .query(query_integer("limit", 1, kMaxPage, 30))
           .query(query_integer("offset", 0, INT32_MAX, 0))
           .query(query_text("ticker"))},
      {"GET", "/api/backtests/:bt_run_id", Role::kViewer, "One backtest", bind(backtest),
       answers("Backtest").fails({422})},
      {"GET", "/api/backtests/:bt_run_id/equity", Role::kViewer, "The curve of its value",
       bind(equity), answers("EquityPoint[]").fails({422})},
      {"GET", "/api/backtests/:bt_run_id/trades", Role::kViewer, "All of its trades", bind(trades),
       answers("Trade[]")
           .sends("X-Total-Count")
           .query(query_integer("limit", 1, kMaxTradesPage, 1000))
           .query(query_integer("offset", 0, INT32_MAX, 0))},
      {"GET", "/api/backtests/:bt_run_id/plot/equity.png", Role::kViewer, "Its picture", bind(plot),
       answers("", 200, "image/png")
           .sends("ETag")
           .answers("", 304)
           .sends("ETag")
           .header("If-None-Match")},
  };
}

}  // namespace runyard
