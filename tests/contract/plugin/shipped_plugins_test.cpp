// The job types of plugins/ through the real registry and host: every option, hostile texts, and
// what must be refused.

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "core/plugin/random_inputs.h"
#include "registry_fixture.h"

namespace runyard {
namespace {

namespace json = boost::json;
namespace fs = std::filesystem;
using Words = std::vector<std::string>;

class ShippedPlugins : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    base_ = fs::temp_directory_path() / ("shipped_test." + random_hex(6));
    const fs::path root = base_ / "workspace";
    fs::create_directories(root / "configs/backtest");
    fs::create_directories(root / "runs/20260217_171416__0e304dfc/models/base");
    fs::create_directories(root / "runs/20260101_000000__0123abcd/models/base");  // of an example
    for (const char* file :
         {"configs/base.yaml", "configs/b.yml", "configs/notes.txt", "configs/backtest/base.yaml",
          "other.yaml", "runs/20260217_171416__0e304dfc/models/base/final.zip",
          "runs/20260101_000000__0123abcd/models/base/best.zip"}) {
      std::ofstream(root / file) << "x";
    }
    fs::create_symlink("/etc/passwd", root / "configs/out.yaml");
    PluginConfig config;
    config.folders = {RUNYARD_SHIPPED_PLUGINS};
    config.cache = base_ / "cache";
    config.host_command = {RUNYARD_TEST_HOST};
    registry_ = new PluginRegistry(config);
    const auto scanned = registry_->rescan();
    ASSERT_TRUE(scanned) << scanned.error().message;
    confinement_ = new Confinement(*Confinement::open(root, {}));
  }
  static void TearDownTestSuite() {
    delete registry_;
    delete confinement_;
    fs::remove_all(base_);
  }

  static Result<Words> plan(const char* slug, json::object inputs) {
    const JobTypePtr type = registry_->find_slug(slug);
    if (!type) return make_error(ErrorKind::kNotFound, std::string(slug) + " is not offered");
    auto params = registry_->check(*type, std::move(inputs), *confinement_);
    if (!params) return params.error();
    return registry_->argv(*type, *params);
  }
  static Words argv(const char* slug, std::string_view inputs) {
    const auto words = plan(slug, json::parse({inputs.data(), inputs.size()}).as_object());
    EXPECT_TRUE(words) << inputs << ": " << (words ? "" : words.error().message);
    return words ? *words : Words{};
  }
  /// The pointers of the bad fields, joined; "" when the inputs are good.
  static std::string refused(const char* slug, std::string_view inputs) {
    const auto words = plan(slug, json::parse({inputs.data(), inputs.size()}).as_object());
    if (words) return "";
    EXPECT_EQ(words.error().kind, ErrorKind::kInvalid) << words.error().message;
    EXPECT_FALSE(words.error().message.empty());
    std::string out;
    for (const FieldError& field : words.error().fields) {
      EXPECT_FALSE(field.message.empty());
      out += (out.empty() ? "" : " ") + field.pointer;
    }
    return out;
  }

  static fs::path base_;
  static PluginRegistry* registry_;
  static Confinement* confinement_;
};
fs::path ShippedPlugins::base_;
PluginRegistry* ShippedPlugins::registry_ = nullptr;
Confinement* ShippedPlugins::confinement_ = nullptr;

TEST_F(ShippedPlugins, AreAllLoaded) {
  for (const PluginInfo& info : registry_->list()) {
    EXPECT_EQ(info.state, PluginState::kLoaded) << info.path << ": " << info.reason;
  }
  EXPECT_EQ(registry_->find_slug("train")->on_success.at(0).type, "index_runs");
  EXPECT_TRUE(registry_->find_slug("index-runs")->singleton);
  EXPECT_EQ(registry_->find_slug("eval-metrics")->type, "eval_metrics");
  EXPECT_EQ(registry_->find_slug("eval-metrics")->hints.at(0).param, "run_id");
}

