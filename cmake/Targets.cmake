# runyard_add_library(name SOURCES ... DEPENDS ...): one static library for each folder of core and api.
# The DEPENDS lines are the arrows of docs/architecture.md; there is no cycle.
function(runyard_add_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC runyard_options ${ARG_DEPENDS})
endfunction()

# runyard_add_test(name SOURCES ... DEPENDS ...): one GoogleTest program, registered with CTest.
function(runyard_add_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE runyard_options ${ARG_DEPENDS} GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS unit TIMEOUT 300)
endfunction()
