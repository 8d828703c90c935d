#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/log/line_splitter.h"
#include "core/model/job_type.h"

namespace runyard {

/// Reads the log of one job as it grows and finds what its type's descriptor looks for: hints
/// (artifacts and links) and progress. Owned by the follower of that log; used by one thread.
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
  /// Takes over what was found before a restart of the server.
  void restore(boost::json::object artifacts, std::vector<Link> links,
               std::optional<Progress> progress);

  /// True when the findings changed. `now` is for the estimate of the end.
  bool feed(std::string_view bytes, TimeMs now);
  /// The same for a last text without an end.
  bool finish(TimeMs now);

  const boost::json::object& artifacts() const { return artifacts_; }
  const std::vector<Link>& links() const { return links_; }
  const std::optional<Progress>& progress() const { return progress_; }
  /// True while the `$ ` line of the attempt has not been seen whole.
  bool expects_command_line() const { return skip_next_; }
  std::int64_t pending() const { return splitter_.pending(); }

  /// The expected hints that are missing, in words: warnings after SUCCESS.
  std::vector<std::string> missing() const;

 private:
  struct Patterns;
  LogScanner(JobTypePtr type, boost::json::object params, ReadTotal read_total);
  void scan(std::string_view text);
  void add_hint(const HintSpec& spec, std::string value);
  void add_params();
  bool scan_progress(std::string_view text, const ProgressSpec& spec, std::size_t index);
  std::optional<double> total_from_file(const ProgressSpec& spec);

  const JobTypePtr type_;
  const boost::json::object params_;
  const ReadTotal read_total_;
  std::unique_ptr<Patterns> patterns_;
  LineSplitter splitter_;
  bool skip_next_ = false;
  bool changed_ = false;
  TimeMs now_ = 0;

  boost::json::object artifacts_;
  std::vector<Link> links_;
  std::optional<Progress> progress_;
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
