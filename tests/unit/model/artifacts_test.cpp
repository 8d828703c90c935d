#include "core/model/artifacts.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace runyard {
namespace {

const std::string kRun = "20260217_171416__0e304dfc", kOther = "20260218_000000__00000001";
const std::string kBacktest = "bt_20260217_201717__e5ce1595";

/// `+id` for what it produced, `-id` for what it used.
std::string named_by(const Job& job) {
  std::string all;
  for (const auto& ref : artifacts_of(job)) {
    all += (all.empty() ? "" : " ") + std::string(ref.relation == Relation::kProduced ? "+" : "-") +
           ref.id;
  }
  return all;
}

TEST(Artifacts, AreProducedWhenTheLogNamesThem) {
  Job job;
  EXPECT_EQ(named_by(job), "");
  job.params = {{"config_path", "configs/base.yaml"}, {"overrides", {"a=1"}}};
  job.links = {{"run_id", kRun, "/runs/" + kRun}};
  job.artifacts_hint = {{"run_id", kRun}};
  EXPECT_EQ(named_by(job), "+" + kRun);
  job.links.push_back({"bt_run_id", kBacktest, ""});
  job.links.push_back({"bt_run_id", "bt_20260217_201718__e5ce1595", ""});
  EXPECT_EQ(named_by(job), "+" + kRun + " +" + kBacktest + " +bt_20260217_201718__e5ce1595");
}

TEST(Artifacts, AreUsedWhenInputsOrCommandNameThem) {
  Job job;
  job.params = {{"run_id", kRun}};
  job.links = {{"run_id", kRun, ""}};  // its hint is the input
  EXPECT_EQ(named_by(job), "-" + kRun);
  job.params = {{"model_path", "runs/" + kRun + "/models/finetuned/TSM/final.zip"}};
  job.links = {{"bt_run_id", kBacktest, ""}};
  EXPECT_EQ(named_by(job), "-" + kRun + " +" + kBacktest);
  job.params = {{"overrides", {"x=1", "model.run_id=" + kRun}}, {"deep", {{"er", {kOther}}}}};
  EXPECT_EQ(named_by(job), "-" + kRun + " -" + kOther + " +" + kBacktest);
  job = Job();
  job.command = {"python3", "--run-dir", "runs\\" + kRun};
  EXPECT_EQ(named_by(job), "-" + kRun);
}

TEST(Artifacts, StandAlone) {
  Job job;
  const std::vector<std::string> others = {"job_" + kRun,
                                           "x" + kRun,
                                           "_" + kRun,
                                           kRun + "0",
                                           kRun + "_",
                                           "xbt_" + kRun,
                                           "1" + kRun,
                                           kRun.substr(1),
                                           kRun.substr(0, 24),
                                           "bt_" + kRun + "a",
                                           std::string("__"),
                                           "2026021_171416__0e304dfc",
                                           "20260217_171416__0E304DFC",
                                           "20260217-171416__0e304dfc"};
  for (const std::string& text : others) {
    job.params = {{"text", text}};
    EXPECT_EQ(named_by(job), "") << text;
  }
  job.params = {{"text", "(" + kRun + "),__," + kOther + "/" + kBacktest + "!"}};
  EXPECT_EQ(named_by(job), "-" + kRun + " -" + kOther + " -" + kBacktest);
}

}  // namespace
}  // namespace runyard
