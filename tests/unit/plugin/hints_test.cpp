// The regexes of the shipped job types on what the commands print.

#include <gtest/gtest.h>
#include <re2/re2.h>

#include <filesystem>

#include "core/base/files.h"
#include "core/plugin/descriptor.h"
#include "core/plugin/schema.h"

namespace runyard {
namespace {

JobType shipped(const std::string& name) {
  const auto text = read_file(std::filesystem::path(RUNYARD_PLUGIN_SOURCES) / name / "schema.json");
  EXPECT_TRUE(text);
  auto type = parse_descriptor(*text);
  EXPECT_TRUE(type) << (type ? "" : type.error().message);
  return *type;
}

/// Group 1 of the first match; "" for none.
std::string match(const std::string& pattern, const std::string& line) {
  std::string value;
  RE2::PartialMatch(line, pattern, &value);
  return value;
}

TEST(ShippedHints, RunIdInEveryForm) {
  const std::string pattern = shipped("train").hints.at(0).pattern;
  const std::string id = "20260217_171416__0e304dfc";
  for (const char* line :
       {"run_id: 20260217_171416__0e304dfc", "run_id=20260217_171416__0e304dfc",
        "   run_id   :   20260217_171416__0e304dfc  ", "\trun_id = 20260217_171416__0e304dfc",
        "started run_id: 20260217_171416__0e304dfc, see below",
        "(run_id:20260217_171416__0e304dfc)", "[train] run_id: 20260217_171416__0e304dfc"}) {
    EXPECT_EQ(match(pattern, line), id) << line;
  }
  for (const char* line :
       {"bt_run_id: 20260217_171416__0e304dfc", "  bt_run_id:   bt_20260217_201717__e5ce1595",
        "rerun_id: 20260217_171416__0e304dfc", "run_id: 20260217_171416__0e304dfc0",
        "run_id: 2026-02-17", "run_dir: runs/20260217_171416__0e304dfc", "run_ids: none",
        "manifest: runs/20260217_171416__0e304dfc/manifest.json"}) {
    EXPECT_EQ(match(pattern, line), "") << line;
  }
}

TEST(ShippedHints, BacktestRunIdInEveryForm) {
  const std::string pattern = shipped("backtest").hints.at(0).pattern;
  const std::string id = "bt_20260217_201717__e5ce1595";
  for (const char* line :
       {"  bt_run_id:   bt_20260217_201717__e5ce1595", "bt_run_id=bt_20260217_201717__e5ce1595",
        "TSM done, bt_run_id : bt_20260217_201717__e5ce1595."}) {
    EXPECT_EQ(match(pattern, line), id) << line;
  }
  for (const char* line :
       {"  output:      backtests/bt_20260217_201717__e5ce1595",
        "run_id: 20260217_171416__0e304dfc", "bt_run_id: 20260217_201717__e5ce1595",
        "  model_path:  runs\\20260215_101232__f9693061\\models\\finetuned\\TSM\\final.zip"}) {
    EXPECT_EQ(match(pattern, line), "") << line;
  }
}

TEST(ShippedProgress, BarsAndTables) {
  const JobType train = shipped("train");
  double current = 0;
  double total = 0;
  EXPECT_TRUE(RE2::PartialMatch("train:  29%|██▉       | 20480/70000 [00:04<00:11, 4412.10step/s]",
                                train.progress.at(0).pattern, &current, &total));
  EXPECT_EQ(current, 20480);
  EXPECT_EQ(total, 70000);
  EXPECT_FALSE(RE2::PartialMatch("wrote 3/4 of runs/2026", train.progress.at(0).pattern));
  EXPECT_EQ(match(train.progress.at(1).pattern, "|    total_timesteps      | 20480       |"),
            "20480");
  EXPECT_EQ(train.progress.at(1).yaml_path, "runs/{run_id}/config.yaml");
  EXPECT_EQ(train.progress.at(1).yaml_key, "train.pretrain.steps");
}

TEST(ShippedSeries, CurvesOfATable) {
  const JobType train = shipped("train");
  ASSERT_EQ(train.series.size(), 3u);
  const SeriesSpec& reward = train.series[0];
  const SeriesSpec& finetune = train.series[1];
  const SeriesSpec& loss = train.series[2];
  EXPECT_EQ(match(reward.pattern, "|    ep_rew_mean          | 0.52        |"), "0.52");
  EXPECT_EQ(match(reward.pattern, "|    ep_rew_mean          | -1.2e-05    |"), "-1.2e-05");
  EXPECT_EQ(match(reward.x_pattern, "|    total_timesteps      | 20480       |"), "20480");
  EXPECT_EQ(match(finetune.pattern, "|    ep_rew_mean          | 0.52        |"), "0.52");
  EXPECT_EQ(match(finetune.x_pattern, "|    finetune_timesteps   | 1024        |"), "1024");
  EXPECT_EQ(match(finetune.x_pattern, "|    total_timesteps      | 20480       |"), "");
  EXPECT_EQ(match(loss.pattern, "|    loss                 | 0.0312      |"), "0.0312");
  EXPECT_EQ(match(loss.pattern, "|    value_loss           | 0.0312      |"), "");
  EXPECT_TRUE(RE2::PartialMatch("-----------------------------------------", reward.block_end));
  EXPECT_FALSE(RE2::PartialMatch("| rollout/                |             |", reward.block_end));
}

TEST(ShippedSchemas, Compile) {
  for (const auto& entry : std::filesystem::directory_iterator(RUNYARD_PLUGIN_SOURCES)) {
    if (!std::filesystem::exists(entry.path() / "schema.json")) continue;
    const auto schema = InputSchema::compile(shipped(entry.path().filename()).input_schema);
    EXPECT_TRUE(schema) << entry.path() << ": " << (schema ? "" : schema.error().message);
  }
}

}  // namespace
}  // namespace runyard
