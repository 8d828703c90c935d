#include "core/workspace/model_registry.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <fstream>

#include "tests/unit/base/temp_folder.h"

namespace runyard {
namespace {

namespace json = boost::json;

constexpr const char* kHeader =
    "run_id,mode,ticker,label_horizon_days,label_threshold,precision,recall,f1,accuracy,buy_rate,"
    "positive_rate,lift,tp,fp,tn,fn,support,model_final_path,config_path,metrics_path,"
    "manifest_path,git_commit,start_time,end_time,status\n";

std::string row(const std::string& run, const std::string& mode, const std::string& ticker,
                const std::string& precision, const std::string& lift, const std::string& support) {
  return run + "," + mode + "," + ticker + ",120.0,0.2," + precision + ",0.5,0.4,0.7,0.3,0.2," +
         lift + ",40,10.0,100,," + support + ",runs\\" + run +
         "\\models\\final.zip,c.yaml,m.json,man.json,nan,2026-01-01T00:00:00,,READY\n";
}

class ModelRegistryTest : public ::testing::Test {
 protected:
  ModelRegistryTest() {
    std::filesystem::create_directories(workspace_ / "reports/registry");
    confinement_.emplace(*Confinement::open(workspace_.path(), {}));
    registry_.emplace(*confinement_);
  }
  void write(const std::string& name, const std::string& text, int age_sec = 0) {
    const auto path = workspace_ / "reports/registry" / name;
    std::ofstream(path) << text;
    std::filesystem::last_write_time(
        path, std::filesystem::file_time_type::clock::now() - std::chrono::seconds(age_sec));
  }
  std::string runs(const ModelFilter& filter) {
    const auto page = registry_->models(filter);
    if (!page) return "ERROR " + page.error().message;
    std::string all;
    for (const auto& each : page->rows) {
      all += (all.empty() ? "" : " ") + std::string(each.at("run_id").get_string());
    }
    return all;
  }
  std::string sorted(const std::string& order) {
    ModelFilter filter;
    filter.order = *parse_model_order(order);
    return runs(filter);
  }
  TempFolder workspace_;
  std::optional<Confinement> confinement_;
  std::optional<ModelRegistry> registry_;
};

TEST_F(ModelRegistryTest, SaysHowToMakeIt) {
  for (int step = 0; step < 3; ++step) {
    if (step == 1) std::filesystem::remove_all(workspace_ / "reports");
    if (step == 2) {
      std::filesystem::create_directories(workspace_ / "reports/registry");
      write("registry_best_by_ticker.csv", "");
    }
    const auto best = registry_->best();
    ASSERT_FALSE(best);
    EXPECT_EQ(best.error().kind, ErrorKind::kNotFound);
    EXPECT_NE(best.error().message.find("python -m scripts.index_runs --runs-dir runs"),
              std::string::npos)
        << best.error().message;
  }
  EXPECT_EQ(registry_->models({}).error().kind, ErrorKind::kNotFound);
}

TEST_F(ModelRegistryTest, TypesEveryColumn) {
  write("registry_models.csv", kHeader + row("r1", "finetune", "TSM", "0.25", "nan", "812.0"));
  const auto page = registry_->models({});
  ASSERT_TRUE(page) << page.error().message;
  EXPECT_EQ(json::serialize(page->rows),
            json::serialize(json::parse(R"([{"run_id": "r1", "mode": "finetune", "ticker": "TSM",
    "label_horizon_days": 120, "label_threshold": 0.2, "precision": 0.25, "recall": 0.5, "f1": 0.4,
    "accuracy": 0.7, "buy_rate": 0.3, "positive_rate": 0.2, "lift": null, "tp": 40, "fp": 10,
    "tn": 100, "fn": null, "support": 812, "model_final_path": "runs/r1/models/final.zip",
    "config_path": "c.yaml", "metrics_path": "m.json", "manifest_path": "man.json",
    "git_commit": null, "start_time": "2026-01-01T00:00:00", "end_time": null,
    "status": "READY"}])")));
}

TEST_F(ModelRegistryTest, ReadsTheTwinAlike) {
  write("registry_models.csv", kHeader + row("r1", "finetune", "TSM", "0.25", "1.5", "812.0"), 9);
  const auto from_csv = registry_->models({});
  write("registry_models.json", R"({"metadata": {}, "data": [{"run_id": "r1", "mode": "finetune",
    "ticker": "TSM", "label_horizon_days": 120.0, "label_threshold": 0.2, "precision": 0.25,
    "recall": 0.5, "f1": 0.4, "accuracy": 0.7, "buy_rate": 0.3, "positive_rate": 0.2, "lift": 1.5,
    "tp": 40, "fp": 10, "tn": 100, "fn": NaN, "support": 812, "config_path": "c.yaml",
    "model_final_path": "runs\\r1\\models\\final.zip", "metrics_path": "m.json",
    "manifest_path": "man.json", "git_commit": NaN, "start_time": "2026-01-01T00:00:00",
    "end_time": null, "status": "READY"}]})");
  std::filesystem::remove(workspace_ / "reports/registry/registry_models.csv");
  const auto from_json = registry_->models({});
  ASSERT_TRUE(from_csv && from_json);
  EXPECT_EQ(json::serialize(from_csv->rows), json::serialize(from_json->rows));
}

