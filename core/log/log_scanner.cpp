#include "core/log/log_scanner.h"

#include <re2/re2.h>

#include <array>
#include <cmath>

#include "core/base/plain_json.h"
#include "core/base/text.h"
#include "core/log/byte_scan.h"
#include "core/log/json_line.h"

namespace runyard {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxValue = 1024;  // of a hint
constexpr std::size_t kMaxLinks = 1000;  // of a job
constexpr std::size_t kMaxArtifacts = 100;
constexpr std::size_t kMaxStatus = 200;  // bytes
constexpr int kMaxGroups = 9;
constexpr TimeMs kTotalRetryMs = 2000;

RE2::Options quiet() {
  RE2::Options options;
  options.set_log_errors(false);
  return options;
}

/// `runs/{run_id}/x` with the values of `known`; nullopt while one is missing.
std::optional<std::string> expand(std::string_view text, const json::object& known) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t open = text.find('{', at);
    out += text.substr(at, open - at);
    if (open == std::string_view::npos) break;
    const std::size_t close = text.find('}', open);
    if (close == std::string_view::npos) return std::nullopt;
    const auto* value = known.if_contains(text.substr(open + 1, close - open - 1));
    if (!value || !value->is_string()) return std::nullopt;
    out += std::string_view(value->get_string());
    at = close + 1;
  }
  return out;
}

}  // namespace

struct LogScanner::Patterns {
  std::vector<std::unique_ptr<RE2>> hints, progress;  // null where a hint has none
  std::unique_ptr<LineFilter> any;
};

LogScanner::LogScanner(JobTypePtr type, json::object params, ReadTotal read_total)
    : type_(std::move(type)),
      params_(std::move(params)),
      read_total_(std::move(read_total)),
      patterns_(std::make_unique<Patterns>()) {
  add_params();
}

LogScanner::~LogScanner() = default;

Result<std::unique_ptr<LogScanner>> LogScanner::make(JobTypePtr type, json::object params,
                                                     ReadTotal read_total) {
  std::unique_ptr<LogScanner> scanner(
      new LogScanner(std::move(type), std::move(params), std::move(read_total)));
  const auto compile = [](const std::string& pattern,
                          std::vector<std::unique_ptr<RE2>>& into) -> Result<> {
    into.push_back(pattern.empty() ? nullptr : std::make_unique<RE2>(pattern, quiet()));
    if (!into.back() || into.back()->ok()) return {};
    return make_error(ErrorKind::kInvalid,
                      "the pattern '" + pattern + "' is no RE2: " + into.back()->error());
  };
  for (const HintSpec& hint : scanner->type_->hints) {
    if (auto done = compile(hint.pattern, scanner->patterns_->hints); !done) return done.error();
  }
  for (const ProgressSpec& spec : scanner->type_->progress) {
    if (auto done = compile(spec.pattern, scanner->patterns_->progress); !done) {
      return done.error();
    }
  }
  auto series = SeriesScanner::make(scanner->type_->series);
  if (!series) return series.error();
  scanner->series_ = std::move(*series);

  std::vector<std::string> all{R"("runyard")"};
  const auto add = [&all](const std::string& pattern) {
    if (!pattern.empty()) all.push_back(pattern);
  };
  for (const HintSpec& hint : scanner->type_->hints) add(hint.pattern);
  for (const ProgressSpec& spec : scanner->type_->progress) add(spec.pattern);
  for (const SeriesSpec& spec : scanner->type_->series) {
    add(spec.pattern);
    add(spec.x_pattern);
    add(spec.block_end);
  }
  scanner->patterns_->any = std::make_unique<LineFilter>(all, false);
  return scanner;
}

void LogScanner::begin_attempt() {
  artifacts_.clear();
  links_.clear();
  progress_.reset();
  status_.clear();
  series_.clear();
  defect_.clear();
  progress_specs_ = SIZE_MAX;
  total_.reset();
  total_source_.clear();
  first_seen_at_ = 0;
  folder_ = TerminalFolder(TerminalFolder::Unit::kState, kMaxText);
  fed_ = known_ = 0;
  skip_next_ = true;
  add_params();
}

void LogScanner::restore(json::object artifacts, std::vector<Link> links,
                         std::optional<Progress> progress, std::string status, std::int64_t known) {
  artifacts_ = std::move(artifacts);
  links_ = std::move(links);
  progress_ = progress;
  status_ = std::move(status);
  known_ = known;
}

void LogScanner::add_params() {
  for (const HintSpec& hint : type_->hints) {
    const auto* value = hint.param.empty() ? nullptr : params_.if_contains(hint.param);
    if (value && value->is_string()) {
      add_hint(hint.name, hint.link, std::string(value->get_string()));
    } else if (value && (value->is_number() || value->is_bool())) {
      add_hint(hint.name, hint.link, plain_json(*value));
    }
  }
}

