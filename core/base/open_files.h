#pragma once

namespace runyard {

/// Lets this process have as many open files as the system allows (its hard limit, at most 65536),
/// because each client is one. Once, before there are threads.
void raise_open_files();

/// Gives the calling process the limit back that raise_open_files() found, because some programs
/// (those that use select) break with a higher one. For a child before its exec: one system call.
void restore_open_files();

}  // namespace runyard
