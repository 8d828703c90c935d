#include "core/plugin/probe.h"

#include "core/base/plain_json.h"
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

class Probe {
 public:
  Probe(HostClient& host, const std::filesystem::path& library, std::chrono::milliseconds deadline)
      : host_(host), library_(library), deadline_(deadline) {}

  Result<ProbeResult> run(const std::optional<std::vector<std::string>>& allow) {
    auto descriptor = describe();
    if (!descriptor) return descriptor.error();
    if (!result_.reason.empty()) return std::move(result_);
    auto type = parse_descriptor(*descriptor);
    if (!type) return refused(ProbeRule::kDescriptor, type.error().message);
    result_.type = std::move(*type);
    if (allow && !is_allowed(result_.type->program, *allow)) {
      return refused(ProbeRule::kProgram, program_not_allowed(result_.type->program, *allow));
    }
    auto schema = InputSchema::compile(result_.type->input_schema);
    if (!schema) return refused(ProbeRule::kSchema, schema.error().message);
    result_.schema = std::move(*schema);

    std::vector<json::object> examples;
    for (const auto& example : result_.type->examples) {
      auto params = result_.schema->check(example.as_object());
      if (!params) {
        return refused(ProbeRule::kExamples,
                       name_of(examples.size()) +
                           " does not fit its own input schema: " + params.error().message);
      }
      examples.push_back(std::move(*params));
    }
    std::vector<std::vector<std::string>> commands;
    for (const auto& example : examples) {
      const std::string name = "argv() of " + name_of(commands.size());
      auto text = ask(example, name);
      if (!text) return text.error();
      if (!result_.reason.empty()) return std::move(result_);
      auto arguments = read_arguments(*result_.type, *text);
      if (!arguments) {
        return refused(ProbeRule::kArguments, name + ": " + arguments.error().message);
      }
      commands.push_back(std::move(*arguments));
    }
    for (std::size_t i = 0; i < examples.size(); ++i) {
      const std::string name = "argv() of " + name_of(i);
      auto text = ask(examples[i], name);
      if (!text) return text.error();
      if (!result_.reason.empty()) return std::move(result_);
      const auto arguments = read_arguments(*result_.type, *text);
      if (!arguments || *arguments != commands[i]) {
        return refused(ProbeRule::kDeterminism, name + " gives another command each time");
      }
    }
    return std::move(result_);
  }

 private:
  static std::string name_of(std::size_t number) {
    return "examples[" + std::to_string(number) + "]";
  }

  void refuse(ProbeRule rule, std::string_view reason) {
    result_.broken = rule;
    result_.reason = ellipsize(sanitize_utf8(reason), kMaxReason);
  }
  Result<ProbeResult> refused(ProbeRule rule, std::string_view reason) {
    refuse(rule, reason);
    return std::move(result_);
  }

  Result<std::string> describe() {
    const auto reply = host_.describe(library_, deadline_);
    if (reply) result_.abi = reply->abi;
    return answer(reply, ProbeRule::kDescribe, "describe()");
  }

  Result<std::string> ask(const json::object& params, const std::string& name) {
    return answer(host_.argv(library_, plain_json(params), deadline_), ProbeRule::kArgv, name);
  }

  /// What a call emitted; refuses the library when the call did not work.
  Result<std::string> answer(const HostClient::Reply& reply, ProbeRule rule,
                             const std::string& name) {
    if (!reply) {
      if (!is_plugins_fault(reply.error())) return unavailable(reply.error());
      result_.timed_out = reply.error().kind == HostFailure::Kind::kDeadline;
      refuse(rule, name + " " + reply.error().message);
      return std::string();
    }
    if (reply->status == Status::kNotLoaded) {
      refuse(ProbeRule::kAbi, reply->text);
    } else if (reply->status != Status::kOk) {
      refuse(rule, name + " failed: " + reply->text);
    }
    return reply->text;
  }

  HostClient& host_;
  const std::filesystem::path& library_;
  const std::chrono::milliseconds deadline_;
  ProbeResult result_;
};

}  // namespace

std::string program_not_allowed(const Program& program, const std::vector<std::string>& allow) {
  std::string list;
  for (const std::string& entry : allow) list += "'" + entry + "', ";
  return "program not allowed: '" + program.name +
         "'; to allow it, write in the configuration: plugins: {allow: [" + list + "'" +
         program.name + "']}";
}

Result<ProbeResult> probe(HostClient& host, const std::filesystem::path& library,
                          const std::optional<std::vector<std::string>>& allow,
                          std::chrono::milliseconds deadline) {
  return Probe(host, library, deadline).run(allow);
}

}  // namespace runyard
