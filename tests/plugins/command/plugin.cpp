#include <runyard/plugin.hpp>

/// A job type for our own tests: its jobs run any shell text.
class Command {
 public:
  runyard::Args argv(const runyard::Params& params) const {
    runyard::Args args;
    args.option("-c", params.text("script"));
    for (const std::string& word : params.texts("words")) args.add(word);
    return args;
  }
};

RUNYARD_PLUGIN(Command)
