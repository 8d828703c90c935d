#pragma once

#include "cli/command.h"

namespace runyard::cli {

/// `runyard serve`: the server, until SIGINT or SIGTERM. Jobs that run go on without it.
int run_serve(const Args& args);

}  // namespace runyard::cli
