# Precompiled headers: what nearly every file includes and what costs most, once for all our libraries,
# once for the tests, once for the commands. A file still includes what it uses; the build would work
# without them.
function(runyard_add_pch name)
  cmake_parse_arguments(ARG "" "" "HEADERS;DEPENDS" ${ARGN})
  add_library(${name} STATIC ${PROJECT_SOURCE_DIR}/cmake/pch.cpp)
  target_link_libraries(${name} PUBLIC runyard_options fmt::fmt spdlog::spdlog Boost::json ${ARG_DEPENDS})
  target_precompile_headers(${name} PRIVATE
    <algorithm> <chrono> <filesystem> <functional> <map> <memory> <mutex> <optional> <string>
    <string_view> <thread> <unordered_map> <vector>
    <fmt/format.h> <spdlog/spdlog.h> <boost/json.hpp> <boost/system/result.hpp> ${ARG_HEADERS})
endfunction()
runyard_add_pch(runyard_pch)
runyard_add_pch(runyard_cli_pch HEADERS <CLI/CLI.hpp>)
if(TARGET GTest::gtest)
  runyard_add_pch(runyard_test_pch HEADERS <fstream> <sstream> <gtest/gtest.h> DEPENDS GTest::gtest)
  set_target_properties(runyard_test_pch PROPERTIES EXCLUDE_FROM_ALL ON)
endif()

# runyard_add_library(name SOURCES ... DEPENDS ... [PCH ...]): one static library for each folder of core
# and api. The DEPENDS lines are the arrows of docs/architecture.md; there is no cycle.
function(runyard_add_library name)
  cmake_parse_arguments(ARG "" "PCH" "SOURCES;DEPENDS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC runyard_options ${ARG_DEPENDS})
  target_link_libraries(${name} PRIVATE fmt::fmt spdlog::spdlog Boost::json)
  if(NOT ARG_PCH)
    set(ARG_PCH runyard_pch)
  endif()
  target_precompile_headers(${name} REUSE_FROM ${ARG_PCH})
endfunction()

# What tests need is not in `all`. test_programs: for the tests that run the built programs (Python,
# browser). runyard_tests: all that ctest runs, too.
add_custom_target(test_programs)
add_custom_target(runyard_tests DEPENDS test_programs)

# runyard_add_test(name SOURCES ... DEPENDS ...): one GoogleTest program, registered with CTest.
function(runyard_add_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE
    runyard_options ${ARG_DEPENDS} fmt::fmt spdlog::spdlog Boost::json GTest::gtest_main)
  target_precompile_headers(${name} REUSE_FROM runyard_test_pch)
  add_dependencies(runyard_tests ${name})
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS unit TIMEOUT 300)
endfunction()
