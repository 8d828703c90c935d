// How long the lists of runs and backtests take: bench_workspace_views [COUNT], 5000 of each by
// default. Makes them in a temporary folder. "Cold" reads every file; "warm" only looks whether one
// changed.

#include <fmt/format.h>
#include <stdlib.h>

#include <boost/json.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "core/workspace/workspace.h"

namespace {

using namespace runyard;

constexpr int kRounds = 20;

void put(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

void make_workspace(const std::filesystem::path& workspace, int count) {
  std::string config = "universe:\n  benchmark: SPX\n  tickers: [SPX, GOOG]\n";
  for (int i = 0; i < 60; ++i) config += fmt::format("section_{}:\n  value: {}\n", i, i * 0.5);
  for (int i = 0; i < count; ++i) {
    const std::string id =
        fmt::format("20260101_{:02}{:02}{:02}__{:08x}", i / 3600 % 24, i / 60 % 60, i % 60, i);
    const auto run = workspace / "runs" / id, backtest = workspace / "backtests" / ("bt_" + id);
    put(run / "config.yaml", config);
    put(run / "manifest.json",
        R"({"start_time": "2026-01-01T00:00:00.000001", "end_time": "2026-01-01T01:00:00.000001"})");
    put(backtest / "metrics.json",
        R"({"ticker": "SPX", "start": "2017-10-16", "end": "2020-01-01", "total_return": 0.25,
            "cagr": 0.1, "max_drawdown": -0.2, "win_rate": 0.5, "trade_count": 12})");
    put(backtest / "selection.json",
        fmt::format(R"({{"ticker": "SPX", "model_path": "runs/{}/models/base/final.zip"}})", id));
  }
}

template <class F>
double milliseconds(F&& f) {
  const auto start = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

template <class View>
void measure(const char* name, View& view, std::size_t limit) {
  PageQuery query;
  query.limit = limit;
  std::size_t bytes = 0;
  const auto once = [&] {
    return milliseconds([&] {
      const auto page = view.recent(query);
      bytes = page ? boost::json::serialize(page->rows).size() : 0;
    });
  };
  const double cold = once();
  std::vector<double> warm;
  for (int i = 0; i < kRounds; ++i) warm.push_back(once());
  std::sort(warm.begin(), warm.end());
  fmt::print("{:<10} limit {:>5}: cold {:8.1f} ms, warm {:6.1f} ms (median; worst {:.1f}), {} KB\n",
             name, limit, cold, warm[kRounds / 2], warm.back(), bytes / 1000);
}

}  // namespace

int main(int argc, char** argv) {
  const int count = argc > 1 ? std::atoi(argv[1]) : 5000;
  std::string folder = (std::filesystem::temp_directory_path() / "runyard_bench_XXXXXX").string();
  if (!::mkdtemp(folder.data())) return 1;
  make_workspace(folder, count);
  // What has just changed is read again each time: only settled files are kept.
  std::this_thread::sleep_for(std::chrono::seconds(3));
  {
    const auto confinement = *Confinement::open(folder, {});
    Workspace workspace(confinement);
    for (const std::size_t limit : {std::size_t{30}, static_cast<std::size_t>(count)}) {
      measure("runs", workspace.runs, limit);
      measure("backtests", workspace.backtests, limit);
    }
  }
  std::filesystem::remove_all(folder);
  return 0;
}
