#include "core/log/log_scanner.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <map>

#include "core/base/files.h"
#include "core/plugin/descriptor.h"
#include "tests/unit/log/samples.h"

namespace runyard {
namespace {

namespace json = boost::json;

const std::string kRun = "20260217_171416__0e304dfc";
const std::string kBacktest = "bt_20260217_201717__e5ce1595";

JobTypePtr shipped(const std::string& name) {
  const auto text = read_file(std::filesystem::path(RUNYARD_PLUGIN_SOURCES) / name / "schema.json");
  auto type = parse_descriptor(*text);
  if (!type) throw std::runtime_error(type.error().message);
  return std::make_shared<const JobType>(std::move(*type));
}

JobTypePtr with(std::vector<HintSpec> hints, std::vector<ProgressSpec> progress = {}) {
  JobType type;
  type.type = "test";
  type.hints = std::move(hints);
  type.progress = std::move(progress);
  return std::make_shared<const JobType>(std::move(type));
}
HintSpec hint(std::string name, std::string pattern, std::string link = "", bool expected = false) {
  return {std::move(name), std::move(pattern), "", std::move(link), expected};
}
ProgressSpec bar(std::string pattern, int current = 1, int total_group = 2, double total = 0) {
  return {std::move(pattern), current, total_group, total, "", ""};
}

std::unique_ptr<LogScanner> scanner_of(JobTypePtr type, json::object params = {},
                                       LogScanner::ReadTotal read_total = nullptr) {
  if (!read_total) {
    read_total = [](const std::string&, const std::string&) { return std::nullopt; };
  }
  auto scanner = LogScanner::make(std::move(type), std::move(params), std::move(read_total));
  if (!scanner) throw std::runtime_error(scanner.error().message);
  return std::move(*scanner);
}

std::vector<std::string> values(const LogScanner& scanner) {
  std::vector<std::string> all;
  for (const Link& link : scanner.links()) all.push_back(link.value);
  return all;
}
using Values = std::vector<std::string>;

// ---- Hints ----

TEST(ShippedScanner, ATraining) {
  const auto scanner = scanner_of(shipped("train"));
  scanner->begin_attempt();
  EXPECT_TRUE(scanner->feed(kTrainLog, 1000));
  EXPECT_EQ(scanner->artifacts(), (json::object{{"run_id", kRun}}));
  EXPECT_EQ(scanner->links(), (std::vector<Link>{{"run_id", kRun, "/runs/" + kRun}}));
  ASSERT_TRUE(scanner->progress());
  EXPECT_EQ(scanner->progress()->current, 70'000);
  EXPECT_EQ(scanner->progress()->total, 70'000);
  EXPECT_TRUE(scanner->warnings(true).empty());
}

TEST(ShippedScanner, ABacktestOfSeveralTickers) {
  const auto scanner = scanner_of(shipped("backtest"));
  std::string second = kBacktestLog;
  for (std::size_t at = 0; (at = second.find("e5ce1595", at)) != std::string::npos; ++at) {
    second.replace(at, 8, "00000002");
  }
  const std::string other = "bt_20260217_201717__00000002";
  scanner->feed(kBacktestLog + second + kBacktestLog, 0);
  // Every match once, in the order of its first; the last one is the hint.
  EXPECT_EQ(values(*scanner), (Values{kBacktest, other}));
  EXPECT_EQ(scanner->links()[0].href, "/backtests/" + kBacktest);
  EXPECT_EQ(scanner->artifacts(), (json::object{{"bt_run_id", kBacktest}}));
}

TEST(ShippedScanner, ARunIdIsNotFoundInsideABacktestsId) {
  const auto scanner = scanner_of(shipped("train"));
  scanner->feed(kBacktestLog, 0);
  scanner->feed("bt_run_id: " + kRun + "\nrerun_id=" + kRun + "\n", 0);
  EXPECT_EQ(values(*scanner), Values{});
  EXPECT_TRUE(scanner->artifacts().empty());
  ASSERT_EQ(scanner->warnings(true).size(), 1u);
  EXPECT_NE(scanner->warnings(true)[0].find("run_id"), std::string::npos);
}

TEST(ShippedScanner, AnEvaluationsHintIsItsInput) {
  const auto scanner = scanner_of(shipped("eval_metrics"), {{"run_id", kRun}});
  for (int attempt = 0; attempt < 2; ++attempt) {
    EXPECT_EQ(scanner->artifacts(), (json::object{{"run_id", kRun}}));
    EXPECT_EQ(scanner->links(), (std::vector<Link>{{"run_id", kRun, "/runs/" + kRun}}));
    scanner->begin_attempt();
  }
  EXPECT_FALSE(scanner->feed("nothing\n", 0));
}

TEST(Hints, ManyInOneLineAndTwoKinds) {
  const auto scanner =
      scanner_of(with({hint("a", R"(\ba=(\d+))", "/a/{value}/x"), hint("b", R"(\bb=(\w+))")}));
  EXPECT_TRUE(scanner->feed("a=1 b=x a=2, a=1 b=x\n", 0));
  EXPECT_EQ(scanner->links(),
            (std::vector<Link>{{"a", "1", "/a/1/x"}, {"a", "2", "/a/2/x"}, {"b", "x", ""}}));
  EXPECT_EQ(scanner->artifacts(), (json::object{{"a", "1"}, {"b", "x"}}));
  EXPECT_FALSE(scanner->feed("a=1 b=x\n", 0));  // nothing new
  EXPECT_TRUE(scanner->feed("a=2\n", 0));       // known, but the last one now
  EXPECT_EQ(scanner->links().size(), 3u);
}

TEST(Hints, AnAnchorIsTheLinesBeginning) {
  const auto scanner = scanner_of(with({hint("a", R"(^(\d))"), hint("b", R"(\b(x))")}));
  scanner->feed("123 xxx\n", 0);
  EXPECT_EQ(values(*scanner), (Values{"1", "x"}));
}

TEST(Hints, ValuesAreTextsOfBoundedSize) {
  const auto scanner = scanner_of(with({hint("v", "v=(.*)")}));
  scanner->feed("v=  spaced out \t\nv=\nv=   \n", 0);
  EXPECT_EQ(values(*scanner), Values{"spaced out"});
  // A byte that is no UTF-8 is no character to RE2: the value ends there.
  scanner->feed("\xff\xc3 v=a\xff z\n", 0);
  EXPECT_EQ(values(*scanner).back(), "a");
  scanner->feed("v=" + std::string(5000, 'y') + "\n", 0);
  EXPECT_LE(values(*scanner).back().size(), 1024u + 3);
}

TEST(Hints, LinksAreBounded) {
  const auto scanner = scanner_of(with({hint("n", R"(n=(\d+))")}));
  std::string log;
  for (int i = 0; i < 1500; ++i) log += "n=" + std::to_string(i) + "\n";
  scanner->feed(log, 0);
  EXPECT_EQ(scanner->links().size(), 1000u);
  EXPECT_EQ(scanner->artifacts().at("n"), "1499");
}

TEST(Hints, AnEmptyMatchEnds) {
  const auto scanner = scanner_of(with({hint("e", "(x*)")}));
  scanner->feed("aaa\nxx\n", 0);
  EXPECT_EQ(values(*scanner), Values{"xx"});
}

TEST(Hints, APatternThatIsNoRe2IsRefused) {
  for (const auto& type : {with({hint("a", "(")}), with({}, {bar("(?=x)")})}) {
    const auto refused = LogScanner::make(type, {}, nullptr);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::kInvalid);
  }
}

TEST(Hints, OnlyExpectedOnesAreMissed) {
  const auto scanner = scanner_of(with({hint("a", "a=(.)", "", true), hint("b", "b=(.)")}));
  EXPECT_EQ(scanner->warnings(true).size(), 1u);
  scanner->feed("a=1\n", 0);
  EXPECT_TRUE(scanner->warnings(true).empty());
}

// ---- Attempts ----

TEST(Attempts, TheCommandLineIsNotScanned) {
  const auto scanner = scanner_of(with({hint("id", R"(id: (\w+))")}));
  scanner->begin_attempt();
  EXPECT_TRUE(scanner->expects_command_line());
  scanner->feed("$ python --set 'x=id: cmd'", 0);
  EXPECT_TRUE(scanner->expects_command_line());
  scanner->feed(" id: more\n", 0);
  EXPECT_FALSE(scanner->expects_command_line());
  EXPECT_EQ(values(*scanner), Values{});
  scanner->feed("$ id: second\n", 0);  // only the first line is the command's
  EXPECT_EQ(values(*scanner), Values{"second"});
}

TEST(Attempts, WithoutACommandLineTheFirstLineCounts) {
  const auto scanner = scanner_of(with({hint("id", R"(id: (\w+))")}));
  scanner->begin_attempt();
  scanner->feed("id: first\n", 0);
  EXPECT_EQ(values(*scanner), Values{"first"});
}

TEST(Attempts, ANewOneForgetsTheOneBefore) {
  const auto scanner = scanner_of(shipped("train"));
  scanner->begin_attempt();
  scanner->feed(kTrainLog + "cut off in the middle, run_id: 2026", 0);
  ASSERT_TRUE(scanner->progress());
  scanner->begin_attempt();
  EXPECT_TRUE(scanner->artifacts().empty());
  EXPECT_TRUE(scanner->links().empty());
  EXPECT_FALSE(scanner->progress());
  EXPECT_EQ(scanner->pending(), 0);
  EXPECT_TRUE(scanner->expects_command_line());
  scanner->feed("0217_171416__0e304dfc\n", 0);  // no text goes on across attempts
  EXPECT_TRUE(scanner->artifacts().empty());
  scanner->feed("run_id: 20260303_030303__33333333\n", 0);
  EXPECT_EQ(values(*scanner), Values{"20260303_030303__33333333"});
}

TEST(Attempts, RestoredFindingsAreGoneOnWith) {
  const auto scanner = scanner_of(shipped("train"));
  scanner->begin_attempt();
  const std::string before = "$ train\nrun_id: 20260303_030303__33333333\nrun_id: " + kRun + "\n";
  scanner->restore({{"run_id", kRun}}, {{"run_id", kRun, "/runs/" + kRun}}, Progress{10, 100, {}},
                   "training", static_cast<std::int64_t>(before.size()));
  EXPECT_FALSE(scanner->feed(before + "| 5/100 [\r", 0) && scanner->links().size() > 1);
  EXPECT_EQ(scanner->artifacts(), (json::object{{"run_id", kRun}}));
  EXPECT_EQ(scanner->status_text(), "training");
  EXPECT_FALSE(scanner->feed("run_id: " + kRun + "\n", 0));
  EXPECT_EQ(scanner->links().size(), 1u);
  EXPECT_TRUE(scanner->feed("run_id: 20260303_030303__33333333\n", 0));
  EXPECT_EQ(scanner->links().size(), 2u);
  EXPECT_TRUE(scanner->feed("| 20/100 [\n", 0));
  EXPECT_EQ(scanner->progress()->current, 20);
}

TEST(Attempts, FinishScansATextWithoutAnEnd) {
  const auto scanner = scanner_of(shipped("train"));
  EXPECT_FALSE(scanner->feed("run_id: " + kRun, 0));
  EXPECT_EQ(scanner->pending(), 33 - 0);
  EXPECT_TRUE(scanner->finish(0));
  EXPECT_EQ(values(*scanner), Values{kRun});
  EXPECT_FALSE(scanner->finish(0));
}

// ---- Progress ----

TEST(ProgressScan, BarsOverwriteThemselves) {
  const auto scanner = scanner_of(with({}, {bar(R"((\d+)/(\d+))")}));
  EXPECT_TRUE(scanner->feed("\r1/10\r2/10\r", 0));
  EXPECT_EQ(scanner->progress()->current, 2);
  EXPECT_FALSE(scanner->feed("3/10", 0));  // may be 3/100 yet
  EXPECT_TRUE(scanner->feed("0\r", 0));
  EXPECT_EQ(scanner->progress()->total, 100);
  EXPECT_FALSE(scanner->feed("3/100\r", 0));
}

TEST(ProgressScan, NumbersOfAllForms) {
  const auto scanner = scanner_of(with({}, {bar(R"(at (\S+) of (\S+))")}));
  const std::map<std::string, std::pair<double, double>> good = {
      {"at 1,234 of 2,000,000", {1234, 2'000'000}},
      {"at 1_000 of 5_000", {1000, 5000}},
      {"at 0.5 of 2.5", {0.5, 2.5}},
      {"at 1e3 of 2e3", {1000, 2000}},
      {"at 0 of 7", {0, 7}}};
  for (const auto& [line, expected] : good) {
    scanner->begin_attempt();
    EXPECT_TRUE(scanner->feed(line + "\n", 0)) << line;
    ASSERT_TRUE(scanner->progress()) << line;
    EXPECT_EQ(scanner->progress()->current, expected.first) << line;
    EXPECT_EQ(scanner->progress()->total, expected.second) << line;
  }
  for (const char* line :
       {"at x of 5", "at 1 of y", "at 1 of 0", "at 1 of -5", "at -1 of 5", "at nan of 5",
        "at 1 of inf", "at 1 of 1e999", "at 1x of 5", "at , of 5"}) {
    scanner->begin_attempt();
    EXPECT_FALSE(scanner->feed(std::string(line) + "\n", 0)) << line;
    EXPECT_FALSE(scanner->progress()) << line;
  }
}

TEST(ProgressScan, ConstantTotals) {
  const auto scanner = scanner_of(with({}, {bar(R"(epoch (\d+))", 1, 0, 20)}));
  scanner->feed("epoch 5\n", 0);
  ASSERT_TRUE(scanner->progress());
  EXPECT_EQ(scanner->progress()->fraction(), 0.25);
}

TEST(ProgressScan, TheEarlierSpecWinsOnceItWasSeen) {
  const auto scanner =
      scanner_of(with({}, {bar(R"(bar (\d+)/(\d+))"), bar(R"(step (\d+))", 1, 0, 1000)}));
  scanner->feed("step 100\n", 0);
  EXPECT_EQ(scanner->progress()->total, 1000);  // the later one is all there is
  scanner->feed("bar 1/10\n", 0);
  EXPECT_EQ(scanner->progress()->total, 10);
  EXPECT_FALSE(scanner->feed("step 200\n", 0));
  EXPECT_EQ(scanner->progress()->total, 10);
  scanner->feed("step 300 bar 2/10\n", 0);
  EXPECT_EQ(scanner->progress()->current, 2);
  scanner->begin_attempt();
  scanner->feed("step 100\n", 0);
  EXPECT_EQ(scanner->progress()->total, 1000);
}

TEST(ProgressScan, TotalsFromAFileAreAskedForUntilTheyAreThere) {
  std::vector<std::string> asked;
  std::optional<double> answer;
  const auto scanner =
      scanner_of(shipped("train"), {}, [&](const std::string& path, const std::string& key) {
        asked.push_back(path + " " + key);
        return answer;
      });
  const std::string step = "|    total_timesteps      | 4096        |\n";
  scanner->feed(step, 1000);
  EXPECT_TRUE(asked.empty());  // the run is not known yet
  scanner->feed("run_id: " + kRun + "\n" + step + step, 1000);
  EXPECT_EQ(asked, Values{"runs/" + kRun + "/config.yaml train.pretrain.steps"});
  EXPECT_FALSE(scanner->progress());
  scanner->feed(step, 2999);
  EXPECT_EQ(asked.size(), 1u);  // not at every line
  answer = 70'000;
  scanner->feed(step, 3000);
  EXPECT_EQ(asked.size(), 2u);
  ASSERT_TRUE(scanner->progress());
  EXPECT_EQ(scanner->progress()->current, 4096);
  EXPECT_EQ(scanner->progress()->total, 70'000);
  scanner->feed("|    total_timesteps      | 8192        |\n", 100'000);
  EXPECT_EQ(asked.size(), 2u);  // known now
  EXPECT_EQ(scanner->progress()->current, 8192);
  // Another run has another file.
  scanner->feed("run_id: 20260303_030303__33333333\n" + step, 100'001);
  EXPECT_EQ(asked.size(), 3u);
}

TEST(ProgressScan, TwoKeysOfOneFileAreNotMistaken) {
  ProgressSpec first = bar(R"(fine (\d+))", 1, 0), second = bar(R"(base (\d+))", 1, 0);
  first.yaml_path = second.yaml_path = "config.yaml";
  first.yaml_key = "finetune.steps";
  second.yaml_key = "pretrain.steps";
  const auto scanner =
      scanner_of(with({}, {first, second}), {}, [](const std::string&, const std::string& key) {
        return std::optional<double>(key == "finetune.steps" ? 50 : 1000);
      });
  scanner->feed("base 10\n", 0);
  EXPECT_EQ(scanner->progress()->total, 1000);
  scanner->feed("fine 10\n", 0);
  EXPECT_EQ(scanner->progress()->total, 50);
}

TEST(ProgressScan, TotalsFromInputs) {
  ProgressSpec spec = bar(R"(step (\d+))", 1, 0);
  spec.yaml_path = "{config_path}";
  spec.yaml_key = "steps";
  std::string asked;
  const auto read = [&](const std::string& path, const std::string&) {
    asked = path;
    return std::optional<double>(10);
  };
  scanner_of(with({}, {spec}), {{"config_path", "configs/a.yaml"}}, read)->feed("step 1\n", 0);
  EXPECT_EQ(asked, "configs/a.yaml");
  asked.clear();
  for (const char* path : {"{none}/x", "{config_path", "{}"}) {
    spec.yaml_path = path;
    scanner_of(with({}, {spec}), {{"config_path", 5}}, read)->feed("step 1\n", 0);
    EXPECT_EQ(asked, "") << path;
  }
}

TEST(ProgressScan, TheEstimateIsWhatTheRestTakesAtTheSamePace) {
  const auto scanner = scanner_of(with({}, {bar(R"((\d+)/(\d+))")}));
  scanner->feed("10/100\n", 1'000'000);
  EXPECT_EQ(scanner->progress()->eta_sec, std::nullopt);
  scanner->feed("20/100\n", 1'005'000);  // 10 in 5 s
  EXPECT_DOUBLE_EQ(*scanner->progress()->eta_sec, 40);
  scanner->feed("60/100\n", 1'010'000);  // 50 in 10 s
  EXPECT_DOUBLE_EQ(*scanner->progress()->eta_sec, 8);
  scanner->feed("100/100\n", 1'020'000);
  EXPECT_DOUBLE_EQ(*scanner->progress()->eta_sec, 0);
  scanner->feed("120/100\n", 1'021'000);
  EXPECT_DOUBLE_EQ(*scanner->progress()->eta_sec, 0);
  // Another stage counts from the start again.
  scanner->feed("0/50\n", 1'030'000);
  EXPECT_EQ(scanner->progress()->eta_sec, std::nullopt);
  scanner->feed("25/50\n", 1'040'000);
  EXPECT_DOUBLE_EQ(*scanner->progress()->eta_sec, 10);
  scanner->feed("5/50\n", 1'050'000);
  EXPECT_EQ(scanner->progress()->eta_sec, std::nullopt);
}

TEST(ProgressScan, AfterARestartTheEstimateBeginsAnew) {
  const auto scanner = scanner_of(with({}, {bar(R"((\d+)/(\d+))")}));
  scanner->begin_attempt();
  scanner->restore({}, {}, Progress{50, 100, 1.0}, "", 0);
  scanner->feed("60/100\n", 1'000'000);
  EXPECT_EQ(scanner->progress()->eta_sec, std::nullopt);
  scanner->feed("70/100\n", 1'010'000);
  EXPECT_DOUBLE_EQ(*scanner->progress()->eta_sec, 30);
}

// ---- Curves ----

json::value curves(const LogScanner& scanner) { return to_json(scanner.series().all()); }
json::value parse(const char* text) { return json::parse(text); }
JobTypePtr with_series(std::vector<SeriesSpec> series) {
  JobType type;
  type.series = std::move(series);
  return std::make_shared<const JobType>(std::move(type));
}

TEST(SeriesScan, TheTableOfStableBaselines) {
  const auto scanner = scanner_of(shipped("train"));
  scanner->begin_attempt();
  std::string log;
  for (int i = 1; i <= 3; ++i) {
    log +=
        "-----------------------------------------\n| rollout/ | |\n|    ep_rew_mean          | -" +
        std::to_string(i) + ".5        |\n|    total_timesteps      | " + std::to_string(i * 2048) +
        "       |\n|    loss   | 1e-0" + std::to_string(i) +
        " |\n-----------------------------------------\n| 5/10 [\r";
  }
  scanner->feed("$ train\n" + log, 0);
  EXPECT_EQ(curves(*scanner), parse(R"([
    {"name": "ep_rew_mean", "x_name": "total_timesteps",
     "points": [[2048E0, -1.5], [4096E0, -2.5], [6144E0, -3.5]]},
    {"name": "loss", "x_name": "total_timesteps",
     "points": [[2048E0, 1E-1], [4096E0, 1E-2], [6144E0, 1E-3]]}])"));
  scanner->begin_attempt();
  EXPECT_EQ(curves(*scanner), parse("[]"));
}

TEST(SeriesScan, XMayStandAnywhereInABlock) {
  const auto scanner = scanner_of(with_series({{"y", R"(y=(\S+))", "x", R"(x=(\d+))", "^end$"}}));
  scanner->feed("x=1\ny=0.5\nend\ny=0.25 x=2\nend\ny=7\nend\nx=3\nend\nend\n", 0);
  scanner->feed("y=1\ny=2\nx=8\nx=9\nend\n", 0);     // the last ones
  scanner->feed("y=nan\nx=10\nend\ny=x\nend\n", 0);  // no numbers
  EXPECT_EQ(curves(*scanner), parse(R"([{"name": "y", "x_name": "x",
                                         "points": [[1E0, 5E-1], [2E0, 2.5E-1], [9E0, 2E0]]}])"));
  scanner->feed("x=11\ny=3", 0);
  EXPECT_TRUE(scanner->finish(0));  // a block that was not closed
  EXPECT_EQ(scanner->series().all()[0].points.back(), std::pair(11.0, 3.0));
}

TEST(SeriesScan, WithoutABlock) {
  const auto scanner = scanner_of(with_series(
      {{"a", R"(a=(\S+))", "step", R"(step (\d+))", ""}, {"b", R"(b=(\S+))", "", "", ""}}));
  scanner->feed("a=1 b=1\nstep 5 a=2\na=3\nb=1,5\nstep 6\na=4\rb=3\n", 0);
  EXPECT_EQ(curves(*scanner), parse(R"([
    {"name": "a", "x_name": "step", "points": [[5E0, 2E0], [5E0, 3E0], [6E0, 4E0]]},
    {"name": "b", "x_name": null, "points": [[1E0, 1E0], [2E0, 15E0], [3E0, 3E0]]}])"));
}

// ---- What a command says of itself ----

TEST(JsonLines, SayAll) {
  const auto scanner = scanner_of(with({hint("model", "m=(.*)", "/models/{value}")}));
  EXPECT_TRUE(scanner->feed(
      R"({"runyard": {"progress": {"current": 3, "total": 10}, "status": "epoch 3", "x": {"step": 7},)"
      R"( "series": {"loss": 0.5, "acc": 1, "nan": null}, "artifacts": {"model": "m.zip", "n": 5}}})"
      "\n",
      0));
  EXPECT_EQ(scanner->progress()->fraction(), 0.3);
  EXPECT_EQ(scanner->status_text(), "epoch 3");
  EXPECT_EQ(scanner->artifacts(), (json::object{{"model", "m.zip"}, {"n", "5"}}));
  EXPECT_EQ(scanner->links(),
            (std::vector<Link>{{"model", "m.zip", "/models/m.zip"}, {"n", "5", ""}}));
  scanner->feed(
      "  {\"x\": 1, \"runyard\": {\"series\": {\"loss\": 0.25, \"e\": 1}, \"progress\": 0.5}}", 0);
  scanner->finish(0);
  EXPECT_EQ(curves(*scanner), parse(R"([
    {"name": "loss", "x_name": "step", "points": [[7E0, 5E-1], [2E0, 2.5E-1]]},
    {"name": "acc", "x_name": "step", "points": [[7E0, 1E0]]},
    {"name": "e", "x_name": null, "points": [[1E0, 1E0]]}])"));
  EXPECT_EQ(scanner->progress()->fraction(), 0.5);
  EXPECT_TRUE(scanner->warnings(true).empty());
}

TEST(JsonLines, AreBelievedMoreThanPatterns) {
  const auto scanner = scanner_of(with({}, {bar(R"((\d+)/(\d+))")}));
  scanner->feed("1/10\n", 0);
  EXPECT_EQ(scanner->progress()->total, 10);
  scanner->feed("{\"runyard\": {\"progress\": {\"current\": 5, \"total\": 50}}}\n2/10\n", 0);
  EXPECT_EQ(scanner->progress()->total, 50);
}

TEST(JsonLines, ThatAreWrongAreAWarning) {
  for (const char* line :
       {R"({"runyard": 5})", R"({"runyard": {"progress": "x"}})",
        R"({"runyard": {"progres": 0.5}})", R"({"runyard": {"progress": {"current": 1}}})",
        R"({"runyard": {"progress": {"current": 1, "total": 0}}})",
        R"({"runyard": {"x": {"step": NaN}}})", R"({"runyard": {"series": {"loss": "x"}}})",
        R"({"runyard": {"series": [1]}})", R"({"runyard": {"status": 1}})",
        R"({"runyard": {"x": {}}})", R"({"runyard": {"artifacts": {"a": {}}}})",
        R"({"runyard": {"series": {"": 1}}})", R"({"runyard": )"}) {
    const auto scanner = scanner_of(with({}));
    EXPECT_FALSE(scanner->feed(std::string(line) + "\n", 0)) << line;
    ASSERT_EQ(scanner->warnings(false).size(), 1u) << line;
    EXPECT_TRUE(curves(*scanner).get_array().empty());
  }
  for (const char* line : {R"(x {"runyard": {}})", R"({"other": "runyard"})",
                           R"({"a": 1} "runyard")", R"(["runyard"])", R"({"runyard": {}})"}) {
    const auto scanner = scanner_of(with({}));
    scanner->feed(std::string(line) + "\n", 0);
    EXPECT_TRUE(scanner->warnings(false).empty()) << line;
  }
}

TEST(JsonLines, NaNIsNoPointAndLeavesTheRest) {
  const auto scanner = scanner_of(with({}));
  EXPECT_TRUE(scanner->feed(
      "{\"runyard\": {\"progress\": 0.5, \"x\": {\"step\": 1},"
      " \"series\": {\"loss\": NaN, \"lr\": 0.001}, \"artifacts\": {\"best\": 0.52}}}\n",
      0));
  EXPECT_TRUE(scanner->warnings(false).empty());
  EXPECT_EQ(scanner->progress()->current, 0.5);
  ASSERT_EQ(scanner->series().all().size(), 1u);
  EXPECT_EQ(scanner->series().all()[0].name, "lr");
  EXPECT_EQ(scanner->artifacts().at("best"), "0.52");
}

TEST(JsonLines, AreBounded) {
  const auto scanner = scanner_of(with({}));
  for (int i = 0; i < 300; ++i) {
    scanner->feed("{\"runyard\": {\"series\": {\"s" + std::to_string(i) +
                      "\": 1}, \"artifacts\": {\"a" + std::to_string(i) + "\": 1}, \"status\": \"" +
                      std::string(5000, 'x') + "\"}}\n",
                  0);
  }
  EXPECT_EQ(scanner->series().all().size(), SeriesScanner::kMaxSeries);
  EXPECT_LE(scanner->artifacts().size(), 100u);
  EXPECT_LE(scanner->status_text().size(), 203u);
}

// ---- The property ----

TEST(LogScannerProperty, AnySplitOfTheBytesGivesTheSameFindings) {
  std::mt19937 random(20261122);
  JobType both = *shipped("train");
  const auto backtest = shipped("backtest");
  both.hints.insert(both.hints.end(), backtest->hints.begin(), backtest->hints.end());
  const auto type = std::make_shared<const JobType>(std::move(both));
  const auto total = [](const std::string&, const std::string&) {
    return std::optional<double>(9999);
  };
  std::size_t found = 0;
  for (int round = 0; round < 60; ++round) {
    std::string log = random_log(random, 200, round % 6 == 0);
    if (round % 2) log = kTrainLog + log + kBacktestLog;
    const auto whole = scanner_of(type, {}, total), parts = scanner_of(type, {}, total);
    whole->begin_attempt();
    parts->begin_attempt();
    whole->feed(log, 1000);
    in_pieces(log, random, [&](std::string_view piece) { parts->feed(piece, 1000); });
    EXPECT_EQ(parts->pending(), whole->pending());
    whole->finish(1000);
    parts->finish(1000);
    ASSERT_EQ(curves(*parts), curves(*whole)) << round;
    ASSERT_EQ(parts->status_text(), whole->status_text()) << round;
    ASSERT_EQ(parts->links(), whole->links()) << round;
    ASSERT_EQ(parts->artifacts(), whole->artifacts()) << round;
    ASSERT_EQ(parts->progress().has_value(), whole->progress().has_value()) << round;
    if (whole->progress()) {
      ASSERT_EQ(parts->progress()->current, whole->progress()->current);
      ASSERT_EQ(parts->progress()->total, whole->progress()->total);
    }
    found += whole->links().size();
  }
  EXPECT_GT(found, 60u);  // there was something to find
}

TEST(LogScannerProperty, ARestartAnywhereGivesTheSameFindings) {
  std::mt19937 random(5);
  const auto type = shipped("train");
  const std::string log = kTrainLog + kTrainLog;
  const auto whole = scanner_of(type);
  whole->begin_attempt();
  whole->feed(log, 0);
  for (std::size_t cut = 0; cut <= log.size(); cut += 1 + random() % 7) {
    const auto before = scanner_of(type), after = scanner_of(type);
    before->begin_attempt();
    before->feed(std::string_view(log).substr(0, cut), 0);
    const auto known = static_cast<std::int64_t>(cut) - before->pending();
    after->begin_attempt();
    after->restore(before->artifacts(), before->links(), before->progress(), "", known);
    in_pieces(log, random, [&](std::string_view piece) {
      after->feed(piece, 0);
      // Nothing goes back to what it was in the meantime.
      ASSERT_TRUE(before->artifacts().empty() || !after->artifacts().empty());
    });
    ASSERT_EQ(json::value(to_json(after->series().all())),
              json::value(to_json(whole->series().all())))
        << cut;
    ASSERT_EQ(after->links(), whole->links()) << cut;
    ASSERT_EQ(after->artifacts(), whole->artifacts()) << cut;
    ASSERT_EQ(after->progress()->current, whole->progress()->current) << cut;
  }
}

// ---- Why a command failed ----

TEST(ErrorMessage, TheLastErrorLine) {
  EXPECT_EQ(error_message_from("a\n[ERROR] first\n[ERROR] second\nbye\n"), "[ERROR] second");
  EXPECT_EQ(error_message_from("Traceback (most recent call last):\n  x\nValueError: y\n[ERROR] z"),
            "[ERROR] z");
  EXPECT_EQ(error_message_from("[ERROR] z\nTraceback (most recent call last):\n  x\nValueError: y"),
            "[ERROR] z");
  EXPECT_EQ(error_message_from("\x1b[31m  [ERROR] red \x1b[0m\r\nmore\n"), "[ERROR] red");
  EXPECT_EQ(error_message_from("not an [ERROR] at its beginning\nlast"), "last");
}

TEST(ErrorMessage, TheLastLineOfATraceback) {
  EXPECT_EQ(error_message_from("Traceback (most recent call last):\n"
                               "  File \"x.py\", line 1, in <module>\n"
                               "    f()\n"
                               "ValueError: bad value\n"
                               "shutting down\n"),
            "ValueError: bad value");
  EXPECT_EQ(
      error_message_from("Traceback (most recent call last):\n  File \"x\"\nKeyError: 'a'\n\n"
                         "During handling of the above exception, another exception occurred:\n\n"
                         "Traceback (most recent call last):\n  File \"y\"\nRuntimeError: b\nend"),
      "RuntimeError: b");
  // Cut off: the last line is all there is.
  EXPECT_EQ(error_message_from("Traceback (most recent call last):\n  File \"x.py\", line 1"),
            "File \"x.py\", line 1");
}

TEST(ErrorMessage, ElseTheLastLineThatIsNotEmpty) {
  EXPECT_EQ(error_message_from("one\ntwo\n\n  \n\r\n"), "two");
  EXPECT_EQ(error_message_from("10%\r20%\rstopped"), "stopped");
  EXPECT_EQ(error_message_from(""), "");
  EXPECT_EQ(error_message_from("\n \n\x1b[0m\n"), "");
}

TEST(ErrorMessage, IsAShortValidText) {
  const std::string message = error_message_from("[ERROR] \xff" + std::string(3000, 'x'));
  EXPECT_LE(message.size(), 503u);
  EXPECT_TRUE(message.starts_with("[ERROR] \xEF\xBF\xBDxxx"));
  std::mt19937 random(3);
  for (int round = 0; round < 100; ++round) {
    EXPECT_LE(error_message_from(random_log(random, 100, round % 10 == 0)).size(), 503u);
  }
}

}  // namespace
}  // namespace runyard
