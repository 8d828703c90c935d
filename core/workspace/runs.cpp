#include "core/workspace/runs.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>

#include "core/base/ids.h"
#include "core/workspace/limits.h"
#include "core/workspace/objects.h"

namespace runyard {
namespace {

namespace json = boost::json;

constexpr const char* kRunsFolder = "runs";
constexpr const char* kBaseModels = "models/base";
constexpr const char* kTunedModels = "models/finetuned";
constexpr const char* kModelFiles[] = {"final.zip", "best.zip", "last.zip"};
constexpr std::size_t kSample = 3;
constexpr std::size_t kFacts = 50'000, kDocuments = 64;

Error no_run(std::string_view run_id) {
  if (!is_run_id(run_id)) {
    return make_error(ErrorKind::kNotFound,
                      "that is no run id; one looks like 20260217_171416__0e304dfc");
  }
  return make_error(ErrorKind::kNotFound, fmt::format("there is no folder runs/{}", run_id));
}

/// A run with an end is COMPLETED, unless its manifest says something else of it.
Result<json::object> read_facts(std::string_view bytes) {
  auto manifest = read_json_object(bytes);
  if (!manifest) return manifest.error();
  json::object facts;
  facts["start_time"] = text_member(*manifest, "start_time");
  facts["end_time"] = text_member(*manifest, "end_time");
  facts["status"] = text_member(*manifest, "status");
  if (facts["status"].is_null() && !facts["end_time"].is_null()) facts["status"] = "COMPLETED";
  return facts;
}

Result<json::array> read_tickers(std::string_view bytes) {
  const auto config = read_yaml_object(bytes);
  if (!config) return config.error();
  json::array tickers = ticker_list(*config, "universe.tickers");
  if (tickers.empty()) tickers = ticker_list(*config, "train.finetune.tickers");
  return tickers;
}

/// The files of a folder of models. What is no folder has none.
struct Models {
  json::array files;                     ///< of kModelFiles, in that order
  std::vector<std::string> checkpoints;  ///< in the order of their steps
};

/// N of `checkpoint_step_<N>.zip`.
std::optional<std::uint64_t> step_of(std::string_view name) {
  constexpr std::string_view kPrefix = "checkpoint_step_", kSuffix = ".zip";
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return std::nullopt;
  name.remove_prefix(kPrefix.size());
  if (name.size() <= kSuffix.size()) return std::nullopt;
  name.remove_suffix(kSuffix.size());
  std::uint64_t step = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), step);
  if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return step;
}

Models models_in(const Result<Folder>& folder) {
  Models models;
  if (!folder) return models;
  std::vector<std::pair<std::uint64_t, std::string>> steps;
  const auto entries = folder->entries();
  for (const char* wanted : kModelFiles) {
    for (const auto& entry : entries) {
      if (entry.name == wanted && !entry.is_folder) models.files.emplace_back(wanted);
    }
  }
  for (const auto& entry : entries) {
    const auto step = step_of(entry.name);
    if (step && !entry.is_folder) steps.emplace_back(*step, entry.name);
  }
  std::sort(steps.begin(), steps.end());
  for (auto& [step, name] : steps) models.checkpoints.push_back(std::move(name));
  return models;
}

/// The tickers that have a folder of models, in alphabetical order.
std::vector<std::string> tuned_tickers(const Folder& run) {
  std::vector<std::string> tickers;
  if (const auto folder = run.open_folder(kTunedModels)) {
    for (auto& entry : folder->entries()) {
      if (entry.is_folder && is_ticker(entry.name)) tickers.push_back(std::move(entry.name));
    }
  }
  std::sort(tickers.begin(), tickers.end());
  return tickers;
}

Result<Folder> open_run(const Confinement& confinement, std::string_view run_id) {
  if (!is_run_id(run_id)) return no_run(run_id);
  auto folder = Folder::open(confinement, fmt::format("{}/{}", kRunsFolder, run_id));
  if (!folder && folder.error().kind == ErrorKind::kNotFound) return no_run(run_id);
  return folder;
}

}  // namespace

Runs::Runs(const Confinement& confinement)
    : confinement_(confinement),
      facts_(kFacts, kMaxDocumentBytes),
      tickers_(kFacts, kMaxDocumentBytes),
      objects_(kDocuments, kMaxDocumentBytes) {}

