#pragma once

namespace runyard {

/// The plugin host, the whole of `runyard plugin-host`: loads libraries and calls them, as the
/// server asks over `fd` (core/plugin/frame.h), until the other end is closed. Returns the exit
/// code. The only place where a plugin's code runs. To be called by main() before any thread is
/// started.
int run_plugin_host(int fd);

}  // namespace runyard
