# Compile and link options of every target of this project: warnings are errors, and the chosen
# sanitizers. The shim and the plugins link `runyard_warnings` only (see core/exec/shim).
add_library(runyard_warnings INTERFACE)
target_compile_options(runyard_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wimplicit-fallthrough -Werror
  $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor -Woverloaded-virtual>
  # g++ 12 reports false positives of these in the standard library and Boost at -O2.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized -Wno-restrict -Wno-array-bounds
  -Wno-stringop-overflow -Wno-stringop-overread>
  # Files of a folder are compiled together (unity builds), so that none of them is "the main file".
  $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-subobject-linkage>)

add_library(runyard_options INTERFACE)
target_link_libraries(runyard_options INTERFACE runyard_warnings Threads::Threads)
target_include_directories(runyard_options INTERFACE ${PROJECT_SOURCE_DIR})
# All users of a precompiled header must be compiled alike; re2.pc asks for -pthread.
target_compile_options(runyard_options INTERFACE -pthread -fPIC)
if(RUNYARD_SANITIZE)
  target_compile_options(runyard_options INTERFACE
    -fsanitize=${RUNYARD_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(runyard_options INTERFACE -fsanitize=${RUNYARD_SANITIZE})
endif()
if(RUNYARD_FUZZ)  # with clang, whose warnings are others; g++ is the compiler that decides
  target_compile_options(runyard_warnings INTERFACE -Wno-error)
  target_compile_options(runyard_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(RUNYARD_SANITIZE MATCHES "thread")
  # This sanitizer does not know fences; Asio hands work over under mutexes, which it does know.
  target_compile_definitions(runyard_options INTERFACE BOOST_ASIO_DISABLE_FENCED_BLOCK)
  target_compile_options(runyard_options INTERFACE -Wno-tsan)
endif()
if(RUNYARD_KILL_POINTS)
  target_compile_definitions(runyard_options INTERFACE RUNYARD_KILL_POINTS)
endif()