TEST_F(ShippedPlugins, Train) {
  EXPECT_EQ(argv("train", R"({"config_path": "configs/base.yaml"})"),
            (Words{"--config", "configs/base.yaml"}));
  EXPECT_EQ(argv("train", R"({"config_path": "configs\\b.yml", "overrides": [], "dry_run": true})"),
            (Words{"--config", "configs/b.yml", "--dry-run"}));
  EXPECT_EQ(argv("train",
                 R"({"config_path": "./configs//base.yaml", "overrides": null, "dry_run": false})"),
            (Words{"--config", "configs/base.yaml"}));
  EXPECT_EQ(argv("train", R"({"config_path": "configs/base.yaml", "dry_run": true, "overrides":
                ["label.horizon_days=40", "train.finetune.tickers=[\"NVDA\",\"TSM\"]",
                 "a=", "note=it's = \"x y\" $(rm -rf /) `id` ; | & > < * ? \\ ü 中文 😀", "b=--force",
                 "c=\u00a0"]})"),
            (Words{"--config", "configs/base.yaml", "--set", "label.horizon_days=40", "--set",
                   "train.finetune.tickers=[\"NVDA\",\"TSM\"]", "--set", "a=", "--set",
                   "note=it's = \"x y\" $(rm -rf /) `id` ; | & > < * ? \\ ü 中文 😀", "--set",
                   "b=--force", "--set", "c=\u00a0", "--dry-run"}));
}

TEST_F(ShippedPlugins, Backtest) {
  const std::string config = R"({"config_path": "configs/backtest/base.yaml")";
  const Words head{"--config", "configs/backtest/base.yaml"};
  const auto with = [&](const Words& more) {
    Words all = head;
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  EXPECT_EQ(argv("backtest", config + "}"), head);
  EXPECT_EQ(argv("backtest", config + R"(, "tickers": ["TSM"], "dry_run": true})"),
            with({"--ticker", "TSM", "--dry-run"}));
  EXPECT_EQ(argv("backtest", config + R"(, "tickers": [" tsm ", "brk.b", "^gspc", "TSM"]})"),
            with({"--tickers", "TSM,BRK.B,^GSPC"}));
  EXPECT_EQ(argv("backtest", config + R"(, "tickers": []})"), head);
  EXPECT_EQ(argv("backtest", config + R"(, "tickers": null, "start": null, "end": null,
                                          "model_path": null, "overrides": null})"),
            head);
  EXPECT_EQ(argv("backtest", config + R"(, "start": "2020-02-29", "end": "2020-02-29"})"),
            with({"--start", "2020-02-29", "--end", "2020-02-29"}));
  EXPECT_EQ(argv("backtest", config + R"(, "end": "2021-01-01"})"), with({"--end", "2021-01-01"}));
  EXPECT_EQ(
      argv("backtest", config + R"(, "tickers": ["x"], "start": "2020-01-01", "end": "2021-01-01",
            "model_path": "runs\\20260217_171416__0e304dfc\\models\\base\\final.zip",
            "overrides": ["k.v=1", "n=2"], "dry_run": true})"),
      with({"--ticker", "X", "--model-path", "runs/20260217_171416__0e304dfc/models/base/final.zip",
            "--start", "2020-01-01", "--end", "2021-01-01", "--set", "k.v=1", "--set", "n=2",
            "--dry-run"}));
}

TEST_F(ShippedPlugins, EvalMetricsAndIndexRuns) {
  EXPECT_EQ(argv("eval-metrics", R"({"run_id": "20260217_171416__0e304dfc"})"),
            (Words{"--run-dir", "runs/20260217_171416__0e304dfc", "--mode", "finetune"}));
  EXPECT_EQ(argv("eval-metrics",
                 R"({"run_id": "20260217_171416__0e304dfc", "mode": "base", "dry_run": true,
            "model": "runs/20260217_171416__0e304dfc/models/base/final.zip"})"),
            (Words{"--run-dir", "runs/20260217_171416__0e304dfc", "--mode", "base", "--model",
                   "runs/20260217_171416__0e304dfc/models/base/final.zip", "--dry-run"}));
  EXPECT_EQ(argv("index-runs", "{}"),
            (Words{"--runs-dir", "runs", "--out-dir", "reports/registry"}));
}

TEST_F(ShippedPlugins, RefuseBadPaths) {
  for (const char* path :
       {"/etc/passwd", "../x.yaml", "configs/../../x", "configs/out.yaml", "configs/none.yaml", "",
        "configs/a\\u0000.yaml", "other.yaml", "configs", "configs/notes.txt", "configs/",
        "..\\\\x.yaml", "/configs/base.yaml", "configs/base.yaml/x.yaml", "configs/base.yaml\\n"}) {
    const std::string inputs = std::string(R"({"config_path": ")") + path + "\"}";
    EXPECT_EQ(refused("train", inputs), "/config_path") << path;
    EXPECT_EQ(refused("backtest", inputs), "/config_path") << path;
  }
  EXPECT_EQ(refused("backtest", R"({"config_path": "configs/base.yaml", "tickers": ["A"],
                                    "model_path": "../final.zip"})"),
            "/model_path");
}

