#include "core/plugin/workspace_paths.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

namespace runyard {
namespace {

namespace json = boost::json;

Error refuse(std::string why) { return make_error(ErrorKind::kInvalid, std::move(why)); }

/// A folder of the workspace, in normal form; "" when the field is missing.
Result<std::string> folder_field(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  if (!value) return std::string();
  if (!value->is_string()) return refuse("'" + std::string(name) + "' must be a folder's path");
  return Confinement::normalize(value->get_string());
}

/// A path of which the end does not exist yet: the part that exists must be in the workspace, and
/// what comes next must not be a link, which could lead anywhere once its target exists.
Result<> check_missing(const std::string& path, const Confinement& confinement) {
  for (std::size_t end = path.size(); end > 0;) {
    const std::size_t slash = path.rfind('/', end - 1);
    const bool at_top = slash == std::string::npos;
    const std::string parent = at_top ? "." : path.substr(0, slash);
    const std::string name = at_top ? path.substr(0, end) : path.substr(slash + 1, end - slash - 1);
    const auto folder = confinement.open_beneath(parent, Confinement::Kind::kFolder);
    if (folder) {
      struct stat info {};
      if (::fstatat(folder->get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0 &&
          errno == ENOENT) {
        return {};
      }
      return refuse("cannot be used: '" + path.substr(0, end) + "' is a link that leads nowhere");
    }
    if (folder.error().kind != ErrorKind::kNotFound || at_top) return folder.error();
    end = slash;
  }
  return {};
}

}  // namespace

Result<WorkspacePath> parse_workspace_path(const json::value& keyword) {
  const json::object* object = keyword.if_object();
  if (!object) return refuse("must be an object such as {\"kind\": \"file\"}");
  WorkspacePath rule;
  for (const auto& member : *object) {
    const std::string_view key = member.key();
    if (key == "kind") {
      if (member.value() != "file" && member.value() != "dir") {
        return refuse("'kind' must be \"file\" or \"dir\"");
      }
      rule.is_folder = member.value() == "dir";
    } else if (key == "must_exist") {
      if (!member.value().is_bool()) return refuse("'must_exist' must be true or false");
      rule.must_exist = member.value().get_bool();
    } else if (key != "under" && key != "base") {
      return refuse("has no field '" + std::string(key) + "'");
    }
  }
  if (!object->contains("kind")) return refuse("needs a 'kind': \"file\" or \"dir\"");
  auto under = folder_field(*object, "under");
  if (!under) return refuse("'under': " + under.error().message);
  auto base = folder_field(*object, "base");
  if (!base) return refuse("'base': " + base.error().message);
  if (!under->empty() && !base->empty()) return refuse("has either 'under' or 'base', not both");
  rule.under = *under == "." ? "" : std::move(*under);
  rule.base = std::move(*base);
  return rule;
}

Result<std::string> confine(const WorkspacePath& rule, std::string_view value,
                            const Confinement* confinement) {
  std::string path(value);
  if (!rule.base.empty()) {
    if (path.empty() || path == "." || path == ".." ||
        path.find_first_of("/\\") != std::string::npos) {
      return refuse("must be the name of an entry of the folder " + rule.base);
    }
    path = rule.base + "/" + path;
  }
  std::replace(path.begin(), path.end(), '\\', '/');
  auto normal = Confinement::normalize(path);
  if (!normal) return refuse("cannot be used: " + normal.error().message);
  const bool inside = rule.under.empty() || normal->starts_with(rule.under + "/") ||
                      (rule.is_folder && *normal == rule.under);
  if (!inside) return refuse("must be in the folder " + rule.under + "/, not '" + *normal + "'");
  if (confinement) {
    const auto opened = confinement->open_beneath(
        *normal, rule.is_folder ? Confinement::Kind::kFolder : Confinement::Kind::kFile);
    if (!opened && opened.error().kind == ErrorKind::kNotFound && !rule.must_exist) {
      if (auto missing = check_missing(*normal, *confinement); !missing) return missing.error();
    } else if (!opened) {
      return refuse("cannot be used: " + opened.error().message);
    }
  }
  return rule.base.empty() ? std::move(*normal) : std::string(value);
}

}  // namespace runyard
