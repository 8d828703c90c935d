#include <runyard/plugin.hpp>

class EvalMetrics {
 public:
  runyard::Args argv(const runyard::Params& params) const {
    runyard::Args args;
    args.option("--run-dir", "runs/" + params.text("run_id"));
    args.option("--mode", params.text("mode"));
    args.option_from(params, "model", "--model");
    if (params.flag("dry_run")) args.add("--dry-run");
    return args;
  }
};

RUNYARD_PLUGIN(EvalMetrics)
