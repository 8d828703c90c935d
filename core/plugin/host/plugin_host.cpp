#include "core/plugin/host/plugin_host.h"

#include <poll.h>
#include <runyard/plugin.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <exception>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <thread>

#include "core/plugin/frame.h"
#include "core/plugin/host/plugin_library.h"

namespace runyard {
namespace {

namespace json = boost::json;

/// Ends the process when the server is gone, also while a plugin loops. (PR_SET_PDEATHSIG would
/// fire when the server's *thread* that started this process ends.)
void watch(int fd) {
  std::thread([fd] {
    pollfd entry{fd, POLLRDHUP, 0};
    while (::poll(&entry, 1, -1) < 0 || !(entry.revents & (POLLRDHUP | POLLHUP | POLLERR))) {
    }
    ::_exit(0);
  }).detach();
}

/// A plugin that asks for more memory than there is ends the process here, whatever it would have
/// made of the exception: so it counts as a crash, and the next call finds a clean host.
void out_of_memory() { ::_exit(kExitOutOfMemory); }

std::string text_of(const json::object& request, const char* name) {
  return std::string(request.at(name).as_string());
}

class Host {
 public:
  json::object answer(const json::object& request) {
    const PluginLibrary& library = library_at(text_of(request, "path"));
    PluginLibrary::Answer answer{kStatusNotLoaded, library.error()};
    if (library.error().empty()) {
      answer = request.at("op") == "describe" ? library.describe()
                                              : library.argv(text_of(request, "params"));
    }
    return {{"id", request.at("id")},
            {"status", answer.status},
            {"text", answer.text},
            {"abi", library.abi()}};
  }

 private:
  /// A copy in the cache never changes, so a library is loaded once.
  const PluginLibrary& library_at(const std::string& path) {
    auto& library = libraries_[path];
    if (!library) library = std::make_unique<PluginLibrary>(path);
    return *library;
  }

  std::map<std::string, std::unique_ptr<PluginLibrary>> libraries_;
};

}  // namespace

int run_plugin_host(int fd) {
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  ::prctl(PR_SET_DUMPABLE, 0);
  std::set_new_handler(out_of_memory);
  try {
    watch(fd);
    Host host;
    constexpr auto kForEver = std::chrono::steady_clock::time_point::max();
    std::string message;
    if (send_frame(fd, message, kForEver) != FrameResult::kDone) ::_exit(1);
    while (receive_frame(fd, message, kForEver) == FrameResult::kDone) {
      const json::value request = json::parse(message);
      const std::string reply = json::serialize(host.answer(request.as_object()));
      if (send_frame(fd, reply, kForEver) != FrameResult::kDone) break;
    }
  } catch (const std::exception&) {
    // A text that is no JSON: the server sees the closed socket and starts anew.
    ::_exit(1);
  }
  // No destructors of libraries: what they might do at their end is of no use to anybody.
  ::_exit(0);
}

}  // namespace runyard
