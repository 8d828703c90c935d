#include "core/workspace/file_list.h"

#include <algorithm>
#include <deque>
#include <set>

#include "core/base/text.h"
#include "core/workspace/file_cache.h"

namespace runyard {
namespace {

constexpr int kDeepestFolder = 16;

bool is_shown(const std::string& name) {
  return !name.starts_with('.') && name != "__pycache__" && sanitize_utf8(name) == name &&
         Confinement::normalize(name).has_value();
}

bool contains(std::string_view path, std::string_view text) {
  return std::search(path.begin(), path.end(), text.begin(), text.end(),
                     [](unsigned char a, unsigned char b) {
                       return std::tolower(a) == std::tolower(b);
                     }) != path.end();
}

}  // namespace

Result<FileList> list_files(const Confinement& confinement, const FileQuery& query) {
  auto top = Folder::open(confinement, query.under.empty() ? "." : query.under);
  FileList list;
  if (!top && top.error().kind == ErrorKind::kNotFound) return list;
  if (!top) return top.error();
  const auto under = Confinement::normalize(top->path());
  if (!under) return under.error();
  // What is hidden is hidden when it is asked for by name, too.
  const bool is_top = *under == ".";
  if (!is_top && ("/" + *under).find("/.") != std::string::npos) return list;

  struct Place {
    std::string path;
    int depth;
  };
  std::deque<Place> waiting{{*under, 0}};
  std::set<std::pair<dev_t, ino_t>> seen;  // a link may lead back
  std::size_t looked_at = 0;
  while (!waiting.empty() && list.is_complete) {
    const Place place = std::move(waiting.front());
    waiting.pop_front();
    const auto folder = Folder::open(confinement, place.path);
    if (!folder) continue;  // it is gone, or leads out of the workspace
    const auto self = folder->identity(".");
    if (!self || !seen.emplace(self->device, self->inode).second) continue;
    auto entries = folder->entries();
    std::sort(entries.begin(), entries.end(),
              [](const auto& a, const auto& b) { return a.name < b.name; });
    for (const auto& entry : entries) {
      if (++looked_at > query.most_looked_at) {
        list.is_complete = false;
        break;
      }
      if (!is_shown(entry.name)) continue;
      const std::string path = folder->path_of(entry.name);
      if (entry.is_link && !(entry.is_folder ? Folder::open(confinement, path).has_value()
                                             : folder->open_file(entry.name).has_value())) {
        continue;
      }
      if (entry.is_folder && place.depth < kDeepestFolder)
        waiting.push_back({path, place.depth + 1});
      if (entry.is_folder == query.folders && contains(path, query.text)) {
        list.paths.push_back(path);
      }
    }
  }
  std::sort(list.paths.begin(), list.paths.end());
  list.total = list.paths.size();
  if (list.paths.size() > query.limit) list.paths.resize(query.limit);
  return list;
}

}  // namespace runyard
