#include "core/workspace/backtests.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <optional>
#include <tuple>

#include "core/base/clock.h"
#include "core/base/ids.h"
#include "core/base/text.h"
#include "core/workspace/csv.h"
#include "core/workspace/documents.h"
#include "core/workspace/limits.h"
#include "core/workspace/objects.h"
#include "core/workspace/strategy.h"

namespace runyard {
namespace {

namespace json = boost::json;

constexpr const char* kBacktestsFolder = "backtests";
constexpr const char* kTrades = "trades.csv";
constexpr const char* kPlot = "plots/equity_curve.png";
constexpr std::size_t kRecentTrades = 3;
constexpr std::size_t kTimeAt = 3, kTimeSize = 15;  // within an id
constexpr std::size_t kFacts = 50'000, kDocuments = 64;

/// A field of the list and its name in metrics.json.
constexpr std::pair<const char*, const char*> kResults[] = {
    {"start_date", "start"},          {"end_date", "end"},
    {"total_return", "total_return"}, {"cagr", "cagr"},
    {"max_drawdown", "max_drawdown"}, {"win_rate", "win_rate"},
    {"trade_count", "trade_count"},
};

Error no_backtest(std::string_view id) {
  if (!is_backtest_id(id)) {
    return make_error(ErrorKind::kNotFound,
                      "that is no backtest id; one looks like bt_20260217_201717__e5ce1595");
  }
  return make_error(ErrorKind::kNotFound, fmt::format("there is no folder backtests/{}", id));
}

Result<Folder> open_backtest(const Confinement& confinement, std::string_view id) {
  if (!is_backtest_id(id)) return no_backtest(id);
  auto folder = Folder::open(confinement, fmt::format("{}/{}", kBacktestsFolder, id));
  if (!folder && folder.error().kind == ErrorKind::kNotFound) return no_backtest(id);
  return folder;
}

/// A date without the midnight that some writers add.
json::value to_date(json::value date) {
  const auto* text = date.if_string();
  if (!text || text->size() <= 10 || ((*text)[10] != 'T' && (*text)[10] != ' ')) return date;
  return json::string(std::string_view(*text).substr(0, 10));
}

Result<json::object> read_results(std::string_view bytes) {
  const auto metrics = read_json_object(bytes);
  if (!metrics) return metrics.error();
  json::object results;
  results["ticker"] = text_member(*metrics, "ticker");
  for (const auto& [field, name] : kResults) {
    const json::value& value = member(*metrics, name);
    const std::string_view wanted = field;
    results[field] = wanted.ends_with("_date") ? to_date(text_member(*metrics, name))
                     : wanted == "trade_count" ? convert_cell(value, CellKind::kInteger)
                                               : convert_cell(value, CellKind::kNumber);
  }
  return results;
}

Result<json::object> read_selection(std::string_view bytes) {
  const auto selection = read_json_object(bytes);
  if (!selection) return selection.error();
  return json::object{{"ticker", text_member(*selection, "ticker")},
                      {"model_path", text_member(*selection, "model_path")}};
}

Result<json::value> read_config_ticker(std::string_view bytes) {
  const auto config = read_yaml_object(bytes);
  if (!config) return config.error();
  return text_member(*config, "_ticker");
}

/// When the backtest was made: its id says it, else (`bt_00000000_...`) its folder.
TimeMs time_of(const Folder& folder, const std::string& name, std::string_view id) {
  if (const auto time = parse_compact(id.substr(kTimeAt, kTimeSize))) return *time;
  const auto identity = folder.identity(name);
  return identity ? identity->modified_ns / 1'000'000 : 0;
}

/// A text for people; null when there is none.
json::value read_text_file(const Folder& folder, const std::string& name, json::array& warnings) {
  const auto content = read_content(folder, name, kMaxTextBytes);
  if (content) return json::string(clean_text(content->bytes));
  if (content.error().kind != ErrorKind::kNotFound) {
    warnings.emplace_back(folder.path_of(name) + " is left out: " + content.error().message);
  }
  return nullptr;
}

/// They are not kept: a long list of them would be large, and is read in no time.
Result<Trades> load_trades(const Folder& folder) {
  const auto content = read_content(folder, kTrades, kMaxTradesBytes);
  if (content) return read_trades(content->bytes);
  const bool missing = content.error().kind == ErrorKind::kNotFound;
  return make_error(content.error().kind,
                    folder.path_of(kTrades) +
                        (missing ? " is missing" : " is left out: " + content.error().message));
}

/// `end_date_summary_<T>_<START>_<END>.txt`; of several the last by name.
std::optional<std::string> end_date_summary_in(const Folder& folder) {
  std::optional<std::string> last;
  for (auto& entry : folder.entries()) {
    if (entry.is_folder || !entry.name.starts_with("end_date_summary_") ||
        !entry.name.ends_with(".txt") || sanitize_utf8(entry.name) != entry.name) {
      continue;
    }
    if (!last || *last < entry.name) last = std::move(entry.name);
  }
  return last;
}

/// The run whose model it is: the id in `runs/<run_id>/models/...`.
json::value run_of(const json::value& model_path) {
  constexpr std::string_view kRuns = "runs/";
  const auto* path = model_path.if_string();
  const auto at = path ? std::string_view(*path).find(kRuns) : std::string_view::npos;
  if (at == std::string_view::npos) return nullptr;
  const auto rest = std::string_view(*path).substr(at + kRuns.size());
  const auto id = rest.substr(0, rest.find('/'));
  return is_run_id(id) ? json::value(id) : json::value();
}

}  // namespace

/// What the list says of a backtest.
struct Backtests::Facts {
  json::value ticker, model_path;
  // The fields of kResults, and the timestamp when the id tells it; null when not known.
  std::shared_ptr<const json::object> results;

