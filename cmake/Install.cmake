# cmake --install <build> --prefix <prefix>: what runs, what plugins are built with, what helps. The
# programs and plugins are installed where they are made (cli, core/exec/shim, plugins). The folders
# are the same on every system: `runyard` finds what belongs to it from its own place.
include(CMakePackageConfigHelpers)

set(sdk ${PROJECT_SOURCE_DIR}/plugins/sdk)
set(package lib/cmake/Runyard)
configure_package_config_file(${sdk}/cmake/RunyardConfig.cmake.in
  ${PROJECT_BINARY_DIR}/RunyardConfig.cmake INSTALL_DESTINATION ${package})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/RunyardConfigVersion.cmake
  COMPATIBILITY SameMajorVersion)
install(FILES ${PROJECT_BINARY_DIR}/RunyardConfig.cmake
  ${PROJECT_BINARY_DIR}/RunyardConfigVersion.cmake ${sdk}/cmake/RunyardPlugin.cmake
  ${sdk}/cmake/EmbedDescriptor.cmake ${sdk}/cmake/plugin.map DESTINATION ${package})
install(DIRECTORY ${sdk}/include/runyard DESTINATION include)

install(FILES ${PROJECT_SOURCE_DIR}/configs/runyard.yaml DESTINATION share/runyard)
configure_file(${PROJECT_SOURCE_DIR}/cmake/runyard.service.in
  ${PROJECT_BINARY_DIR}/runyard.service.in COPYONLY)
# The unit names the program where it is installed, which is known only then.
install(CODE "
  set(RUNYARD_PREFIX \"\${CMAKE_INSTALL_PREFIX}\")
  configure_file(${PROJECT_BINARY_DIR}/runyard.service.in
    \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/share/runyard/runyard.service\" @ONLY)")
install(DIRECTORY ${PROJECT_SOURCE_DIR}/docs/ DESTINATION share/doc/runyard
  FILES_MATCHING PATTERN "*.md" PATTERN "test-log.md" EXCLUDE)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION share/doc/runyard)
# What `npm run build` has made, if it was run.
install(DIRECTORY ${PROJECT_SOURCE_DIR}/build/web/ DESTINATION share/runyard/web OPTIONAL)
