#include "api/observer.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "core/base/ids.h"
#include "core/base/log.h"
#include "core/base/text.h"

namespace runyard {
namespace {

constexpr std::size_t kMaxId = 64;
constexpr std::size_t kMaxPath = 300;

bool is_request_id(std::string_view id) {
  return !id.empty() && id.size() <= kMaxId && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
  });
}

}  // namespace

Observer::Observer(Metrics& metrics, const Router& router, bool log_access)
    : metrics_(metrics), log_access_(log_access), id_prefix_(random_hex(4)) {
  histograms_.try_emplace(nullptr);
  for (const Route& route : router.routes()) histograms_.try_emplace(&route);
}

std::string Observer::id_of(const Call& call) {
  std::string given = call.header("x-request-id");
  if (is_request_id(given)) return given;
  return fmt::format("{}-{}", id_prefix_, next_id_++);
}

void Observer::answered(const Call& call, bool is_head, const Route* route, const Reply& reply,
                        std::string_view id, Clock::time_point begun) {
  const auto took = Clock::now() - begun;
  const auto index =
      static_cast<std::size_t>(std::clamp(reply.status / 100, 1, static_cast<int>(kClasses)) - 1);
  auto& slot = histograms_.at(route)[index];
  auto* histogram = slot.load();
  if (!histogram) {
    // Two threads may come here at once; both are given the same one.
    histogram = &metrics_.request_seconds(route ? route->method : "", route ? route->path : "",
                                          fmt::format("{}xx", index + 1));
    slot = histogram;
  }
  histogram->Observe(std::chrono::duration<double>(took).count());

  const auto level = log_access_ ? spdlog::level::info : spdlog::level::debug;
  if (!spdlog::should_log(level)) return;
  const auto bytes = reply.file ? reply.file->size : static_cast<std::int64_t>(reply.body.size());
  log_event(level, "request",
            {{"method", is_head ? std::string_view("HEAD") : std::string_view(call.method)},
             {"route", route ? std::string_view(route->path) : std::string_view()},
             {"path", ellipsize(call.target, kMaxPath)},
             {"status", reply.status},
             {"us", std::chrono::duration_cast<std::chrono::microseconds>(took).count()},
             {"bytes", is_head ? 0 : bytes},
             {"peer", call.client},
             {"token", call.caller.name},
             {"request_id", id}});
}

}  // namespace runyard