  json::value result(const char* field, json::storage_ptr storage = {}) const {
    return results ? json::value(results->at(field), std::move(storage)) : nullptr;
  }
};

Backtests::Backtests(const Confinement& confinement)
    : confinement_(confinement),
      results_(kFacts, kMaxDocumentBytes),
      selections_(kFacts, kMaxDocumentBytes),
      tickers_(kFacts, kMaxDocumentBytes),
      objects_(kDocuments, kMaxDocumentBytes),
      curves_(kDocuments, kMaxTableBytes) {}

Backtests::Facts Backtests::facts_of(const Folder& folder, const std::string& prefix,
                                     std::string_view id,
                                     const std::optional<FileIdentity>& metrics) {
  Facts facts;
  if (metrics) {
    const auto read = [&](std::string_view bytes) {
      auto found = read_results(bytes);
      // Kept with them: what local time it was takes longer to say than all the rest.
      const auto time = found ? parse_compact(id.substr(kTimeAt, kTimeSize)) : std::nullopt;
      if (time) (*found)["timestamp"] = format_time(*time);
      return found;
    };
    const auto results = results_.get(folder, prefix + "metrics.json", *metrics, read);
    if (results) {
      facts.results = *results;
      facts.ticker = facts.results->at("ticker");
    }
  }
  if (const auto selection = selections_.get(folder, prefix + "selection.json", read_selection)) {
    facts.model_path = (*selection)->at("model_path");
    if (facts.ticker.is_null()) facts.ticker = (*selection)->at("ticker");
  }
  if (facts.ticker.is_null()) {
    const auto ticker = tickers_.get(folder, prefix + "config.yaml", read_config_ticker);
    if (ticker) facts.ticker = **ticker;
  }
  return facts;
}

Result<Page> Backtests::recent(const PageQuery& query) {
  Page page;
  const auto folder = Folder::open(confinement_, kBacktestsFolder);
  if (!folder && folder.error().kind == ErrorKind::kNotFound) return page;
  if (!folder) return folder.error();
  struct Found {
    std::string time, id;  // newer times are greater texts
    FileIdentity metrics;
    bool operator<(const Found& other) const {
      return std::tie(time, id) < std::tie(other.time, other.id);
    }
  };
  std::vector<Found> found;
  for (auto& entry : folder->entries()) {
    if (!entry.is_folder || !is_backtest_id(entry.name)) continue;
    const auto metrics = folder->identity(entry.name + "/metrics.json");
    if (!metrics) continue;
    std::string time = entry.name.substr(kTimeAt, kTimeSize);
    if (!is_compact_time(time)) time = format_compact(time_of(*folder, entry.name, entry.name));
    found.push_back({std::move(time), std::move(entry.name), *metrics});
  }
  std::sort(found.rbegin(), found.rend());
  const bool all = query.ticker.empty();
  for (const auto& [time, id, metrics] : found) {
    const bool in_page = page.total >= query.offset && page.rows.size() < query.limit;
    if (all && !in_page) {
      ++page.total;
      continue;
    }
    Facts facts = facts_of(*folder, id + "/", id, metrics);
    if (!all && !(facts.ticker.is_string() &&
                  equal_ignoring_case(facts.ticker.get_string(), query.ticker))) {
      continue;
    }
    ++page.total;
    if (!in_page) continue;
    json::object row(page.rows.storage());
    row.reserve(std::size(kResults) + 4);
    row["bt_run_id"] = id;
    row["ticker"] = facts.ticker;
    row["model_path"] = facts.model_path;
    for (const auto& [field, name] : kResults) row[field] = facts.result(field, row.storage());
    const auto* known = facts.results ? facts.results->if_contains("timestamp") : nullptr;
    row["timestamp"] = known ? *known : json::value(format_time(time_of(*folder, id, id)));
    page.rows.push_back(std::move(row));
  }
  return page;
}

Result<json::object> Backtests::find(std::string_view id) {
  const auto folder = open_backtest(confinement_, id);
  if (!folder) return folder.error();
  json::array warnings;
  const auto warn = [&](const std::string& file, const json::array& sentences) {
    for (const auto& sentence : sentences) {
      warnings.emplace_back(folder->path_of(file) + ": " + std::string(sentence.get_string()));
    }
  };
  Facts facts = facts_of(*folder, "", id, folder->identity("metrics.json"));
  json::object document;
  document["bt_run_id"] = id;
  document["ticker"] = facts.ticker;
  const auto config = objects_.get(*folder, "config.yaml", read_yaml_object);
  document["config"] = value_or_null(config, warnings);
  document["metrics"] =
      value_or_null(objects_.get(*folder, "metrics.json", read_json_object), warnings);
  document["summary_text"] = read_text_file(*folder, "summary.txt", warnings);
  const auto at_end = end_date_summary_in(*folder);
  document["end_date_summary_text"] =
      at_end ? read_text_file(*folder, *at_end, warnings) : json::value();

  Trades trades;
  if (auto read = load_trades(*folder)) {
    trades = std::move(*read);
    warn(kTrades, trades.warnings);
  } else {
    warnings.emplace_back(read.error().message);
  }
  json::array recent_trades = newest_trades(trades.rows, kRecentTrades);
  const std::size_t trades_total = trades.rows.size();
  if (trades_total > kMaxTrades) {
    trades.rows.erase(trades.rows.begin(), trades.rows.end() - kMaxTrades);
    warnings.emplace_back(
        fmt::format("only the last {} of {} trades are shown; all are at "
                    "/api/backtests/{}/trades",
                    kMaxTrades, trades_total, id));
  }
  document["trades"] = std::move(trades.rows);

  const auto curve = curves_.get(*folder, "equity.csv", read_equity);
  if (curve) {
    warn("equity.csv", (*curve)->warnings);
  } else {
    warnings.emplace_back(curve.error().message);
  }
  const EquityCurve none = *read_equity("");
  const EquityCurve& shown = curve ? **curve : none;
  document["equity_curve"] = shown.points;
  document["plot_path"] =
      folder->open_file(kPlot) ? json::value(folder->path_of(kPlot)) : json::value();
  const auto* ticker = facts.ticker.if_string();
  document["strategy_summary"] = summarize_strategy(
      config ? **config : json::object(), ticker ? std::string_view(*ticker) : std::string_view());
  document["recent_trades"] = std::move(recent_trades);
  document["mdd_window"] = shown.mdd_window;

  // Beyond the first version of the API.
  document["trades_total"] = trades_total;
  document["run_id"] = run_of(facts.model_path);
  document["model_path"] = std::move(facts.model_path);
  const auto selection = objects_.get(*folder, "selection.json", read_json_object);
  if (!selection && selection.error().kind != ErrorKind::kNotFound) {
    warnings.emplace_back(selection.error().message);
  }
  document["selection"] = selection ? json::value(**selection) : json::value();
  document["timestamp"] = format_time(time_of(*folder, ".", id));
  document["warnings"] = std::move(warnings);
  return document;
}

Result<json::array> Backtests::equity(std::string_view id) {
  const auto folder = open_backtest(confinement_, id);
  if (!folder) return folder.error();
  const auto curve = curves_.get(*folder, "equity.csv", read_equity);
  if (curve) return (*curve)->points;
  if (curve.error().kind == ErrorKind::kNotFound) return json::array();
  return curve.error();
}

Result<Page> Backtests::trades(std::string_view id, std::size_t offset, std::size_t limit) {
  const auto folder = open_backtest(confinement_, id);
  if (!folder) return folder.error();
  auto trades = load_trades(*folder);
  Page page;
  if (!trades && trades.error().kind == ErrorKind::kNotFound) return page;
  if (!trades) return trades.error();
  page.total = trades->rows.size();
  for (std::size_t i = offset; i < page.total && page.rows.size() < limit; ++i) {
    page.rows.push_back(std::move(trades->rows[i]));
  }
  return page;
}

Result<Backtests::Picture> Backtests::plot(std::string_view id) {
  const auto folder = open_backtest(confinement_, id);
  if (!folder) return folder.error();
  auto fd = folder->open_file(kPlot);
  if (!fd) {
    return make_error(ErrorKind::kNotFound, fmt::format("backtest {} has no picture", id));
  }
  struct stat info {};
  if (::fstat(fd->get(), &info) != 0) return errno_error(errno, "the picture cannot be read");
  return Picture{std::move(*fd), identity_of(info)};
}

}  // namespace runyard
