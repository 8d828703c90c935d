// A request that the HTTP layer has let through: the guard, the router, the query and the handler
// of every route, over a real service without plugins. The input is as on the wire: a request line,
// header lines, an empty line, the body. What a client may never see, a crash, an exception or a
// status that is not documented, is what this looks for.
#include <boost/json.hpp>
#include <fstream>

#include "api/access.h"
#include "api/guard.h"
#include "api/router.h"
#include "api/routes.h"
#include "tests/fuzz/input.h"

namespace {

using namespace runyard;
using fuzz::require;

constexpr const char* kJob = "job_20260101_120000__0123abcd";

struct World {
  fuzz::Folder folder;
  StreamServer streams;
  std::unique_ptr<JobService> service;
  std::unique_ptr<Router> router;
  Guard guard{{.hosts = {"lab.example"}, .origins = {"http://localhost:5173"}}};
  Access open{folder.path(), false};
  Access guarded{folder.path(), true};  // only asked who is calling

  World() {
    const auto records = folder.path() / "reports/jobs";
    std::filesystem::create_directories(records);
    std::ofstream(records / (std::string(kJob) + ".json"))
        << R"({"job_id": ")" << kJob << R"(", "job_type": "train", "status": "FAILED",
               "created_at": "2026-01-01T12:00:00.000Z", "params": {"a": [1, {"b": null}]}})";
    std::ofstream(records / (std::string(kJob) + ".log"))
        << "line\r50%\xff\x1b[31mred\n[ERROR] x\n";
    Config config;
    config.workspace = folder.path();
    auto opened = JobService::open(std::move(config), {"/bin/false", "/bin/false"});
    require(bool(opened));
    service = std::move(*opened);
    router = std::make_unique<Router>(all_routes(*service, open, streams));
  }
};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

/// The call of an input; false when the HTTP layer would have refused it.
bool read(std::string_view input, Call& call, std::string& path, std::string& query) {
  std::string_view line = fuzz::take_line(input);
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos) return false;
  call.method = line.substr(0, space);
  std::string_view target = line.substr(space + 1);
  if (target.empty() || target.front() != '/' || target.size() > 4096) return false;
  for (const char c : target) {
    if (c <= ' ' || c > '~' || c == '#') return false;
  }
  const std::size_t mark = target.find('?');
  path = target.substr(0, mark);
  if (mark != std::string_view::npos) query = target.substr(mark);
  call.headers["host"] = "127.0.0.1";
  for (line = fuzz::take_line(input); !line.empty(); line = fuzz::take_line(input)) {
    const std::size_t colon = line.find(": ");
    if (colon == std::string_view::npos) return false;
    call.headers[lower(line.substr(0, colon))] = line.substr(colon + 2);
  }
  call.body = input;
  return true;
}

void check(const Reply& reply) {
  require(reply.status >= 200 && reply.status < 600);
  require(reply.status < 500 || reply.status == 503 || reply.status == 507);
  for (const auto& [name, value] : reply.headers) {
    require(value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos);
  }
  if (reply.file || reply.stream || reply.content_type.find("json") == std::string::npos) return;
  if (reply.status == 204) return;
  boost::system::error_code error;
  (void)boost::json::parse(reply.body, error);
  require(!error);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static World world;
  Call call;
  std::string path, query;
  if (!read(fuzz::to_text(data, size), call, path, query)) return -1;
  // The chain of HttpServer::Impl::pass.
  const auto match = world.router->find(call.method, path);
  call.target = path;
  call.path = match.path;
  const bool is_stream = match.route && match.route->doc.is_stream();
  if (const auto refused = world.guard.check(call, is_stream)) {
    check(*refused);
    return 0;
  }
  if (const auto refused = world.guarded.admit(call, match.route)) check(*refused);
  if (const auto refused = world.open.admit(call, match.route)) check(*refused);
  if (decode_query(query, call.query) && match.route) check(match.route->handler(call));
  return 0;
}