Result<Page> Runs::recent(const PageQuery& query) {
  Page page;
  const auto folder = Folder::open(confinement_, kRunsFolder);
  if (!folder && folder.error().kind == ErrorKind::kNotFound) return page;
  if (!folder) return folder.error();
  std::vector<std::string> ids;
  for (auto& entry : folder->entries()) {
    if (entry.is_folder && is_run_id(entry.name)) ids.push_back(std::move(entry.name));
  }
  std::sort(ids.rbegin(), ids.rend());
  const bool all = query.ticker.empty();
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const bool in_page = page.total >= query.offset && page.rows.size() < query.limit;
    if (all && !in_page) {
      ++page.total;
      continue;
    }
    const std::string& run_id = ids[i];
    const auto tickers = tickers_.get(*folder, run_id + "/config.yaml", read_tickers);
    if (!all &&
        (!tickers ||
         std::none_of((*tickers)->begin(), (*tickers)->end(), [&](const json::value& ticker) {
           return equal_ignoring_case(ticker.get_string(), query.ticker);
         }))) {
      continue;
    }
    ++page.total;
    if (!in_page) continue;
    const auto facts = facts_.get(*folder, run_id + "/manifest.json", read_facts);
    const bool has_manifest = facts || facts.error().kind != ErrorKind::kNotFound;
    json::object row(page.rows.storage());
    row.reserve(6);
    row["run_id"] = run_id;
    row["tickers"] = tickers ? **tickers : json::array();
    for (const char* field : {"start_time", "end_time", "status"}) {
      row[field] = facts ? (*facts)->at(field) : nullptr;
    }
    row["manifest_path"] =
        has_manifest ? json::value(fmt::format("{}/{}/manifest.json", kRunsFolder, run_id))
                     : nullptr;
    page.rows.push_back(std::move(row));
  }
  return page;
}

Result<json::object> Runs::find(std::string_view run_id) {
  const auto folder = open_run(confinement_, run_id);
  if (!folder) return folder.error();
  json::array warnings;
  json::object document;
  document["run_id"] = run_id;
  document["config"] =
      value_or_null(objects_.get(*folder, "config.yaml", read_yaml_object), warnings);
  document["metrics"] =
      value_or_null(objects_.get(*folder, "metrics.json", read_json_object), warnings);
  document["manifest"] =
      value_or_null(objects_.get(*folder, "manifest.json", read_json_object), warnings);

  const Models base = models_in(folder->open_folder(kBaseModels));
  json::object finetuned;
  std::size_t count = base.checkpoints.size();
  json::array sample;
  const auto take_sample = [&sample](const Models& models) {
    for (const auto& name : models.checkpoints) {
      if (sample.size() < kSample) sample.emplace_back(name);
    }
  };
  take_sample(base);
  for (const std::string& ticker : tuned_tickers(*folder)) {
    const Models own = models_in(folder->open_folder(fmt::format("{}/{}", kTunedModels, ticker)));
    finetuned[ticker] = own.files;
    count += own.checkpoints.size();
    take_sample(own);
  }
  document["models"] = json::object{{"base", base.files}, {"finetuned", std::move(finetuned)}};
  document["checkpoints_count"] = count;
  document["checkpoints_sample"] = std::move(sample);

  // What the list says of it, too.
  const auto tickers = tickers_.get(*folder, "config.yaml", read_tickers);
  document["tickers"] = tickers ? **tickers : json::array();
  const auto facts = facts_.get(*folder, "manifest.json", read_facts);
  for (const char* field : {"start_time", "end_time", "status"}) {
    document[field] = facts ? (*facts)->at(field) : nullptr;
  }
  document["warnings"] = std::move(warnings);
  return document;
}

Result<json::array> Runs::checkpoints(std::string_view run_id, bool finetuned,
                                      std::string_view ticker) {
  const auto folder = open_run(confinement_, run_id);
  if (!folder) return folder.error();
  std::string place = kBaseModels;
  if (finetuned) {
    if (ticker.empty()) {
      return make_error(ErrorKind::kMalformed,
                        "name the ticker whose checkpoints are wanted: ?mode=finetuned&ticker=TSM");
    }
    if (!is_ticker(ticker)) return invalid_field("/ticker", "'ticker' must be a ticker");
    const auto tickers = tuned_tickers(*folder);
    auto found = std::find(tickers.begin(), tickers.end(), ticker);
    if (found == tickers.end()) {
      found = std::find_if(tickers.begin(), tickers.end(), [&](const std::string& each) {
        return equal_ignoring_case(each, ticker);
      });
    }
    if (found == tickers.end()) return json::array();  // not trained yet
    place = fmt::format("{}/{}", kTunedModels, *found);
  }
  json::array names;
  for (const auto& name : models_in(folder->open_folder(place)).checkpoints) {
    names.emplace_back(name);
  }
  return names;
}

}  // namespace runyard
