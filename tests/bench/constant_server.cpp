// The reference for small answers: the same HTTP layer (Pistache with the replaced members) that
// answers each request with one constant text.
// usage: constant_server WORKERS FILE   prints `port N` when it listens; ends on SIGTERM
#include <pistache/endpoint.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

namespace {

std::string g_text;

class Constant : public Pistache::Http::Handler {
 public:
  HTTP_PROTOTYPE(Constant)
  void onRequest(const Pistache::Http::Request&, Pistache::Http::ResponseWriter writer) override {
    writer.send(Pistache::Http::Code::Ok, g_text, MIME(Application, Json));
  }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  std::ifstream file(argv[2], std::ios::binary);
  g_text.assign(std::istreambuf_iterator<char>(file), {});
  std::signal(SIGPIPE, SIG_IGN);
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &stop, nullptr);
  using namespace Pistache;
  const auto flags = Flags<Tcp::Options>(Tcp::Options::ReuseAddr) | Tcp::Options::NoDelay |
                     Tcp::Options::CloseOnExec;
  const int workers = std::atoi(argv[1]);
  Http::Endpoint endpoint{Address("127.0.0.1:0")};
  endpoint.init(Http::Endpoint::options().threads(workers).flags(flags));
  endpoint.initArgs(static_cast<std::size_t>(workers), flags, "http", 1024);
  endpoint.setHandler(std::make_shared<Constant>());
  endpoint.serveThreaded();
  std::printf("port %d\n", static_cast<int>(static_cast<std::uint16_t>(endpoint.getPort())));
  std::fflush(stdout);
  int signal = 0;
  sigwait(&stop, &signal);
  endpoint.shutdown();
}
