#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/log/line_filter.h"
#include "core/log/series_scanner.h"
#include "core/log/terminal_folder.h"
#include "core/model/job_type.h"

namespace runyard {

/// Reads the log of one job as it grows and finds what its type's descriptor looks for: hints
/// (artifacts and links), progress and curves; and what lines with the key "runyard" say. It looks
/// into each state that a line was seen in (TerminalFolder), and of long ones into the first
/// kMaxText bytes. Owned by the follower of that log; used by one thread.
///
/// The line that begins with `$ ` at the start of an attempt is never scanned; begin_attempt()
/// forgets what an earlier attempt printed. Invariant: what is found does not depend on how the
/// bytes were split into feed() calls.
class LogScanner {
 public:
  /// A total from a file of the workspace: `path` is relative to it, `key` dotted.
  using ReadTotal =
      std::function<std::optional<double>(const std::string& path, const std::string& key)>;

  /// Starts with what a hint takes from an input (`param`). kInvalid for a pattern that is no RE2.
  static Result<std::unique_ptr<LogScanner>> make(JobTypePtr type, boost::json::object params,
                                                  ReadTotal read_total);
  ~LogScanner();

  /// Forgets the findings and skips the next text (the `$ ` line).
  void begin_attempt();
  /// After begin_attempt(): takes over what another server has found in the attempt's first `known`
  /// bytes. They are fed once more, for the curves, which are nowhere else.
  void restore(boost::json::object artifacts, std::vector<Link> links,
               std::optional<Progress> progress, std::string status, std::int64_t known);

  /// True when the findings changed. `now` is for the estimate of the end.
  bool feed(std::string_view bytes, TimeMs now);
  /// The same for a last text without an end.
  bool finish(TimeMs now);

  const boost::json::object& artifacts() const { return artifacts_; }
  const std::vector<Link>& links() const { return links_; }
  const std::optional<Progress>& progress() const { return progress_; }
  /// What the command says that it does; "" for nothing.
  const std::string& status_text() const { return status_; }
  const SeriesScanner& series() const { return series_; }
  /// True while the `$ ` line of the attempt has not been seen whole.
  bool expects_command_line() const { return skip_next_; }
  std::int64_t pending() const { return folder_.pending(); }

  /// What is wrong, in words: lines that cannot be read, and after a success expected hints that
  /// are missing.
  std::vector<std::string> warnings(bool success) const;

 private:
  struct Patterns;
  LogScanner(JobTypePtr type, boost::json::object params, ReadTotal read_total);
  std::size_t feed_lines(std::string_view bytes);
  void scan(std::string_view text);
  void scan_hints(std::string_view text);
  void scan_json(std::string_view text);
  void set_progress(double current, double total);
  void add_hint(const std::string& name, const std::string& link, std::string value);
  void add_params();
  bool scan_progress(std::string_view text, const ProgressSpec& spec, std::size_t index);
  std::optional<double> total_from_file(const ProgressSpec& spec);

  const JobTypePtr type_;
  const boost::json::object params_;
  const ReadTotal read_total_;
  std::unique_ptr<Patterns> patterns_;
  static constexpr std::size_t kMaxText = 64 * 1024;
  TerminalFolder folder_{TerminalFolder::Unit::kState, kMaxText};
  // Bytes since begin_attempt(): up to the end of the text that is looked into; those that the
  // folder has not seen before its first; those known already.
  std::int64_t fed_ = 0, folded_from_ = 0, known_ = 0;
  bool skip_next_ = false;
  bool changed_ = false;
  TimeMs now_ = 0;

  boost::json::object artifacts_;
  std::vector<Link> links_;
  std::optional<Progress> progress_;
  std::string status_;
  SeriesScanner series_;
  std::string defect_;  // of the first line with the key "runyard" that cannot be read
  std::size_t progress_specs_ = SIZE_MAX;  // how many of the type's are still looked for
  std::string total_source_;               // file and key of total_, to read a file once
  std::optional<double> total_;
  TimeMs total_read_at_ = 0;
  TimeMs first_seen_at_ = 0;  // of first_current_: the estimate's start
  double first_current_ = 0;
};

/// Why a command failed, from the end of its log: the last `[ERROR]` line, else the last line of a
/// Python traceback, else the last line that is not empty. "" for an empty log.
std::string error_message_from(std::string_view log_tail);

}  // namespace runyard