void LogScanner::add_hint(const std::string& name, const std::string& link, std::string value) {
  value = ellipsize(sanitize_utf8(trim(value)), kMaxValue);
  if (value.empty()) return;
  auto* known = artifacts_.if_contains(name);
  if (!known && artifacts_.size() >= kMaxArtifacts) return;
  if (!known || *known != json::value(value)) {
    artifacts_[name] = value;
    changed_ = true;
  }
  Link found{name, value, expand(link, {{"value", value}}).value_or("")};
  for (const Link& other : links_) {
    if (other == found) return;
  }
  if (links_.size() < kMaxLinks) {
    links_.push_back(std::move(found));
    changed_ = true;
  }
}

bool LogScanner::feed(std::string_view bytes, TimeMs now) {
  changed_ = false;
  now_ = now;
  const auto sink = [this](const TerminalFolder::Line& line) {
    fed_ = folded_from_ + folder_.position();
    if (skip_next_ || patterns_->any->may_match(line.text)) scan(line.text);
  };
  while (!bytes.empty()) {
    std::size_t used = feed_lines(bytes);
    if (used == 0) {
      used = std::min(bytes.find('\n'), bytes.size() - 1) + 1;
      folded_from_ = fed_ - folder_.position();
      folder_.feed(bytes.substr(0, used), sink);
      fed_ = folded_from_ + folder_.position();
    }
    bytes.remove_prefix(used);
  }
  return changed_;
}

/// Whole lines that are seen as they were printed are not folded, and nearly all of them not even
/// looked at: this is what makes the log of a chatty job cheap. How many bytes that were.
std::size_t LogScanner::feed_lines(std::string_view bytes) {
  if (skip_next_ || folder_.pending() > 0) return 0;
  const std::size_t newline = bytes.substr(0, find_special(bytes)).rfind('\n');
  if (newline == bytes.npos) return 0;
  const std::string_view lines = bytes.substr(0, newline + 1);
  const std::int64_t before = fed_;
  for (std::size_t at = 0, end = 0; at < lines.size();) {
    at = patterns_->any->next(lines, at, end);
    while (at < end) {
      const std::size_t size = lines.find('\n', at) - at;
      fed_ = before + static_cast<std::int64_t>(at + size + 1);
      if (size > 0) scan(lines.substr(at, std::min(size, kMaxText)));
      at += size + 1;
    }
  }
  fed_ = before + static_cast<std::int64_t>(lines.size());
  return lines.size();
}

bool LogScanner::finish(TimeMs now) {
  changed_ = false;
  now_ = now;
  folder_.finish([this](const TerminalFolder::Line& line) { scan(line.text); });
  const std::int64_t version = series_.version();
  series_.finish();
  return changed_ || series_.version() != version;
}

void LogScanner::scan(std::string_view text) {
  if (skip_next_) {
    skip_next_ = false;
    if (text.starts_with("$ ")) return;  // missing when the disk was full
  }
  series_.scan(text);
  if (text.find("\"runyard\"") != text.npos) scan_json(text);
  if (fed_ > known_) scan_hints(text);
}

void LogScanner::scan_json(std::string_view text) {
  const auto line = read_json_line(text);
  if (!line) {
    if (defect_.empty()) defect_ = line.error().message;
    return;
  }
  if (!*line) return;
  const auto& x = (*line)->x;
  for (const auto& [name, y] : (*line)->series) {
    series_.add(name, x ? x->first : "", x ? std::optional(x->second) : std::nullopt, y);
  }
  if (fed_ <= known_) return;
  for (const auto& [name, value] : (*line)->artifacts) {
    std::string link;
    for (const HintSpec& hint : type_->hints) {
      if (hint.name == name) link = hint.link;
    }
    add_hint(name, link, value);
  }
  if ((*line)->progress) {
    // It knows best: patterns say nothing more.
    progress_specs_ = 0;
    set_progress((*line)->progress->first, (*line)->progress->second);
  }
  if ((*line)->status) {
    std::string status = ellipsize(sanitize_utf8(*(*line)->status), kMaxStatus);
    changed_ = changed_ || status != status_;
    status_ = std::move(status);
  }
}

