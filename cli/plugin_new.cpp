#include <fmt/format.h>

#include <filesystem>
#include <fstream>

#include "cli/output.h"
#include "cli/plugin_commands.h"
#include "cli/plugin_template.h"
#include "core/plugin/descriptor.h"

namespace runyard::cli {
namespace {

namespace fs = std::filesystem;

bool is_type_name(const std::string& type) {
  const auto small = [](char c) { return c >= 'a' && c <= 'z'; };
  if (type.empty() || type.size() > 64 || !small(type[0])) return false;
  return std::all_of(type.begin(), type.end(),
                     [&](char c) { return small(c) || (c >= '0' && c <= '9') || c == '_'; });
}

/// `model_report`: `ModelReport` for a class, `Model report` for people.
std::string class_name(const std::string& type) {
  std::string out;
  bool upper = true;
  for (const char c : type) {
    if (c != '_') out += upper ? static_cast<char>(std::toupper(c)) : c;
    upper = c == '_';
  }
  return out;
}
std::string title_of(std::string type) {
  std::replace(type.begin(), type.end(), '_', ' ');
  type[0] = static_cast<char>(std::toupper(type[0]));
  return type;
}

std::string replace_all(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

}  // namespace

int run_plugin_new(const Args& args) {
  CLI::App app(
      "Write a repository of a new job type: CMake, plugin.cpp, schema.json, a script, a test and "
      "a\n"
      "README. It builds with nothing but an installed Runyard and a compiler.",
      "runyard plugin new");
  std::string type, folder;
  app.add_option("TYPE", type, "The job type: small letters, digits and '_'")->required();
  app.add_option("FOLDER", folder, "Where to write it [default: a folder with the type's name]");
  if (auto code = parse_args(app, args)) return *code;
  if (!is_type_name(type)) {
    return fail(make_error(ErrorKind::kInvalid,
                           "a job type begins with a small letter and has small letters, digits "
                           "and '_' in it, at most 64, such as model_report"));
  }
  if (is_reserved_slug(default_slug(type))) {
    return fail(make_error(ErrorKind::kInvalid,
                           "'" + type + "' is a name that the API has itself; choose another"));
  }
  const fs::path root = folder.empty() ? fs::path(type) : fs::path(folder);
  std::error_code error;
  if (fs::exists(root, error) && !fs::is_empty(root, error)) {
    return fail(make_error(ErrorKind::kInvalid,
                           root.string() + " is there already, and is not empty; name another "
                                           "folder: runyard plugin new TYPE FOLDER"));
  }
  for (const TemplateFile& file : kPluginTemplate) {
    std::string name(file.path);
    if (name == "gitignore") name = ".gitignore";
    if (name == "scripts/program.py") name = "scripts/" + type + ".py";
    std::string text(file.content);
    text = replace_all(std::move(text), "__TYPE__", type);
    text = replace_all(std::move(text), "__SLUG__", default_slug(type));
    text = replace_all(std::move(text), "__CLASS__", class_name(type));
    text = replace_all(std::move(text), "__TITLE__", title_of(type));
    const fs::path path = root / name;
    fs::create_directories(path.parent_path(), error);
    std::ofstream out(path, std::ios::binary);
    out << text;
    if (!out.flush()) {
      return fail(make_error(ErrorKind::kInternal, "cannot write " + path.string()));
    }
  }
  print(
      fmt::format("Wrote {0}. Next:\n  cmake -S {0} -B {0}/build && cmake --build {0}/build\n"
                  "  runyard plugin check {0}/build/plugins/{1}.so\n",
                  root.string(), type));
  return kOk;
}

}  // namespace runyard::cli
