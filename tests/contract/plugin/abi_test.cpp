// The ABI as it was released. A line of the fixture never changes: a new function goes to the end
// of the table, which adds a line and changes that of the size; anything else needs a new major
// (docs/plugin-guide.md, "The ABI").

#include <gtest/gtest.h>
#include <runyard/plugin.h>

#include <cstddef>
#include <fstream>
#include <iterator>
#include <sstream>

namespace {

std::string layout() {
  std::ostringstream out;
  out << "major " << RUNYARD_ABI_MAJOR << "\n"
      << "runyard_plugin_v1 size " << sizeof(runyard_plugin_v1) << "\n";
#define FIELD(name)                                                   \
  out << #name << " at " << offsetof(runyard_plugin_v1, name) << ", " \
      << sizeof(runyard_plugin_v1::name) << " bytes\n"
  FIELD(size);
  FIELD(describe);
  FIELD(argv);
#undef FIELD
  out << "RUNYARD_OK " << RUNYARD_OK << "\nRUNYARD_INVALID " << RUNYARD_INVALID
      << "\nRUNYARD_FAILED " << RUNYARD_FAILED << "\n";
  return out.str();
}

TEST(Abi, IsTheOneThatWasReleased) {
  std::ifstream file(RUNYARD_FIXTURES "/abi/v1.txt");
  const std::string released{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(layout(), released);
}

}  // namespace
