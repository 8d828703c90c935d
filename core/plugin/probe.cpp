#include "core/plugin/probe.h"

#include <boost/json/serialize.hpp>

#include "core/base/text.h"
#include "core/plugin/argv_check.h"
#include "core/plugin/descriptor.h"

namespace runyard {
namespace {

namespace json = boost::json;
using Status = HostReply::Status;

constexpr std::size_t kMaxReason = 1000;

bool is_plugins_fault(const HostFailure& failure) {
  return failure.kind == HostFailure::Kind::kCrashed ||
         failure.kind == HostFailure::Kind::kDeadline;
}

Error unavailable(const HostFailure& failure) {
  return make_error(ErrorKind::kUnavailable, "a plugin " + failure.message);
}

/// The line of the configuration that would allow the program.
std::string program_not_allowed(const Program& program, const std::vector<std::string>& allow) {
  std::string list;
  for (const std::string& entry : allow) list += "'" + entry + "', ";
  return "program not allowed: '" + program.name +
         "'; to allow it, write in the configuration: plugins: {allow: [" + list + "'" +
         program.name + "']}";
}

class Probe {
 public:
  Probe(HostClient& host, const std::filesystem::path& library, std::chrono::milliseconds deadline)
      : host_(host), library_(library), deadline_(deadline) {}

  Result<ProbeResult> run(const std::vector<std::string>& allow) {
    auto descriptor = describe();
    if (!descriptor) return descriptor.error();
    if (!result_.reason.empty()) return std::move(result_);
    auto type = parse_descriptor(*descriptor);
    if (!type) return refused(type.error().message);
    result_.type = std::move(*type);
    if (!is_allowed(result_.type->program, allow)) {
      return refused(program_not_allowed(result_.type->program, allow));
    }
    auto schema = InputSchema::compile(result_.type->input_schema);
    if (!schema) return refused(schema.error().message);
    result_.schema = std::move(*schema);
    for (std::size_t i = 0; i < result_.type->examples.size() && result_.reason.empty(); ++i) {
      auto tried = try_example(result_.type->examples[i].as_object(), i);
      if (!tried) return tried.error();
    }
    return std::move(result_);
  }

 private:
  Result<ProbeResult> refused(std::string reason) {
    result_.reason = ellipsize(sanitize_utf8(reason), kMaxReason);
    return std::move(result_);
  }

  Result<std::string> describe() {
    const auto reply = host_.describe(library_, deadline_);
    if (!reply) {
      if (!is_plugins_fault(reply.error())) return unavailable(reply.error());
      result_.reason = "describe() " + reply.error().message;
      return std::string();
    }
    result_.abi = reply->abi;
    if (reply->status == Status::kNotLoaded) {
      result_.reason = ellipsize(reply->text, kMaxReason);
    } else if (reply->status != Status::kOk) {
      result_.reason = "describe() failed: " + ellipsize(reply->text, kMaxReason);
    }
    return reply->text;
  }

  Result<> try_example(const json::object& example, std::size_t number) {
    const std::string name = "examples[" + std::to_string(number) + "]";
    auto params = result_.schema->check(example);
    if (!params) {
      result_.reason = name + " does not fit its own input schema: " + params.error().message;
      return {};
    }
    std::vector<std::string> first;
    for (int round = 0; round < 2; ++round) {
      const auto reply = host_.argv(library_, json::serialize(*params), deadline_);
      if (!reply) {
        if (!is_plugins_fault(reply.error())) return unavailable(reply.error());
        result_.reason = "argv() of " + name + " " + reply.error().message;
        return {};
      }
      if (reply->status != Status::kOk) {
        result_.reason = "argv() of " + name + " failed: " + ellipsize(reply->text, kMaxReason);
        return {};
      }
      auto arguments = read_arguments(*result_.type, reply->text);
      if (!arguments) {
        result_.reason = "argv() of " + name + ": " + arguments.error().message;
        return {};
      }
      if (round == 0) {
        first = std::move(*arguments);
      } else if (first != *arguments) {
        result_.reason = "argv() of " + name + " gives another command each time";
      }
    }
    return {};
  }

  HostClient& host_;
  const std::filesystem::path& library_;
  const std::chrono::milliseconds deadline_;
  ProbeResult result_;
};

}  // namespace

Result<ProbeResult> probe(HostClient& host, const std::filesystem::path& library,
                          const std::vector<std::string>& allow,
                          std::chrono::milliseconds deadline) {
  return Probe(host, library, deadline).run(allow);
}

}  // namespace runyard
