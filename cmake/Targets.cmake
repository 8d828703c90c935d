# One precompiled header for all our libraries: what nearly every file includes and what costs most.
# A file still includes what it uses; the build would work without this.
add_library(runyard_pch STATIC ${PROJECT_SOURCE_DIR}/cmake/pch.cpp)
target_link_libraries(runyard_pch PUBLIC runyard_options fmt::fmt spdlog::spdlog Boost::json)
target_precompile_headers(runyard_pch PRIVATE
  <algorithm> <chrono> <filesystem> <functional> <map> <memory> <mutex> <optional> <string>
  <string_view> <thread> <unordered_map> <vector>
  <fmt/format.h> <spdlog/spdlog.h> <boost/json.hpp> <boost/system/result.hpp>)

# runyard_add_library(name SOURCES ... DEPENDS ...): one static library for each folder of core and api.
# The DEPENDS lines are the arrows of docs/architecture.md; there is no cycle.
function(runyard_add_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC runyard_options ${ARG_DEPENDS})
  target_link_libraries(${name} PRIVATE fmt::fmt spdlog::spdlog Boost::json)
  target_precompile_headers(${name} REUSE_FROM runyard_pch)
endfunction()

# All GoogleTest programs.
add_custom_target(runyard_unit_tests)

# runyard_add_test(name SOURCES ... DEPENDS ...): one GoogleTest program, registered with CTest.
function(runyard_add_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE runyard_options ${ARG_DEPENDS} GTest::gtest_main)
  add_dependencies(runyard_unit_tests ${name})
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS unit TIMEOUT 300)
endfunction()