void LogScanner::scan_hints(std::string_view text) {
  for (std::size_t i = 0; i < type_->hints.size(); ++i) {
    const RE2* pattern = patterns_->hints[i].get();
    if (!pattern) continue;
    // From a position, not a shorter text: `^` is the begin of the line alone.
    const re2::StringPiece line(text.data(), text.size());
    std::array<re2::StringPiece, 2> groups;
    for (std::size_t at = 0;
         at < text.size() &&
         pattern->Match(line, at, text.size(), RE2::UNANCHORED, groups.data(), 2);) {
      add_hint(type_->hints[i].name, type_->hints[i].link, std::string(groups[1]));
      const auto end = static_cast<std::size_t>(groups[0].data() - line.data()) + groups[0].size();
      at = std::max(end, at + 1);
    }
  }
  // The earlier the better: once one has been seen, those after it in the list say nothing more, or
  // the bar would jump between two scales.
  for (std::size_t i = 0; i < std::min(type_->progress.size(), progress_specs_); ++i) {
    if (scan_progress(text, type_->progress[i], i)) {
      progress_specs_ = i + 1;
      break;
    }
  }
}

bool LogScanner::scan_progress(std::string_view text, const ProgressSpec& spec, std::size_t index) {
  const RE2* pattern = patterns_->progress[index].get();
  std::array<re2::StringPiece, kMaxGroups + 1> groups;
  const int count = pattern ? std::min(pattern->NumberOfCapturingGroups(), kMaxGroups) + 1 : 0;
  if (spec.current_group >= count || spec.total_group >= count) return false;
  if (!pattern->Match({text.data(), text.size()}, 0, text.size(), RE2::UNANCHORED, groups.data(),
                      count)) {
    return false;
  }
  const auto current = to_number(groups[static_cast<std::size_t>(spec.current_group)]);
  std::optional<double> total;
  if (spec.total_group > 0) total = to_number(groups[static_cast<std::size_t>(spec.total_group)]);
  if (!total && spec.total > 0) total = spec.total;
  if (!total && !spec.yaml_path.empty()) total = total_from_file(spec);
  if (!current || !total || *total <= 0 || *current < 0) return false;

  set_progress(*current, *total);
  return true;
}

void LogScanner::set_progress(double current, double total) {
  // Another stage counts from the start again: the estimate starts anew with it.
  if (first_seen_at_ == 0 || !progress_ || current < progress_->current ||
      total != progress_->total) {
    first_seen_at_ = now_;
    first_current_ = current;
  }
  Progress progress{current, total, std::nullopt};
  const double done = current - first_current_;
  if (done > 0 && now_ > first_seen_at_) {
    progress.eta_sec =
        std::max(0.0, (total - current) / done) * static_cast<double>(now_ - first_seen_at_) / 1000;
  }
  changed_ = changed_ || !progress_ || progress_->current != progress.current ||
             progress_->total != progress.total;
  progress_ = progress;
}

std::optional<double> LogScanner::total_from_file(const ProgressSpec& spec) {
  json::object known = params_;
  for (const auto& [name, value] : artifacts_) known[name] = value;
  const auto path = expand(spec.yaml_path, known);
  if (!path) return std::nullopt;
  const std::string source = *path + '\n' + spec.yaml_key;
  if (source != total_source_ || (!total_ && now_ - total_read_at_ >= kTotalRetryMs)) {
    total_source_ = source;
    total_read_at_ = now_;
    total_ = read_total_(*path, spec.yaml_key);
  }
  return total_;
}

std::vector<std::string> LogScanner::warnings(bool success) const {
  std::vector<std::string> warnings;
  if (!defect_.empty()) {
    warnings.push_back("a line of the log with the key \"runyard\" cannot be read: " + defect_);
  }
  for (const HintSpec& hint : type_->hints) {
    if (success && hint.expected && !artifacts_.contains(hint.name)) {
      warnings.push_back("the log names no " + hint.name +
                         ": the job succeeded but what it produced is not linked");
    }
  }
  return warnings;
}

std::string error_message_from(std::string_view log_tail) {
  constexpr std::size_t kMaxMessage = 500;
  std::string error, traceback, last;
  bool in_traceback = false;
  const auto look = [&](const TerminalFolder::Line& seen) {
    const std::string_view text = seen.text, line = trim(text);
    if (line.empty()) return;
    last = line;
    if (line.starts_with("[ERROR]")) error = line;
    if (line.starts_with("Traceback (most recent call last)")) {
      in_traceback = true;
    } else if (in_traceback && text.front() != ' ' && text.front() != '\t') {
      traceback = line;  // `ValueError: ...` ends it; what follows is not part of it
      in_traceback = false;
    }
  };
  TerminalFolder folder(TerminalFolder::Unit::kState, 64 * 1024);
  folder.feed(log_tail, look);
  folder.finish(look);
  const std::string& message = !error.empty() ? error : !traceback.empty() ? traceback : last;
  return ellipsize(sanitize_utf8(message), kMaxMessage);
}

}  // namespace runyard
