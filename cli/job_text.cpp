#include "cli/job_text.h"

#include <fmt/format.h>

#include <set>

#include "cli/json_access.h"
#include "cli/terminal.h"
#include "core/model/job.h"

namespace runyard::cli {
namespace {

namespace json = boost::json;

/// `exit code 2`, `signal 9`, `timeout`, ...; "" for a success.
std::string reason(const json::object& job) {
  const std::string end_reason = text_of(job, "end_reason");
  const auto code = integer_of(job, "exit_code");
  const auto signal = integer_of(job, "signal");
  if (end_reason == "exit_code" && code) return fmt::format("exit code {}", *code);
  if (end_reason == "signal" && signal) return fmt::format("signal {}", *signal);
  return end_reason;
}

class Lines {
 public:
  explicit Lines(bool colour) : colour_(colour) {}
  /// Nothing for an empty value.
  void add(std::string_view name, const std::string& value, Colour colour = Colour::kNone) {
    if (value.empty()) return;
    const std::string title = fmt::format("{:<12}", escape_controls(name));
    text_ += paint(title, Colour::kGrey, colour_) + " " +
             paint(escape_controls(value), colour, colour_) + "\n";
  }
  const std::string& text() const { return text_; }

 private:
  bool colour_;
  std::string text_;
};

std::string joined(const json::array* list, std::string_view separator) {
  std::string out;
  if (!list) return out;
  for (const auto& item : *list) {
    if (!out.empty()) out += separator;
    out += item.is_string() ? std::string(item.get_string()) : compact_json(item);
  }
  return out;
}

std::string resources_text(const json::object& job) {
  const auto* resources = object_of(job, "resources");
  if (!resources) return "";
  const auto slots = integer_of(*resources, "slots").value_or(1);
  std::string out = fmt::format("{} slot{}", slots, slots == 1 ? "" : "s");
  if (const auto memory = integer_of(*resources, "memory_mb").value_or(0); memory > 0) {
    out += fmt::format(", {} MB", memory);
  }
  const std::string ids = joined(array_of(*resources, "gpus"), ",");
  if (!ids.empty()) return out + ", gpu " + ids;
  const auto gpus = integer_of(*resources, "gpu_count").value_or(0);
  return gpus > 0 ? fmt::format("{}, {} gpu{}", out, gpus, gpus == 1 ? "" : "s") : out;
}

std::string usage_text(const json::object& job) {
  const auto* usage = object_of(job, "usage");
  if (!usage) return "";
  return fmt::format("cpu {} user, {} system, {} memory",
                     format_duration(number_of(*usage, "user_sec")),
                     format_duration(number_of(*usage, "system_sec")),
                     format_bytes(number_of(*usage, "max_rss_kb").value_or(0) * 1024));
}

}  // namespace

bool has_ended(const json::object& job) {
  const auto status = parse_status(text_of(job, "status"));
  return status && is_terminal(*status);
}

int exit_code_of_job(const json::object& job) {
  const std::string status = text_of(job, "status");
  if (status == "SUCCESS") return 0;
  if (status == "CANCELLED") return 130;
  if (const auto code = integer_of(job, "exit_code"); code && *code > 0 && *code < 256) {
    return static_cast<int>(*code);
  }
  if (const auto signal = integer_of(job, "signal"); signal && *signal > 0 && *signal < 128) {
    return 128 + static_cast<int>(*signal);
  }
  return 1;
}

std::string outcome(const json::object& job) {
  std::string out = text_of(job, "status");
  const std::string why = reason(job);
  if (!why.empty() && out != "CANCELLED") out += fmt::format(" ({})", why);
  const std::string duration = format_duration(number_of(job, "duration_sec"));
  if (!duration.empty()) out += " after " + duration;
  const std::string message = text_of(job, "error_message");
  if (!message.empty()) out += ": " + message;
  return out;
}

std::string progress_text(const json::object& job) {
  const auto* progress = object_of(job, "progress");
  const auto fraction = progress ? number_of(*progress, "fraction") : std::nullopt;
  if (!fraction || text_of(job, "status") != "RUNNING") return "";
  std::string out = fmt::format("{:.0f}%", *fraction * 100);
  const std::string eta = format_duration(number_of(*progress, "eta_sec"));
  if (!eta.empty()) out += fmt::format(" {} left", eta);
  return out;
}

std::string remark(const json::object& job) {
  for (const std::string_view key :
       {"error_message", "status_text", "waiting_for", "name", "note"}) {
    if (key == "waiting_for" && has_ended(job)) continue;
    std::string text = text_of(job, key);
    if (!text.empty()) return text;
  }
  return "";
}

Table job_table(const json::array& jobs, TimeMs now) {
  Table table({{"JOB"},
               {"TYPE"},
               {"STATUS"},
               {"CREATED"},
               {"TIME", true},
               {"PROGRESS"},
               {"GROUP"},
               {"REMARK"}});
  for (const auto& item : jobs) {
    const auto* job = item.if_object();
    if (!job) continue;
    const std::string status = text_of(*job, "status");
    table.add({text_of(*job, "job_id"),
               text_of(*job, "job_type"),
               {status, colour_of_status(status)},
               short_time(text_of(*job, "created_at"), now),
               format_duration(number_of(*job, "duration_sec")),
               progress_text(*job),
               text_of(*job, "group"),
               {remark(*job), status == "FAILED" ? Colour::kRed : Colour::kNone}});
  }
  return table;
}

std::string link_lines(const json::object& job, const std::string& url) {
  Lines lines(false);
  std::set<std::string> named;
  if (const auto* links = array_of(job, "links")) {
    for (const auto& item : *links) {
      const auto* link = item.if_object();
      if (!link) continue;
      const std::string name = text_of(*link, "name"), href = text_of(*link, "href");
      const std::string value = text_of(*link, "value");
      named.insert(name);
      lines.add(name, href.empty() ? value : fmt::format("{}  {}{}", value, url, href));
    }
  }
  if (const auto* hints = object_of(job, "artifacts_hint")) {
    for (const auto& [key, value] : *hints) {
      if (named.contains(std::string(key)) || !value.is_string()) continue;
      lines.add(key, std::string(value.get_string()));
    }
  }
  return lines.text();
}

std::string describe_job(const json::object& job, const std::string& url, TimeMs now, bool colour) {
  const std::string status = text_of(job, "status");
  Lines lines(colour);
  lines.add("job", text_of(job, "job_id"), Colour::kBold);
  lines.add("name", text_of(job, "name"));
  const std::string version = text_of(job, "plugin_version");
  lines.add("type", text_of(job, "job_type") + (version.empty() ? "" : " " + version));
  const std::string why = reason(job);
  lines.add("status", why.empty() || why == "cancelled" ? status : status + " (" + why + ")",
            colour_of_status(status));
  lines.add("error", text_of(job, "error_message"), Colour::kRed);
  if (const auto* warnings = array_of(job, "warnings")) {
    for (const auto& warning : *warnings) {
      if (warning.is_string()) lines.add("warning", std::string(warning.get_string()));
    }
  }
  if (!has_ended(job)) lines.add("waits for", text_of(job, "waiting_for"));
  if (const std::string progress = progress_text(job); !progress.empty()) {
    const double fraction = number_of(*object_of(job, "progress"), "fraction").value_or(0);
    lines.add("progress", bar(fraction, 24) + " " + progress);
  }
  lines.add("doing", text_of(job, "status_text"));
  lines.add("created", text_of(job, "created_at"));
  lines.add("started", text_of(job, "started_at"));
  lines.add("ended", text_of(job, "ended_at"));
  lines.add("time", format_duration(number_of(job, "duration_sec")));
  if (const auto* params = object_of(job, "params")) lines.add("params", compact_json(*params));
  lines.add("command", command_line(job));
  lines.add("cwd", text_of(job, "cwd"));
  lines.add("group", text_of(job, "group"));
  if (const auto priority = integer_of(job, "priority").value_or(0); priority != 0) {
    lines.add("priority", std::to_string(priority));
  }
  if (const auto timeout = integer_of(job, "timeout_sec").value_or(0); timeout > 0) {
    lines.add("timeout", format_duration(static_cast<double>(timeout)));
  }
  lines.add("resources", resources_text(job));
  lines.add("usage", usage_text(job));
  lines.add("after", joined(array_of(job, "after"), " "));
  lines.add("rerun of", text_of(job, "rerun_of"));
  lines.add("tags", joined(array_of(job, "tags"), " "));
  lines.add("note", text_of(job, "note"));
  if (const auto* git = object_of(job, "git")) {
    lines.add("git", text_of(*git, "commit") + (flag_of(*git, "dirty") ? " (with changes)" : ""));
  }
  lines.add("log", text_of(job, "log_path"));
  if (const auto* attempts = array_of(job, "attempts"); attempts && attempts->size() > 1) {
    for (const auto& item : *attempts) {
      const auto* attempt = item.if_object();
      if (!attempt) continue;
      const std::string ended = reason(*attempt);
      lines.add(fmt::format("attempt {}", integer_of(*attempt, "attempt").value_or(0)),
                fmt::format("{}  {}", short_time(text_of(*attempt, "started_at"), now),
                            text_of(*attempt, "ended_at").empty() ? "runs"
                            : ended.empty()                       ? "success"
                                                                  : ended));
    }
  }
  return lines.text() + link_lines(job, url);
}

std::string command_line(const json::object& document) {
  std::string out;
  if (const auto* words = array_of(document, "command")) {
    for (const auto& word : *words) {
      if (!word.is_string()) continue;
      if (!out.empty()) out += ' ';
      out += shell_quote(word.get_string());
    }
  }
  return out;
}

std::string shell_quote(std::string_view word) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./_-";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string_view::npos) {
    return std::string(word);
  }
  std::string out = "'";
  for (const char c : word) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

}  // namespace runyard::cli
