#include <boost/json.hpp>

#include "api/routes.h"
#include "core/workspace/file_list.h"

namespace runyard {
namespace {

constexpr std::int64_t kMaxFiles = 5000;

Reply files(JobService& service, const Call& call) {
  FileQuery query;
  query.under = read_text(call, "under");
  query.text = read_text(call, "q");
  const std::string kind = read_text(call, "kind");
  if (kind != "" && kind != "file" && kind != "dir") {
    return problem(invalid_field("/kind", "'kind' is file or dir"));
  }
  query.folders = kind == "dir";
  const auto limit = read_number(call, "limit", 500, 1, kMaxFiles);
  if (!limit) return problem(limit.error());
  query.limit = static_cast<std::size_t>(*limit);
  const auto found = list_files(service.confinement(), query);
  if (!found) return problem(found.error());
  boost::json::array list;
  for (const auto& path : found->paths) list.push_back(boost::json::object{{"path", path}});
  Reply reply = json_reply(list);
  reply.headers.emplace_back("X-Total-Count", std::to_string(found->total));
  reply.headers.emplace_back("X-Complete", found->is_complete ? "true" : "false");
  return reply;
}

}  // namespace

std::vector<Route> file_routes(JobService& service) {
  return {
      {"GET", "/api/files", Role::kViewer, "Files of the workspace, to choose from",
       [&service](const Call& call) { return files(service, call); },
       answers("WorkspaceFile[]")
           .sends("X-Total-Count")
           .sends("X-Complete")
           .query(query_text("under", "A folder of the workspace"))
           .query(query_choice("kind", {"file", "dir"}))
           .query(query_text("q", "A text in the path"))
           .query(query_integer("limit", 1, kMaxFiles, 500))},
  };
}

}  // namespace runyard
