#include "core/workspace/model_registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "core/workspace/csv.h"
#include "core/workspace/documents.h"
#include "core/workspace/limits.h"

namespace runyard {
namespace {

namespace json = boost::json;

constexpr const char* kRegistryFolder = "reports/registry";
constexpr const char* kModels = "registry_models";
constexpr const char* kBest = "registry_best_by_ticker";
constexpr const char* kCommand =
    "python -m scripts.index_runs --runs-dir runs --out-dir reports/registry";

struct Column {
  const char* name;
  CellKind kind;
};
constexpr Column kColumns[] = {
    {"run_id", CellKind::kText},
    {"mode", CellKind::kText},
    {"ticker", CellKind::kName},
    {"label_horizon_days", CellKind::kInteger},
    {"label_threshold", CellKind::kNumber},
    {"precision", CellKind::kNumber},
    {"recall", CellKind::kNumber},
    {"f1", CellKind::kNumber},
    {"accuracy", CellKind::kNumber},
    {"buy_rate", CellKind::kNumber},
    {"positive_rate", CellKind::kNumber},
    {"lift", CellKind::kNumber},
    {"tp", CellKind::kInteger},
    {"fp", CellKind::kInteger},
    {"tn", CellKind::kInteger},
    {"fn", CellKind::kInteger},
    {"support", CellKind::kInteger},
    {"model_final_path", CellKind::kPath},
    {"config_path", CellKind::kPath},
    {"metrics_path", CellKind::kPath},
    {"manifest_path", CellKind::kPath},
    {"git_commit", CellKind::kText},
    {"start_time", CellKind::kText},
    {"end_time", CellKind::kText},
    {"status", CellKind::kText},
};
constexpr Column kBestColumns[] = {
    {"best_status", CellKind::kText},
    {"selection_sort_key", CellKind::kText},
    {"selection_filters", CellKind::kText},
};

CellKind kind_of(std::string_view name) {
  for (const Column& column : kColumns) {
    if (name == column.name) return column.kind;
  }
  for (const Column& column : kBestColumns) {
    if (name == column.name) return column.kind;
  }
  return name.ends_with("_path") ? CellKind::kPath : CellKind::kAny;
}

/// Every known column in its order, null where the file has none; others behind them.
json::object to_row(const json::object& cells) {
  json::object row;
  for (const Column& column : kColumns) row[column.name] = nullptr;
  for (const auto& [name, value] : cells) row[name] = convert_cell(value, kind_of(name));
  return row;
}

Result<json::array> read_csv_table(std::string_view bytes) {
  const CsvTable csv = read_csv(bytes);
  if (std::find(csv.columns.begin(), csv.columns.end(), "run_id") == csv.columns.end()) {
    return make_error(ErrorKind::kInvalid, "it has no column run_id");
  }
  json::array rows;
  for (const auto& cells : csv.rows) {
    json::object row;
    for (std::size_t i = 0; i < cells.size(); ++i) row[csv.columns[i]] = cells[i];
    rows.push_back(to_row(row));
  }
  return rows;
}

Result<json::array> read_json_table(std::string_view bytes) {
  auto document = read_json(bytes);
  if (!document) return document.error();
  const json::value* data = &*document;
  if (const auto* object = data->if_object()) data = object->if_contains("data");
  if (!data || !data->is_array()) {
    return make_error(ErrorKind::kInvalid, "it has no list 'data'");
  }
  json::array rows;
  for (const auto& row : data->get_array()) {
    if (row.is_object()) rows.push_back(to_row(row.get_object()));
  }
  return rows;
}

bool equal_text(const json::value& value, std::string_view wanted) {
  const auto* text = value.if_string();
  return text && std::equal(text->begin(), text->end(), wanted.begin(), wanted.end(),
                            [](unsigned char a, unsigned char b) {
                              return std::tolower(a) == std::tolower(b);
                            });
}

std::optional<double> number_of(const json::value& value) {
  if (!value.is_number()) return std::nullopt;
  return value.to_number<double>();
}

bool passes(const json::object& row, const ModelFilter& filter) {
  const auto at_least = [&](const char* column, const std::optional<double>& least) {
    if (!least) return true;
    const auto number = number_of(row.at(column));
    return number && *number >= *least;
  };
  if (!filter.ticker.empty() && !equal_text(row.at("ticker"), filter.ticker)) return false;
  if (!filter.mode.empty() && !equal_text(row.at("mode"), filter.mode)) return false;
  if (filter.max_buy_rate) {
    const auto rate = number_of(row.at("buy_rate"));
    if (!rate || *rate > *filter.max_buy_rate) return false;
  }
  return at_least("lift", filter.min_lift) && at_least("precision", filter.min_precision) &&
         at_least("support", filter.min_support);
}

/// -1, 0, 1; numbers before texts. Neither is null.
int compare(const json::value& a, const json::value& b) {
  const auto x = number_of(a), y = number_of(b);
  if (x && y) return *x < *y ? -1 : *x > *y ? 1 : 0;
  if (x || y) return x ? -1 : 1;
  const auto text = [](const json::value& value) {
    return value.is_string() ? std::string(value.get_string()) : json::serialize(value);
  };
  const int order = text(a).compare(text(b));
  return order < 0 ? -1 : order > 0 ? 1 : 0;
}

bool comes_before(const json::object& a, const json::object& b,
                  const std::vector<ModelFilter::Order>& order) {
  for (const auto& [column, descending] : order) {
    const json::value &x = a.at(column), &y = b.at(column);
    if (x.is_null() || y.is_null()) {
      if (x.is_null() != y.is_null()) return y.is_null();  // what is not known stands last
      continue;
    }
    const int result = compare(x, y);
    if (result != 0) return descending ? result > 0 : result < 0;
  }
  return false;
}

}  // namespace

Result<std::vector<ModelFilter::Order>> parse_model_order(std::string_view text) {
  std::vector<ModelFilter::Order> orders;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    std::string_view part = text.substr(at, end - at);
    at = end + 1;
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    if (part.empty()) continue;
    ModelFilter::Order order;
    order.descending = part.ends_with("_desc");
    if (order.descending) {
      part.remove_suffix(5);
    } else if (part.ends_with("_asc")) {
      part.remove_suffix(4);
    }
    order.column = part;
    const bool known = std::any_of(std::begin(kColumns), std::end(kColumns),
                                   [&](const Column& column) { return part == column.name; });
    if (!known) {
      return invalid_field("/sort",
                           "'sort' is a list of columns with _asc or _desc, for example "
                           "precision_desc,lift_desc,buy_rate_asc,support_desc");
    }
    orders.push_back(std::move(order));
  }
  return orders;
}

