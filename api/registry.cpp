#include <boost/json.hpp>

#include "api/pages.h"
#include "api/routes.h"
#include "core/workspace/workspace.h"

namespace runyard {
namespace {

constexpr std::int64_t kMaxModels = 10'000;

Reply best(JobService& service, const Call&) {
  const auto rows = service.workspace().registry.best();
  return rows ? json_reply(*rows) : problem(rows.error());
}

Reply models(JobService& service, const Call& call) {
  const auto limit = read_number(call, "limit", 200, 1, kMaxModels);
  if (!limit) return problem(limit.error());
  const auto offset = read_number(call, "offset", 0, 0, INT32_MAX);
  if (!offset) return problem(offset.error());
  ModelFilter filter;
  filter.limit = static_cast<std::size_t>(*limit);
  filter.offset = static_cast<std::size_t>(*offset);
  filter.ticker = read_text(call, "ticker");
  filter.mode = read_text(call, "mode");
  const std::pair<const char*, std::optional<double>*> limits[] = {
      {"min_lift", &filter.min_lift},
      {"min_precision", &filter.min_precision},
      {"min_support", &filter.min_support},
      {"max_buy_rate", &filter.max_buy_rate},
  };
  for (const auto& [key, into] : limits) {
    auto value = read_decimal(call, key);
    if (!value) return problem(value.error());
    *into = *value;
  }
  auto order = parse_model_order(read_text(call, "sort"));
  if (!order) return problem(order.error());
  filter.order = std::move(*order);
  const auto page = service.workspace().registry.models(filter);
  return page ? page_reply(*page) : problem(page.error());
}

}  // namespace

std::vector<Route> registry_routes(JobService& service) {
  const auto bind = [&service](Reply (*handler)(JobService&, const Call&)) {
    return [&service, handler](const Call& call) { return handler(service, call); };
  };
  return {
      {"GET", "/api/registry/best", Role::kViewer, "The best model of each ticker", bind(best),
       answers("BestModel[]").fails({404})},
      {"GET", "/api/registry/models", Role::kViewer, "The models of the registry", bind(models),
       answers("Model[]")
           .sends("X-Total-Count")
           .query(query_text("ticker"))
           .query(query_integer("limit", 1, kMaxModels, 200))
           .query(query_integer("offset", 0, INT32_MAX, 0))
           .query(query_number("min_lift"))
           .query(query_number("min_precision"))
           .query(query_number("min_support"))
           .query(query_number("max_buy_rate"))
           .query(query_text("mode", "finetune or base"))
           .query(query_text("sort", "Columns with _asc or _desc, separated by commas"))
           .fails({404})},
  };
}

}  // namespace runyard
