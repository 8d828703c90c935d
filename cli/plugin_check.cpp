#include <fmt/format.h>
#include <stdlib.h>

#include <boost/json.hpp>
#include <chrono>

#include "cli/output.h"
#include "cli/plugin_commands.h"
#include "cli/server_options.h"
#include "cli/terminal.h"
#include "core/plugin/descriptor.h"
#include "core/plugin/library_file.h"
#include "core/plugin/probe.h"
#include "core/plugin/random_inputs.h"

namespace runyard::cli {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

/// One rule: what it asks, and what to do when it is broken.
struct Rule {
  ProbeRule rule;
  const char *name, *holds, *mend;
};

constexpr Rule kRules[] = {
    {ProbeRule::kAbi, "abi", "loads, and exports the table of this ABI",
     "build it with runyard_add_plugin(), which exports what is needed and nothing else"},
    {ProbeRule::kDescribe, "describe", "describe() answers with UTF-8 in time",
     "describe() only hands out schema.json; RUNYARD_PLUGIN(Class) writes it"},
    {ProbeRule::kDescriptor, "descriptor", "its fields are known, and the regexes are RE2",
     "correct schema.json: the descriptor's reference is in the plugin guide"},
    {ProbeRule::kSchema, "schema", "draft-07 for an object, and each path says that it is one",
     "correct input_schema in schema.json: \"The input schema\" in the plugin guide"},
    {ProbeRule::kExamples, "examples", "they fit the input schema",
     "correct the example, or the schema"},
    {ProbeRule::kArgv, "argv", "each example becomes a command in time",
     "try argv() with this example in a debugger; throw runyard::Invalid for bad inputs"},
    {ProbeRule::kArguments, "arguments",
     "within the limits, and only declared flags begin with '-'",
     "list the flag under \"flags\"; pass a value as --flag=value"},
    {ProbeRule::kDeterminism, "repeatable", "the same inputs give the same command",
     "argv() must not use the time, random numbers, the environment or anything that it keeps"},
};

struct Line {
  enum class State { kHolds, kBroken, kNote, kNotReached };
  std::string rule;
  State state;
  std::string text, mend;
};

const char* word_of(Line::State state) {
  switch (state) {
    case Line::State::kHolds:
      return "ok";
    case Line::State::kBroken:
      return "BAD";
    case Line::State::kNote:
      return "note";
    case Line::State::kNotReached:
      return "-";
  }
  return "";
}

/// A folder for the copy, gone at the end.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string name = (fs::temp_directory_path() / "runyard-check-XXXXXX").string();
    if (::mkdtemp(name.data())) path_ = name;
  }
  ~ScratchFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

class Check {
 public:
  Check(fs::path file, std::vector<std::string> allow, std::int64_t tries, std::uint32_t seed)
      : file_(std::move(file)), allow_(std::move(allow)), tries_(tries), seed_(seed) {}

  Result<std::vector<Line>> run() {
    if (scratch_.path().empty()) {
      return make_error(ErrorKind::kInternal, "no folder can be made in the temporary folder");
    }
    std::error_code ignored;
    if (!fs::exists(file_, ignored)) {
      return make_error(ErrorKind::kInvalid, "there is no file " + file_.string());
    }
    const auto copy = copy_library(file_, scratch_.path());
    if (!copy && copy.error().kind != ErrorKind::kInvalid &&
        copy.error().kind != ErrorKind::kBusy) {
      return copy.error();
    }
    if (!copy) {
      broken("file", copy.error().message, "build it again on a machine like the server's");
      for (const Rule& rule : kRules) not_reached(rule.name, rule.holds);
      return std::move(lines_);
    }
    holds("file",
          fmt::format("a complete library that only its owner can write, sha256 {}", copy->sha256));
    HostClient host({{"/proc/self/exe", "plugin-host"}, kMemoryLimit, {}});
    const auto probed = probe(host, copy->path, std::nullopt, kDeadline);
    if (!probed) return probed.error();
    for (const Rule& rule : kRules) {
      if (rule.rule == probed->broken) {
        broken(rule.name, probed->reason, rule.mend);
      } else if (rule.rule < probed->broken) {
        holds(rule.name, rule.holds);
      } else {
        not_reached(rule.name, rule.holds);
      }
    }
    if (probed->type) check_program(probed->type->program);
    if (!probed->reason.empty()) {
      not_reached("random", "no inputs crash it or get an undeclared flag out of it");
    } else if (auto done = try_inputs(host, copy->path, *probed); !done) {
      return done.error();
    }
    return std::move(lines_);
  }

