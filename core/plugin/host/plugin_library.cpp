#include "core/plugin/host/plugin_library.h"

#include <fmt/format.h>

// The only file that includes Boost.DLL.
#include <boost/dll/library_info.hpp>
#include <boost/dll/shared_library.hpp>
#include <charconv>
#include <exception>

#include "core/base/text.h"
#include "core/plugin/frame.h"

namespace runyard {
namespace {

constexpr const char* kSymbol = "runyard_plugin_v1_get";

/// N of an exported `runyard_plugin_v<N>_get`; the one this host speaks before any other; 0: none.
int exported_major(const std::filesystem::path& path) {
  int major = 0;
  boost::dll::library_info info(path.string());
  for (const std::string& name : info.symbols()) {
    constexpr std::string_view kHead = "runyard_plugin_v";
    constexpr std::string_view kTail = "_get";
    if (!name.starts_with(kHead) || !name.ends_with(kTail)) continue;
    const char* const first = name.data() + kHead.size();
    const char* const last = name.data() + name.size() - kTail.size();
    int found = 0;
    const auto read = std::from_chars(first, last, found);
    if (read.ec != std::errc() || read.ptr != last) continue;
    if (found == RUNYARD_ABI_MAJOR) return found;
    major = found;
  }
  return major;
}

/// What the dynamic loader said, out of the sentence that Boost.DLL wraps around it.
std::string loader_message(std::string_view what) {
  constexpr std::string_view kHead = "dlerror system message: ";
  const std::size_t head = what.find(kHead);
  if (head == std::string_view::npos) return std::string(what);
  what.remove_prefix(head + kHead.size());
  return std::string(what.substr(0, what.rfind("): ")));
}

/// Collects what a call emits; nothing may be thrown through the plugin's frames.
struct Emitted {
  std::string text;
  bool too_much = false;
};

void collect(void* context, const char* data, size_t size) noexcept {
  auto& emitted = *static_cast<Emitted*>(context);
  if (size > kMaxEmitted - emitted.text.size()) {
    emitted.too_much = true;
  } else if (size > 0) {
    emitted.text.append(data, size);
  }
}

template <class Call>
PluginLibrary::Answer answer_of(Call call) {
  Emitted emitted;
  int status = RUNYARD_FAILED;
  try {
    status = call(&emitted);
  } catch (const std::exception& error) {
    return {RUNYARD_FAILED, std::string("an exception crossed the ABI: ") + error.what()};
  } catch (...) {
    return {RUNYARD_FAILED, "an exception crossed the ABI"};
  }
  if (emitted.too_much) {
    return {RUNYARD_FAILED,
            "it emitted more than " + std::to_string(kMaxEmitted) + " bytes in one call"};
  }
  if (status < RUNYARD_OK || status > RUNYARD_FAILED) {
    return {RUNYARD_FAILED, "it answered with the unknown status " + std::to_string(status)};
  }
  if (sanitize_utf8(emitted.text) != emitted.text) {
    return {RUNYARD_FAILED, "it emitted text that is not UTF-8"};
  }
  return {status, std::move(emitted.text)};
}

}  // namespace

PluginLibrary::PluginLibrary(const std::filesystem::path& path)
    : library_(std::make_unique<boost::dll::shared_library>()) {
  try {
    abi_ = exported_major(path);
  } catch (const std::exception& error) {
    error_ = std::string("it is no ELF library that can be read: ") + error.what();
    return;
  }
  if (abi_ == 0) {
    error_ = fmt::format("it does not export {}: it is no Runyard plugin", kSymbol);
    return;
  }
  if (abi_ != RUNYARD_ABI_MAJOR) {
    error_ = "it was built for version " + std::to_string(abi_) +
             " of the plugin ABI, this server speaks " + std::to_string(RUNYARD_ABI_MAJOR) +
             ": build it with the SDK of this server";
    return;
  }
  try {
    library_->load(path.string(),
                   boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local);
    table_ = library_->get<const runyard_plugin_v1*()>(kSymbol)();
  } catch (const std::exception& error) {
    error_ = "it cannot be loaded: " + loader_message(error.what());
    return;
  }
  if (!table_) {
    error_ = fmt::format("{} returned no table", kSymbol);
  } else if (table_->size < sizeof(runyard_plugin_v1)) {
    error_ = "its function table has " + std::to_string(table_->size) + " bytes, at least " +
             std::to_string(sizeof(runyard_plugin_v1)) + " are needed";
  } else if (!table_->describe || !table_->argv) {
    error_ = "its function table has an empty entry: describe and argv are both needed";
  }
}

PluginLibrary::~PluginLibrary() = default;

PluginLibrary::Answer PluginLibrary::describe() const {
  return answer_of([&](void* context) { return table_->describe(&collect, context); });
}

PluginLibrary::Answer PluginLibrary::argv(std::string_view params) const {
  return answer_of(
      [&](void* context) { return table_->argv(params.data(), params.size(), &collect, context); });
}

}  // namespace runyard
