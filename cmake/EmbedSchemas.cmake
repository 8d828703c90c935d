# cmake -DOUTPUT=<file.cpp> -P EmbedSchemas.cmake <file.json>...
# Writes the API's schema files into one C++ file; one that is not JSON ends the build.
set(texts "")
math(EXPR last "${CMAKE_ARGC} - 1")
foreach(i RANGE ${last})
  set(argument "${CMAKE_ARGV${i}}")
  if(argument MATCHES "\\.json$")
    file(READ "${argument}" text)
    string(JSON type ERROR_VARIABLE error TYPE "${text}" schemas)
    if(error)
      message(FATAL_ERROR "${argument}: not a JSON object with \"schemas\": ${error}")
    endif()
    string(APPEND texts "R\"json(${text})json\",\n")
  endif()
endforeach()
file(WRITE "${OUTPUT}"
  "// Made from api/schemas by the build.\n"
  "#include \"api/openapi.h\"\n"
  "namespace runyard {\n"
  "const std::vector<std::string_view>& schema_files() {\n"
  "static const std::vector<std::string_view> all = {\n${texts}};\n"
  "return all;\n}\n}  // namespace runyard\n")
