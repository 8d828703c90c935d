#pragma once

#include "cli/command.h"

namespace runyard::cli {

/// `runyard plugin check FILE`: one line for each rule, with the mend of the one that is broken.
int run_plugin_check(const Args& args);
/// `runyard plugin new TYPE`: a folder with a plugin that can be built at once.
int run_plugin_new(const Args& args);

}  // namespace runyard::cli
