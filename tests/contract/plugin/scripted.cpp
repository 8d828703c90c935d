// A plugin that does what its input `do` says. Compiled many times, each with another defect: see
// the definitions in CMakeLists.txt. Against the C ABI itself, so that nothing stops what it does.
#include <dlfcn.h>
#include <fcntl.h>
#include <runyard/plugin.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#ifndef TYPE
#define TYPE "scripted"
#endif
#ifndef SLUG
#define SLUG TYPE
#endif
#ifndef VERSION
#define VERSION "1.0.0"
#endif
#ifndef PROGRAM
#define PROGRAM "scripts.scripted"
#endif
#ifndef GETTER
#define GETTER runyard_plugin_v1_get
#endif
#ifndef DESCRIBE
#define DESCRIBE "ok"
#endif
#ifndef EXAMPLE
#define EXAMPLE "ok"
#endif
#ifndef TABLE_SIZE
#define TABLE_SIZE sizeof(runyard_plugin_v1)
#endif
#ifndef ARGV
#define ARGV argv
#endif

#ifdef MISSING_DEPENDENCY
extern "C" void a_function_that_no_library_has();
#endif

namespace {

#ifdef CRASH_IN_CONSTRUCTOR
struct Crash {
  Crash() { std::abort(); }
} crash;
#endif

constexpr const char* kDescriptor = R"({"type": ")" TYPE R"(", "slug": ")" SLUG
                                    R"(", "version": ")" VERSION R"(", "title": "Scripted",
        "program": {"python_module": ")" PROGRAM R"("},
        "input_schema": {"type": "object", "properties": {
          "do": {"enum": ["ok", "version", "crash", "loop", "bomb", "slow_bomb", "throw", "exit", "close",
                          "fail", "invalid", "bad_invalid", "status", "flag", "nul", "garbage",
                          "not_utf8", "many", "flood", "random", "pid", "environment", "inputs"],
                 "default": "ok"},
          "text": {"type": "string"}}},
        "examples": [{"do": ")" EXAMPLE R"("}], "flags": ["--do"]})";

void send(runyard_emit_fn emit, void* context, std::string_view text) {
  emit(context, text.data(), text.size());
}

/// Tells a test that waits at the other end of this FIFO that a call has come this far.
void tell(const std::string& fifo) {
  if (fifo.empty()) return;
  const int fd = ::open(fifo.c_str(), O_WRONLY | O_CLOEXEC);
  (void)!::write(fd, "x", 1);
  ::close(fd);
}

/// What every call can do; false when the action is none of these.
bool misbehave(std::string_view what, const std::string& fifo = "") {
  if (what == "crash") {
    std::signal(SIGSEGV, SIG_DFL);  // a sanitizer's handler would end the process in its own way
    std::raise(SIGSEGV);
  } else if (what == "loop") {
    tell(fifo);
    for (volatile bool go_on = true; go_on;) {
    }
  } else if (what == "bomb") {
    std::vector<char> all(std::size_t{1} << 40, 'x');
    return all.back() == 'x';
  } else if (what == "slow_bomb") {
    // Untouched: what is limited are addresses, and filling them takes long on a busy machine.
    for (std::vector<char*> kept;;) kept.push_back(new char[1 << 20]);
  } else if (what == "throw") {
    throw std::runtime_error("boom");
  } else if (what == "exit") {
    std::exit(0);
  } else if (what == "close") {
    for (int fd = 3; fd < 10; ++fd) ::close(fd);
    for (;;) ::pause();
  } else {
    return false;
  }
  return true;
}

std::string environment() {
  std::string out = "[";
  for (char** entry = environ; *entry; ++entry) {
    out += (out.size() > 1 ? ",\"" : "\"") + std::string(*entry, std::strcspn(*entry, "=")) + '"';
  }
  return out + "]";
}

/// A file `slow` beside the library (its copy, that is) says so.
bool is_slow_now() {
  Dl_info own{};
  if (::dladdr(&kDescriptor, &own) == 0) return false;
  const std::string path = own.dli_fname;
  return ::access((path.substr(0, path.rfind('/')) + "/slow").c_str(), F_OK) == 0;
}

[[maybe_unused]] int32_t describe(runyard_emit_fn emit, void* context) {
  const std::string_view what = DESCRIBE;
  misbehave(what);
  while (what == "slow" && is_slow_now()) ::usleep(1000);
  if (what == "fail") {
    send(emit, context, "no mood");
    return RUNYARD_FAILED;
  }
  if (what == "garbage") {
    send(emit, context, "{\"type\": 3");
  } else if (what == "not_utf8") {
    send(emit, context, "{\"type\": \"\xff\"}");
  } else {
    // In two parts: a text may come in any number of them.
    const std::string_view text = kDescriptor;
    send(emit, context, text.substr(0, 10));
    send(emit, context, text.substr(10));
  }
  return RUNYARD_OK;
}

[[maybe_unused]] int32_t argv(const char* params, size_t size, runyard_emit_fn emit,
                              void* context) {
  const std::string_view text(params, size);
  const auto input = [&](const std::string& name) {
    const std::string head = '"' + name + "\":\"";
    const std::size_t found = text.find(head);
    if (found == std::string_view::npos) return std::string();
    const std::size_t at = found + head.size();
    return std::string(text.substr(at, text.find('"', at) - at));
  };
  const std::string what = input("do");
  misbehave(what, input("text"));
  std::string out = "[\"--do\",\"" + what + "\"]";
  int32_t status = RUNYARD_OK;
  if (what == "fail") {
    out = "the plugin has no mood";
    status = RUNYARD_FAILED;
  } else if (what == "invalid") {
    out = R"([{"pointer": "/text", "message": "text does not go with do"}])";
    status = RUNYARD_INVALID;
  } else if (what == "bad_invalid") {
    out = "nonsense";
    status = RUNYARD_INVALID;
  } else if (what == "status") {
    status = 77;
  } else if (what == "version") {
    out = "[\"" VERSION "\"]";
  } else if (what == "flag") {
    out = R"(["--undeclared"])";
  } else if (what == "nul") {
    out = "[\"a\\u0000b\"]";
  } else if (what == "garbage") {
    out = "[\"a\"";
  } else if (what == "not_utf8") {
    out = "[\"\xff\"]";
  } else if (what == "many") {
    out = "[\"\"";
    for (int i = 0; i < 2000; ++i) out += ",\"\"";
    out += "]";
  } else if (what == "flood") {
    for (int i = 0; i < 100; ++i) send(emit, context, std::string(1 << 20, ' '));
  } else if (what == "random") {
    static int calls = 0;
    out = "[\"" + std::to_string(++calls) + "\"]";
  } else if (what == "pid") {
    out = "[\"" + std::to_string(::getpid()) + "\"]";
  } else if (what == "environment") {
    out = environment();
  } else if (what == "inputs") {
    out = "[\"";
    for (const char c : text) {
      if (c == '"') out += '\\';
      out += c;
    }
    out += "\"]";
  }
#ifdef MISSING_DEPENDENCY
  a_function_that_no_library_has();
#endif
  send(emit, context, out);
  return status;
}

}  // namespace

extern "C" RUNYARD_EXPORT const runyard_plugin_v1* GETTER(void);
extern "C" RUNYARD_EXPORT const runyard_plugin_v1* GETTER(void) {
#ifdef NULL_TABLE
  return nullptr;
#else
  static const runyard_plugin_v1 table = {TABLE_SIZE, describe, ARGV};
  return &table;
#endif
}