ModelRegistry::ModelRegistry(const Confinement& confinement)
    : confinement_(confinement), tables_(8, kMaxTableBytes) {}

FileCache<json::array>::Value ModelRegistry::table(const std::string& name) {
  const auto missing = [&](const std::string& why) {
    return make_error(ErrorKind::kNotFound,
                      fmt::format("{}; run `{}`, or submit an index-runs job", why, kCommand));
  };
  const auto folder = Folder::open(confinement_, kRegistryFolder);
  if (!folder) return missing("there is no registry yet");
  std::vector<std::pair<std::string, FileIdentity>> files;
  for (const char* suffix : {".csv", ".json"}) {
    const std::string file = name + suffix;
    if (const auto identity = folder->identity(file)) files.emplace_back(file, *identity);
  }
  if (files.empty()) return missing("there is no registry yet");
  std::stable_sort(files.begin(), files.end(), [](const auto& a, const auto& b) {
    return a.second.modified_ns > b.second.modified_ns;
  });
  std::string why;
  for (const auto& [file, identity] : files) {
    const bool is_csv = file.ends_with(".csv");
    auto table = tables_.get(*folder, file, is_csv ? read_csv_table : read_json_table);
    if (table) return table;
    if (why.empty()) why = table.error().message;
  }
  return missing("the registry cannot be read: " + why);
}

Result<json::array> ModelRegistry::best() {
  constexpr std::pair<const char*, const char*> kFields[] = {
      {"ticker", "ticker"},
      {"run_id", "run_id"},
      {"model_path", "model_final_path"},
      {"model_type", "mode"},
      {"precision", "precision"},
      {"lift", "lift"},
      {"buy_rate", "buy_rate"},
      {"label_horizon_days", "label_horizon_days"},
      {"label_threshold", "label_threshold"},
      {"positive_rate", "positive_rate"},
      {"tp", "tp"},
      {"fp", "fp"},
      {"tn", "tn"},
      {"fn", "fn"},
      {"support", "support"},
      {"best_status", "best_status"},
  };
  const auto rows = table(kBest);
  if (!rows) return rows.error();
  json::array best;
  for (const auto& row : **rows) {
    json::object document;
    for (const auto& [field, column] : kFields) {
      const auto* value = row.get_object().if_contains(column);
      document[field] = value ? *value : nullptr;
    }
    best.push_back(std::move(document));
  }
  return best;
}

Result<Page> ModelRegistry::models(const ModelFilter& filter) {
  const auto rows = table(kModels);
  if (!rows) return rows.error();
  std::vector<const json::object*> found;
  for (const auto& row : **rows) {
    if (passes(row.get_object(), filter)) found.push_back(&row.get_object());
  }
  if (!filter.order.empty()) {
    std::stable_sort(found.begin(), found.end(), [&](const auto* a, const auto* b) {
      return comes_before(*a, *b, filter.order);
    });
  }
  Page page;
  page.total = found.size();
  for (std::size_t i = filter.offset; i < found.size() && page.rows.size() < filter.limit; ++i) {
    page.rows.push_back(*found[i]);
  }
  return page;
}

}  // namespace runyard
