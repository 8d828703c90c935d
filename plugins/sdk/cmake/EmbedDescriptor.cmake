# cmake -DTYPE=<type> -DINPUT=<schema.json> -DOUTPUT=<file.c> -P EmbedDescriptor.cmake
# Writes the JSON file as a C array; a file that is not JSON, or of another type, ends the build.
file(READ "${INPUT}" text)
string(JSON described ERROR_VARIABLE error GET "${text}" type)
if(error)
  message(FATAL_ERROR "${INPUT}: not a JSON object with a \"type\": ${error}")
endif()
if(NOT described STREQUAL TYPE)
  message(FATAL_ERROR "${INPUT}: its \"type\" is '${described}', but the plugin is '${TYPE}'")
endif()

file(READ "${INPUT}" bytes HEX)
string(LENGTH "${bytes}" size)
math(EXPR size "${size} / 2")
string(REGEX REPLACE "(................................)" "\\1\n" bytes "${bytes}")
# Character literals: a byte above 127 as a number would be narrowed where char is signed.
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${bytes}")
file(WRITE "${OUTPUT}"
  "/* Made from schema.json by runyard_add_plugin(). */\n"
  "#include <runyard/plugin.h>\n"
  "const char runyard_descriptor[] = {\n${bytes}\n};\n"
  "const size_t runyard_descriptor_size = ${size};\n")
