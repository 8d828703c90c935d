// What a submit does with a body before anything is queued: JSON, `_job`, bounds, defaults, schema
// and paths, for the job types that come along. The first line of the input is the job type.
#include <boost/json.hpp>
#include <fstream>
#include <map>
#include <sstream>

#include "api/http.h"
#include "core/plugin/descriptor.h"
#include "core/plugin/schema.h"
#include "core/service/job_service.h"
#include "tests/fuzz/input.h"

namespace {

using namespace runyard;
using fuzz::require;

struct World {
  fuzz::Folder folder;
  std::unique_ptr<JobService> service;
  struct Type {
    JobType type;
    InputSchema schema;
  };
  std::map<std::string, Type, std::less<>> types;

  World() {
    std::filesystem::create_directories(folder.path() / "configs");
    std::ofstream(folder.path() / "configs/base.yaml") << "seed: 1\n";
    std::filesystem::create_directories(folder.path() / "runs/20260217_171416__0e304dfc");
    std::filesystem::create_symlink("/etc", folder.path() / "configs/out");
    Config config;
    config.workspace = folder.path();
    auto opened = JobService::open(std::move(config), {"/bin/false", "/bin/false"});
    require(bool(opened));
    service = std::move(*opened);
    for (const char* name : {"train", "backtest", "eval_metrics", "index_runs"}) {
      std::stringstream text;
      text << std::ifstream(std::string(RUNYARD_SOURCE_DIR "/plugins/") + name + "/schema.json")
                  .rdbuf();
      auto type = parse_descriptor(text.str());
      require(bool(type));
      auto schema = InputSchema::compile(type->input_schema);
      require(bool(schema));
      types.emplace(name, Type{std::move(*type), std::move(*schema)});
    }
  }
};

void check_error(const Error& error) {
  const Reply reply = problem(error);
  require(reply.status == 400 || reply.status == 422);
  boost::system::error_code bad;
  (void)boost::json::parse(reply.body, bad);  // also when it cites the input
  require(!bad && !error.message.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static World world;
  std::string_view input = fuzz::to_text(data, size);
  const auto found = world.types.find(fuzz::take_line(input));
  if (found == world.types.end()) return -1;  // not kept: nothing was tried
  const auto& [type, schema] = found->second;
  Call call;
  call.body = input;
  auto body = read_object(call);
  if (!body) {
    check_error(body.error());
    return 0;
  }
  boost::json::value options;
  if (auto* job = body->if_contains("_job")) {
    options = std::move(*job);
    body->erase("_job");
  }
  if (const auto read = world.service->read_options(type, &options); !read) {
    check_error(read.error());
  }
  const auto checked = schema.check(std::move(*body), world.service->confinement());
  if (!checked) {
    check_error(checked.error());
    return 0;
  }
  // What was accepted is accepted as it came out, and no path of it leaves the workspace.
  const auto again = schema.check(*checked, world.service->confinement());
  require(bool(again) && *again == *checked);
  for (const char* name : {"config_path", "model_path"}) {
    const auto* path = checked->if_contains(name);
    if (!path || !path->is_string()) continue;
    require(path->get_string().find("..") != 0 && path->get_string().front() != '/');
  }
  return 0;
}
