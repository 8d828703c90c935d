# runyard_add_plugin(<type> SOURCES <file>... SCHEMA <schema.json> [TESTS])
#
# A plugin: a module library `<type>.so` in `<build>/plugins`, with its schema.json embedded. Works
# inside this source tree (the project's warnings; never its sanitizers, as the plugin host and not
# the test program loads it) and outside, where it needs nothing but a compiler.
#
# TESTS adds a test `plugin_<type>` for ctest: the library keeps the rules of the server
# (`runyard plugin check`), also with random inputs.
#
# RUNYARD_PLUGIN_OUTPUT_DIRECTORY, when set, replaces `<build>/plugins`.

set(_runyard_sdk_dir "${CMAKE_CURRENT_LIST_DIR}" CACHE INTERNAL "Where RunyardPlugin.cmake is")

if(NOT TARGET runyard_sdk)
  add_library(runyard_sdk INTERFACE)
  # The package says where its headers are; in the source tree they are beside this folder.
  if(NOT RUNYARD_INCLUDE_DIR)
    get_filename_component(RUNYARD_INCLUDE_DIR "${CMAKE_CURRENT_LIST_DIR}/../include" ABSOLUTE)
  endif()
  target_include_directories(runyard_sdk INTERFACE "${RUNYARD_INCLUDE_DIR}")
  get_property(_runyard_languages GLOBAL PROPERTY ENABLED_LANGUAGES)
  if("CXX" IN_LIST _runyard_languages)
    target_compile_features(runyard_sdk INTERFACE cxx_std_17)
  endif()
endif()

function(runyard_add_plugin type)
  cmake_parse_arguments(ARG "TESTS" "SCHEMA" "SOURCES" ${ARGN})
  if(NOT ARG_SOURCES OR NOT ARG_SCHEMA OR ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "runyard_add_plugin(<type> SOURCES <file>... SCHEMA <schema.json> [TESTS])")
  endif()
  if(NOT type MATCHES "^[a-z][a-z0-9_]*$")
    message(FATAL_ERROR "runyard_add_plugin: the type '${type}' must match [a-z][a-z0-9_]*")
  endif()
  get_filename_component(schema "${ARG_SCHEMA}" ABSOLUTE)
  get_property(languages GLOBAL PROPERTY ENABLED_LANGUAGES)
  set(language c)
  if("CXX" IN_LIST languages)
    set(language cpp)
  endif()
  set(embedded "${CMAKE_CURRENT_BINARY_DIR}/${type}_descriptor.${language}")
  add_custom_command(
    OUTPUT "${embedded}"
    COMMAND "${CMAKE_COMMAND}" -DTYPE=${type} "-DINPUT=${schema}" "-DOUTPUT=${embedded}"
            -P "${_runyard_sdk_dir}/EmbedDescriptor.cmake"
    DEPENDS "${schema}" "${_runyard_sdk_dir}/EmbedDescriptor.cmake"
    COMMENT "Embedding ${ARG_SCHEMA} in plugin ${type}"
    VERBATIM)

  set(target runyard_plugin_${type})
  add_library(${target} MODULE ${ARG_SOURCES} "${embedded}")
  set(folder "${CMAKE_BINARY_DIR}/plugins")
  if(RUNYARD_PLUGIN_OUTPUT_DIRECTORY)
    set(folder "${RUNYARD_PLUGIN_OUTPUT_DIRECTORY}")
  endif()
  set_target_properties(${target} PROPERTIES
    PREFIX "" OUTPUT_NAME ${type} SUFFIX ".so"
    LIBRARY_OUTPUT_DIRECTORY "${folder}"
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    POSITION_INDEPENDENT_CODE ON)
  target_link_libraries(${target} PRIVATE runyard_sdk $<TARGET_NAME_IF_EXISTS:runyard_warnings>)
  # Unique symbols would be shared between two versions of one plugin in a process.
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-gnu-unique>)
  # One exported function; and what a plugin lacks is an error here, not when it is loaded.
  target_link_options(${target} PRIVATE
    -Wl,--version-script=${_runyard_sdk_dir}/plugin.map -Wl,-z,defs)
  if(ARG_TESTS)
    set(program runyard)  # the target of the source tree
    if(RUNYARD_PROGRAM)
      set(program "${RUNYARD_PROGRAM}")
    endif()
    add_test(NAME plugin_${type}
             COMMAND ${program} plugin check --tries 10000 "$<TARGET_FILE:${target}>")
    set_tests_properties(plugin_${type} PROPERTIES LABELS plugin TIMEOUT 300)
  endif()
  # The server loads only files that nobody but their owner can write, whatever the umask.
  add_custom_command(TARGET ${target} POST_BUILD COMMAND chmod go-w "$<TARGET_FILE:${target}>"
                     VERBATIM)
endfunction()