TEST_F(ShippedPlugins, RefuseBadOverrides) {
  for (const char* entry : {"--force", "novalue", "=1", "a..b=1", "a.=1", "1a=2", "a b=1", "-a=1",
                            "--set=a", "a=1\\nb", "é=1", ".a=1", "a=\\u0000"}) {
    EXPECT_EQ(
        refused("train", std::string(R"({"config_path": "configs/base.yaml", "overrides": [")") +
                             entry + "\"]}"),
        "/overrides/0")
        << entry;
  }
  EXPECT_EQ(refused("train", R"({"config_path": "configs/base.yaml", "overrides": "a=1"})"),
            "/overrides");
  EXPECT_EQ(refused("train", R"({"config_path": "configs/base.yaml", "overrides": [1]})"),
            "/overrides/0");
}

TEST_F(ShippedPlugins, RefuseBadRunIds) {
  for (const char* id : {"..", "a/b", "20260217_171416__0e304df0", "", "20260217_171416__0E304DFC",
                         "20260217_171416__0e304dfc/", "bt_20260217_201717__e5ce1595"}) {
    EXPECT_EQ(refused("eval-metrics", std::string(R"({"run_id": ")") + id + "\"}"), "/run_id")
        << id;
  }
  EXPECT_EQ(refused("eval-metrics", R"({"run_id": "20260217_171416__0e304dfc", "mode": "all"})"),
            "/mode");
}

TEST_F(ShippedPlugins, RefuseBadTickersDatesAndFields) {
  const auto backtest = [](const std::string& more) {
    return refused("backtest", R"({"config_path": "configs/backtest/base.yaml", )" + more + "}");
  };
  for (const char* ticker :
       {"--dry-run", "", " ", "-A", "A,B", "A B", "A/B", "ABCDEFGHIJKLMNOPQ", "é"}) {
    EXPECT_EQ(backtest(std::string(R"("tickers": [")") + ticker + "\"]"), "/tickers/0") << ticker;
  }
  EXPECT_EQ(backtest(R"("tickers": "TSM")"), "/tickers");
  EXPECT_EQ(backtest(R"("start": "2020-13-01")"), "/start");
  EXPECT_EQ(backtest(R"("start": "2021-02-29", "end": "")"), "/end /start");
  EXPECT_EQ(backtest(R"("start": "2020-01-02", "end": "2020-01-01")"), "/end");
  EXPECT_EQ(backtest(R"("start": 20200101)"), "/start");
  EXPECT_EQ(backtest(R"("model_path": "runs/20260217_171416__0e304dfc/models/base/final.zip")"),
            "/model_path");
  EXPECT_EQ(backtest(R"("tickers": ["A", "B"],
                        "model_path": "runs/20260217_171416__0e304dfc/models/base/final.zip")"),
            "/model_path");
  EXPECT_EQ(backtest(R"("unknown": 1)"), "/unknown");
  EXPECT_EQ(backtest(R"("dry_run": "true")"), "/dry_run");
  EXPECT_EQ(backtest(R"("dry_run": null)"), "/dry_run");
  EXPECT_EQ(refused("backtest", "{}"), "/config_path");
  EXPECT_EQ(refused("train", R"({"config_path": 3})"), "/config_path");
  EXPECT_EQ(refused("index-runs", R"({"runs_dir": "x"})"), "/runs_dir");
}

TEST_F(ShippedPlugins, TenThousandRandomInputsGiveACommandOrA422) {
  for (const JobTypePtr& type : registry_->job_types()) {
    RandomInputs random(*type, 20261122);
    int commands = 0;
    int refusals = 0;
    for (int round = 0; round < 10'000; ++round) {
      const json::object inputs = random.next();
      auto params = registry_->check(*type, inputs, *confinement_);
      // The registry lets no undeclared flag through: that would be kInternal, as a crash is.
      const Result<Words> words = params ? registry_->argv(*type, *params) : params.error();
      if (words) {
        ++commands;
      } else {
        ++refusals;
        ASSERT_EQ(words.error().kind, ErrorKind::kInvalid)
            << type->type << ": " << words.error().message << json::serialize(inputs);
      }
    }
    EXPECT_GT(commands, 500) << type->type << ": too few to prove anything";
    EXPECT_GT(refusals, 500) << type->type;
  }
}

}  // namespace
}  // namespace runyard
