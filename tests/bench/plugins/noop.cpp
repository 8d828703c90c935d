#include <runyard/plugin.hpp>

/// A job type for the benchmark: its command takes no arguments and does next to nothing.
class Noop {
 public:
  runyard::Args argv(const runyard::Params&) const { return {}; }
};

RUNYARD_PLUGIN(Noop)
