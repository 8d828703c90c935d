#include <runyard/plugin.hpp>

/// Turns inputs, which are valid for schema.json, into the arguments of the command. It runs
/// nothing and knows nothing else: the same inputs give the same arguments.
class __CLASS__ {
 public:
  runyard::Args argv(const runyard::Params& params) const {
    if (params.flag("dry_run") && params.integer("steps") > 1000) {
      throw runyard::Invalid("/steps", "a dry run takes at most 1000 steps");
    }
    runyard::Args args;
    args.option("--who", params.text("who"));
    args.option_from(params, "steps", "--steps");
    if (params.flag("dry_run")) args.add("--dry-run");
    return args;
  }
};

RUNYARD_PLUGIN(__CLASS__)
