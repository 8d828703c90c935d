#include "core/plugin/frame.h"
#include "core/plugin/host/plugin_host.h"

int main() { return runyard::run_plugin_host(runyard::kPluginHostFd); }
