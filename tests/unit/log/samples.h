#pragma once

#include <cstddef>
#include <functional>
#include <random>
#include <string>
#include <string_view>

namespace runyard {

/// What a training prints: ids, a bar that is overwritten in colours, tables, texts of all kinds.
inline const std::string kTrainLog =
    "$ /usr/bin/python3 -m scripts.run_experiment --set 'x=run_id: 20990101_000000__ffffffff'\n"
    "run_id: 20260217_171416__0e304dfc\n"
    "run_dir: runs/20260217_171416__0e304dfc\n"
    "base_stage: fresh -> runs/20260217_171416__0e304dfc/models/base/final.zip\n"
    "\rtrain:   0%|          | 0/70000 [00:00<?, ?step/s]"
    "\r\x1b[32mtrain:  29%|\u2588\u2588\u2589       | 20480/70000 [00:04<00:11, "
    "4412.10step/s]\x1b[0m"
    "\rtrain: 100%|\u2588\u2588\u2588\u2588| 70000/70000 [00:15<00:00, 4412.10step/s]\n"
    "-----------------------------------------\n"
    "| rollout/                |             |\n"
    "|    ep_rew_mean          | 0.52        |\n"
    "| time/                   |             |\n"
    "|    fps                  | 1174        |\n"
    "|    total_timesteps      | 20480       |\n"
    "| train/                  |             |\n"
    "|    approx_kl            | 0.011937    |\n"
    "|    loss                 | 0.0312      |\n"
    "-----------------------------------------\n"
    "manifest: runs/20260217_171416__0e304dfc/manifest.json\n";

inline const std::string kBacktestLog =
    "============================================================\n"
    "  ticker:      TSM\n"
    "  model_path:  runs\\20260215_101232__f9693061\\models\\finetuned\\TSM\\final.zip\n"
    "  label:       horizon_days=120, threshold=0.2\n"
    "  start:       2017-10-16\n"
    "  bt_run_id:   bt_20260217_201717__e5ce1595\n"
    "  output:      backtests/bt_20260217_201717__e5ce1595\n"
    "============================================================\n";

/// Bytes as hostile as a log may be: line ends of all kinds, escape sequences whole and broken,
/// invalid UTF-8, ids and bars at any place, texts longer than what is kept.
inline std::string random_log(std::mt19937& random, int pieces, bool long_lines) {
  static const std::string kPieces[] = {
      "\n",
      "\r",
      "\r\n",
      "\n\n",
      "\x1b[32m",
      "\x1b[0m",
      "\x1b[2K",
      "\x1b[K",
      "\x1b[1K",
      "\x1b[A",
      "\x1b[2A\n\n",
      "\x1b[3D",
      "\x1b[2C",
      "\x1b[5G",
      "\x1b[38;5;9;1m",
      "\x1b]0;title\x07",
      "\x1b]8;;http://x\x1b\\",
      "\x1bP1$r\x1b\\",
      "\x1b(B",
      "\x1b",
      "\x1b[",
      "\x1b]",
      "\x1b[31",
      "\xff",
      "\xc3",
      "\xe6\x95",
      "数据",
      "🚀",
      std::string("\0", 1),
      "\t",
      " ",
      "\b",
      "\x7f",
      "run_id: 20260217_171416__0e304dfc",
      "run_id=20260101_000000__00000001 ",
      "bt_run_id: bt_20260217_201717__e5ce1595",
      "| 20480/70000 [",
      "| 5/10 [",
      "|    ep_rew_mean          | 0.25        |\n",
      "-------------\n",
      "{\"runyard\": {\"series\": {\"l\": 1}, \"status\": \"s\"}}",
      "plain text\nand more of it\n",
      "|    total_timesteps      | 4096        |",
      "[ERROR] no data",
      "$ python -m x",
      "Traceback (most recent call last):",
      "  File \"x.py\"",
      "ValueError: bad"};
  std::string log;
  while (pieces-- > 0) {
    if (long_lines && random() % 64 == 0) {
      log.append(60'000 + random() % 10'000, static_cast<char>('a' + random() % 26));
    } else {
      log += kPieces[random() % std::size(kPieces)];
    }
  }
  return log;
}

/// Gives the bytes in pieces of any size, most of them small.
inline void in_pieces(std::string_view bytes, std::mt19937& random,
                      const std::function<void(std::string_view)>& each) {
  const std::size_t most = random() % 3 == 0 ? 1 : random() % 2 == 0 ? 20 : 5000;
  while (!bytes.empty()) {
    const std::size_t size = std::min<std::size_t>(bytes.size(), 1 + random() % most);
    each(bytes.substr(0, size));
    bytes.remove_prefix(size);
  }
}

}  // namespace runyard
