#include <runyard/plugin.hpp>

class Train {
 public:
  runyard::Args argv(const runyard::Params& params) const {
    runyard::Args args;
    args.option("--config", params.text("config_path"));
    for (const std::string& entry : params.texts("overrides")) args.option("--set", entry);
    if (params.flag("dry_run")) args.add("--dry-run");
    return args;
  }
};

RUNYARD_PLUGIN(Train)
