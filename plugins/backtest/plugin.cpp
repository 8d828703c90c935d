#include <runyard/plugin.hpp>

#include <algorithm>

namespace {

/// The schema allows blanks around a ticker, and letters of both cases.
std::string canonical(const std::string& ticker) {
  const std::size_t first = ticker.find_first_not_of(' ');
  std::string out = ticker.substr(first, ticker.find_last_not_of(' ') - first + 1);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return out;
}

/// In the order given, without repeats.
std::vector<std::string> tickers_of(const runyard::Params& params) {
  std::vector<std::string> out;
  for (const std::string& text : params.texts("tickers")) {
    std::string ticker = canonical(text);
    if (std::find(out.begin(), out.end(), ticker) == out.end()) out.push_back(std::move(ticker));
  }
  return out;
}

std::string join(const std::vector<std::string>& list) {
  std::string out;
  for (const std::string& item : list) out += (out.empty() ? "" : ",") + item;
  return out;
}

}  // namespace

class Backtest {
 public:
  runyard::Args argv(const runyard::Params& params) const {
    const std::vector<std::string> tickers = tickers_of(params);
    if (params.has("model_path") && tickers.size() != 1) {
      throw runyard::Invalid("/model_path", "model_path needs exactly one ticker in 'tickers'");
    }
    // Dates in this form are in order exactly when their texts are.
    const std::string start = params.text("start"), end = params.text("end");
    if (!start.empty() && !end.empty() && end < start) {
      throw runyard::Invalid("/end", "end (" + end + ") must not be before start (" + start + ")");
    }

    runyard::Args args;
    args.option("--config", params.text("config_path"));
    if (tickers.size() == 1) args.option("--ticker", tickers.front());
    if (tickers.size() > 1) args.option("--tickers", join(tickers));
    args.option_from(params, "model_path", "--model-path");
    args.option_from(params, "start", "--start");
    args.option_from(params, "end", "--end");
    for (const std::string& entry : params.texts("overrides")) args.option("--set", entry);
    if (params.flag("dry_run")) args.add("--dry-run");
    return args;
  }
};

RUNYARD_PLUGIN(Backtest)
