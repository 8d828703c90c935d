#pragma once

#include <runyard/plugin.h>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace boost::dll {
class shared_library;
}

namespace runyard {

/// One loaded library, in the plugin host only. Used by its one calling thread.
class PluginLibrary {
 public:
  /// Loads the file and checks the ABI before anything of it is called: the exported name's major,
  /// the table's size and its functions. What is wrong is in error().
  explicit PluginLibrary(const std::filesystem::path& path);
  ~PluginLibrary();

  /// Empty when the library can be called; else why not, as a sentence.
  const std::string& error() const { return error_; }
  /// The major that its exported name carries; 0: none.
  int abi() const { return abi_; }

  struct Answer {
    int status;
    std::string text;
  };
  Answer describe() const;
  Answer argv(std::string_view params) const;

 private:
  std::unique_ptr<boost::dll::shared_library> library_;
  const runyard_plugin_v1* table_ = nullptr;
  int abi_ = 0;
  std::string error_;
};

}  // namespace runyard
