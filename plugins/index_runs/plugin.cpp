#include <runyard/plugin.hpp>

class IndexRuns {
 public:
  runyard::Args argv(const runyard::Params&) const {
    runyard::Args args;
    args.option("--runs-dir", "runs").option("--out-dir", "reports/registry");
    return args;
  }
};

RUNYARD_PLUGIN(IndexRuns)
