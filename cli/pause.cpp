#include "cli/commands.h"
#include "cli/output.h"
#include "cli/queue_text.h"

namespace runyard::cli {
namespace {

/// pause, resume and drain differ in their name alone.
int change_queue(const std::string& verb, const std::string& description, const Args& args) {
  Command command("runyard " + verb, description);
  if (auto code = command.parse(args)) return *code;
  auto api = command.connect();
  if (!api) return fail(api.error());
  auto queue = api->post("/api/admin/queue/" + verb, {});
  if (!queue) return fail(queue.error());
  if (command.json()) {
    print_json(*queue);
  } else if (const auto* object = queue->if_object()) {
    print(queue_line(*object) + "\n");
  }
  return kOk;
}

}  // namespace

int run_pause(const Args& args) {
  return change_queue(
      "pause", "Start no more jobs. New ones are accepted and wait; what runs goes on.", args);
}

int run_resume(const Args& args) {
  return change_queue("resume", "Accept and start jobs again, after a pause or a drain.", args);
}

int run_drain(const Args& args) {
  return change_queue(
      "drain", "Accept no more jobs and start none; what runs goes on. Before a shutdown.", args);
}

}  // namespace runyard::cli