  bool is_sound() const { return sound_; }

 private:
  static constexpr std::uint64_t kMemoryLimit = 1u << 30;
  static constexpr auto kDeadline = std::chrono::milliseconds(5000);

  void holds(std::string rule, std::string text) {
    lines_.push_back({std::move(rule), Line::State::kHolds, std::move(text), ""});
  }
  void broken(std::string rule, std::string text, std::string mend) {
    sound_ = false;
    lines_.push_back({std::move(rule), Line::State::kBroken, std::move(text), std::move(mend)});
  }
  void not_reached(std::string rule, std::string text) {
    lines_.push_back({std::move(rule), Line::State::kNotReached, std::move(text), ""});
  }

  /// The server's affair and not the plugin's, so it breaks nothing.
  void check_program(const Program& program) {
    if (is_allowed(program, allow_)) return holds("program", program.name + " is allowed here");
    lines_.push_back({"program", Line::State::kNote, program_not_allowed(program, allow_), ""});
  }

  Result<> try_inputs(HostClient& host, const fs::path& library, const ProbeResult& probed) {
    const auto tried =
        try_random_inputs(host, library, *probed.type, *probed.schema, tries_, seed_, kDeadline);
    if (!tried) return tried.error();
    if (!tried->defect.empty()) {
      broken("random", tried->defect, fmt::format("--seed {} gives the same inputs again", seed_));
    } else {
      holds("random", fmt::format("{} random inputs: {} became commands, {} were refused", tries_,
                                  tried->planned, tried->refused));
    }
    return {};
  }

  const fs::path file_;
  const std::vector<std::string> allow_;
  const std::int64_t tries_;
  const std::uint32_t seed_;
  ScratchFolder scratch_;
  std::vector<Line> lines_;
  bool sound_ = true;
};

void print_lines(const std::vector<Line>& lines) {
  const bool colour = wants_colour(stdout);
  for (const Line& line : lines) {
    const Colour of = line.state == Line::State::kHolds    ? Colour::kGreen
                      : line.state == Line::State::kBroken ? Colour::kRed
                                                           : Colour::kGrey;
    std::string text =
        fmt::format("{}  {:<10}  {}", paint(fmt::format("{:<4}", word_of(line.state)), of, colour),
                    line.rule, escape_controls(line.text));
    if (!line.mend.empty()) text += "  -> " + escape_controls(line.mend);
    print(text + "\n");
  }
}

}  // namespace

int run_plugin_check(const Args& args) {
  CLI::App app(
      "Hold a plugin's library to the server's rules: one line a rule, '->' says what to do. It "
      "is\n"
      "loaded in a process of its own, as the server does it. The exit code is 1 when a rule is\n"
      "broken. Needs no server.",
      "runyard plugin check");
  std::string file;
  std::int64_t tries = 1000;
  std::uint32_t seed = 1;
  bool as_json = false;
  ServerOptions options;
  app.add_option("FILE", file, "The library, such as build/plugins/report.so")->required();
  app.add_option("--tries", tries, "Random inputs to try")
      ->check(CLI::Range(0, 10'000'000))
      ->capture_default_str();
  app.add_option("--seed", seed, "Begins the random numbers")->capture_default_str();
  options.declare_place(app);
  app.add_flag("--json", as_json, "Print the result as one line of JSON");
  if (auto code = parse_args(app, args)) return *code;

  const Settings settings = options.read();
  Check check(file, settings.values().allow, tries, seed);
  const auto lines = check.run();
  if (!lines) return fail(lines.error());
  if (as_json) {
    json::array rules;
    for (const Line& line : *lines) {
      const bool is_broken = line.state == Line::State::kBroken;
      rules.push_back(
          {{"rule", line.rule},
           {"state", is_broken ? "bad" : word_of(line.state)},
           {"text", line.text},
           {"mend", line.mend.empty() ? json::value(nullptr) : json::value(line.mend)}});
    }
    print_json(json::object{{"file", file}, {"ok", check.is_sound()}, {"rules", std::move(rules)}});
  } else {
    print_lines(*lines);
  }
  return check.is_sound() ? kOk : kFailed;
}

}  // namespace runyard::cli