TEST_F(ModelRegistryTest, TakesTheNewerTableAndTheOtherOneInNeed) {
  write("registry_models.csv", kHeader + row("csv", "base", "ALL", "1", "1", "1"), 100);
  write("registry_models.json", R"({"data": [{"run_id": "json"}]})", 50);
  EXPECT_EQ(runs({}), "json");
  write("registry_models.csv", kHeader + row("csv", "base", "ALL", "1", "1", "1"), 10);
  EXPECT_EQ(runs({}), "csv");
  write("registry_models.csv", "");
  EXPECT_EQ(runs({}), "json");
  write("registry_models.csv", kHeader + row("csv", "base", "ALL", "1", "1", "1"), 50);
  write("registry_models.json", R"({"data": [{"run_)");
  EXPECT_EQ(runs({}), "csv");
}

TEST_F(ModelRegistryTest, FiltersSortsAndPages) {
  write("registry_models.csv", kHeader + row("a", "finetune", "TSM", "0.3", "1.5", "100") +
                                   row("b", "base", "ALL", "0.5", "nan", "300") +
                                   row("c", "finetune", "tsm", "0.3", "1.2", "200") +
                                   row("d", "finetune", "GOOG", "nan", "2", "nan"));
  EXPECT_EQ(runs({}), "a b c d");
  ModelFilter filter;
  filter.ticker = "Tsm";
  EXPECT_EQ(runs(filter), "a c");
  filter = {};
  filter.mode = "base";
  EXPECT_EQ(runs(filter), "b");
  filter = {};
  filter.min_lift = 1.3;
  EXPECT_EQ(runs(filter), "a d");  // not b, whose lift nobody knows
  filter = {};
  filter.min_support = 200;
  filter.max_buy_rate = 0.3;
  EXPECT_EQ(runs(filter), "b c");
  filter.max_buy_rate = 0.29;
  EXPECT_EQ(runs(filter), "");
  EXPECT_EQ(sorted("precision_desc,lift_desc"), "b a c d");
  EXPECT_EQ(sorted("precision_asc,lift_asc"), "c a b d");
  EXPECT_EQ(sorted("support_desc"), "b c a d");
  EXPECT_EQ(sorted("ticker_asc"), "b d a c");
  EXPECT_FALSE(parse_model_order("nonsense_desc"));
  filter = {};
  filter.offset = 1;
  filter.limit = 2;
  EXPECT_EQ(runs(filter), "b c");
  EXPECT_EQ(registry_->models(filter)->total, 4u);
  filter.offset = 100;
  EXPECT_EQ(runs(filter), "");
}

TEST_F(ModelRegistryTest, ShowsTheBest) {
  std::string header = kHeader;
  header.insert(header.size() - 1, ",best_status,selection_sort_key,selection_filters");
  std::string line = row("r1", "finetune", "TSM", "0.25", "1.25", "812");
  line.insert(line.size() - 1, ",\"NO_PASS: lift, tp\",key,filters");
  write("registry_best_by_ticker.csv", "\xEF\xBB\xBF" + header + line);
  const auto best = registry_->best();
  ASSERT_TRUE(best) << best.error().message;
  EXPECT_EQ(json::serialize(*best),
            json::serialize(json::parse(R"([{"ticker": "TSM", "run_id": "r1",
    "model_path": "runs/r1/models/final.zip", "model_type": "finetune", "precision": 0.25,
    "lift": 1.25, "buy_rate": 0.3, "label_horizon_days": 120, "label_threshold": 0.2,
    "positive_rate": 0.2, "tp": 40, "fp": 10, "tn": 100, "fn": null, "support": 812,
    "best_status": "NO_PASS: lift, tp"}])")));
}

}  // namespace
}  // namespace runyard
