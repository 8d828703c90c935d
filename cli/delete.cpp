#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "cli/commands.h"
#include "cli/output.h"

namespace runyard::cli {

int run_delete(const Args& args) {
  Command command("runyard delete",
                  "Delete jobs that have ended: the record, the log and the JSON file.\n"
                  "What the jobs produced stays.");
  std::vector<std::string> references;
  command.app()
      .add_option("job", references, "The jobs: ids or unique parts of ids")
      ->required()
      ->type_name("");
  if (auto code = command.parse(args)) return *code;

  auto api = command.connect();
  if (!api) return fail(api.error());
  auto ids = resolve_all(*api, references);
  if (!ids) return fail(ids.error());
  boost::json::array deleted;
  int code = kOk;
  for (const std::string& id : *ids) {
    if (auto removed = api->remove("/api/jobs/" + id); !removed) {
      code = fail(removed.error());
      continue;
    }
    deleted.emplace_back(id);
    if (!command.json()) print("deleted " + id + "\n");
  }
  if (command.json()) print_json(boost::json::object{{"deleted", std::move(deleted)}});
  return code;
}

}  // namespace runyard::cli
