// Every broken library is listed with its reason; the others load; this process never notices.

#include <sys/stat.h>

#include "registry_fixture.h"

namespace runyard {
namespace {

class BadPlugins : public RegistryFixture {
 protected:
  /// The reason for which the library is refused, while a good one beside it is offered.
  std::string reason_of(const std::string& file) {
    drop("scripted", "a_good.so");
    drop("plain_c", "z_good.so");
    rescan();
    EXPECT_EQ(types(), (std::vector<std::string>{"plain_c", "scripted"})) << file;
    EXPECT_TRUE(argv("ok")) << file;
    const PluginInfo bad = info(file);
    EXPECT_EQ(bad.state, PluginState::kQuarantined) << file;
    return bad.reason;
  }
};

struct Case {
  const char* plugin;
  const char* says;
};

class BadPlugin : public BadPlugins, public testing::WithParamInterface<Case> {};

TEST_P(BadPlugin, IsQuarantinedWithItsReason) {
  if (std::string_view(GetParam().plugin) == "loop_in_describe") {
    config_.probe_deadline = std::chrono::seconds(3);
  }
  drop(GetParam().plugin);
  const std::string reason = reason_of(std::string(GetParam().plugin) + ".so");
  EXPECT_NE(reason.find(GetParam().says), std::string::npos) << "it says: " << reason;
}

INSTANTIATE_TEST_SUITE_P(
    All, BadPlugin,
    testing::Values(
        Case{"wrong_major", "built for version 2 of the plugin ABI, this server speaks 1"},
        Case{"no_symbol", "does not export runyard_plugin_v1_get: it is no Runyard plugin"},
        Case{"hidden_symbol", "does not export runyard_plugin_v1_get"},
        Case{"null_table", "runyard_plugin_v1_get returned no table"},
        Case{"truncated_table", "its function table has 16 bytes, at least 24 are needed"},
        Case{"null_function", "its function table has an empty entry"},
        Case{"missing_dependency", "undefined symbol: a_function_that_no_library_has"},
        Case{"crash_in_constructor", "describe() crashed (Aborted)"},
        Case{"crash_in_describe", "describe() crashed (Segmentation fault)"},
        Case{"loop_in_describe", "describe() did not answer within its time limit"},
        Case{"throw_in_describe", "describe() failed: an exception crossed the ABI: boom"},
        Case{"fail_in_describe", "describe() failed: no mood"},
        Case{"garbage_descriptor", "the descriptor is not JSON"},
        Case{"not_utf8", "it emitted text that is not UTF-8"},
        Case{"crash_on_example", "argv() of examples[0] crashed (Segmentation fault)"},
        Case{"random_arguments", "argv() of examples[0] gives another command each time"},
        Case{"undeclared_flag",
             "'--undeclared' begins with '-' and is not among its declared flags"},
        Case{"example_does_not_fit", "examples[0] does not fit its own input schema"},
        Case{"other_program", "program not allowed: 'evil.module'"}),
    [](const auto& one) { return std::string(one.param.plugin); });

std::string content_of(const std::string& name) {
  std::ifstream file(std::filesystem::path(RUNYARD_TEST_PLUGINS) / (name + ".so"),
                     std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST_F(BadPlugins, ATextFile) {
  write("bad.so", "#!/bin/sh\necho hello\n");
  EXPECT_EQ(reason_of("bad.so"), "the file is no ELF library");
}

TEST_F(BadPlugins, AnEmptyFile) {
  write("bad.so", "");
  EXPECT_EQ(reason_of("bad.so"), "the file is empty");
}

TEST_F(BadPlugins, ATruncatedLibrary) {
  const std::string whole = content_of("other_type");
  write("bad.so", whole.substr(0, whole.size() / 2));
  EXPECT_EQ(reason_of("bad.so"), "the file is incomplete: copy it again");
  write("bad.so", whole.substr(0, 20));
  EXPECT_EQ(reason_of("bad.so"), "the file is incomplete: copy it again");
}

TEST_F(BadPlugins, ALibraryOfAnotherMachine) {
  std::string other = content_of("other_type");
  other[18] = '\xF3';  // e_machine: RISC-V
  other[19] = '\x00';
  write("bad.so", other);
  EXPECT_NE(reason_of("bad.so").find("another kind of machine"), std::string::npos);
}

TEST_F(BadPlugins, ALibraryWithNonsenseInIt) {
  std::string torn = content_of("other_type");
  for (std::size_t i = 64; i < torn.size() / 2; ++i) torn[i] = static_cast<char>(i * 31);
  write("bad.so", torn);
  EXPECT_NE(reason_of("bad.so"), "");
}

TEST_F(BadPlugins, AFileThatOthersCanWrite) {
  drop("other_type");
  ::chmod((folder_ / "other_type.so").c_str(), 0664);
  EXPECT_NE(reason_of("other_type.so").find("chmod go-w"), std::string::npos);
}

TEST_F(BadPlugins, AFileOfAnotherUser) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  drop("other_type");
  ASSERT_EQ(::chown((folder_ / "other_type.so").c_str(), 12345, 12345), 0);
  EXPECT_NE(reason_of("other_type.so").find("belongs to another user"), std::string::npos);
}

TEST_F(BadPlugins, AFifoAndAFolderAndADanglingLink) {
  ::mkfifo((folder_ / "bad.so").c_str(), 0600);
  std::filesystem::create_directory(folder_ / "folder.so");
  std::filesystem::create_symlink("/nowhere", folder_ / "link.so");
  EXPECT_NE(reason_of("bad.so").find("no regular file"), std::string::npos);
  EXPECT_NE(info("folder.so").reason.find("no regular file"), std::string::npos);
}

TEST_F(BadPlugins, TheConfigurationLineForAProgramHelps) {
  drop("other_program");
  const std::string reason = reason_of("other_program.so");
  EXPECT_NE(reason.find("plugins: {allow: ['scripts.*', 'evil.module']}"), std::string::npos)
      << reason;
  registry().set_allow({"scripts.*", "evil.module"});
  EXPECT_TRUE(rescan());
  EXPECT_EQ(info("other_program.so").state, PluginState::kLoaded);
}

}  // namespace
}  // namespace runyard
