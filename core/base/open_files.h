#pragma once

#include <sys/types.h>

namespace runyard {

/// Lets this process have as many open files as the system allows (its hard limit, at most 65536),
/// because each client is one. Once, before there are threads.
void raise_open_files();

/// Gives a child (0: the calling process) the limit back that raise_open_files() found, because
/// some programs (those that use select) break with a higher one.
void restore_open_files(pid_t child);

}  // namespace runyard
