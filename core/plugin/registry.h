#pragma once

#include <atomic>
#include <boost/json/object.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.h"
#include "core/base/confined_path.h"
#include "core/base/result.h"
#include "core/model/job_type.h"
#include "core/plugin/library_file.h"

namespace runyard {

class HostClient;

/// How the registry works; from the configuration (`plugins:`) and the command line.
struct PluginConfig {
  std::vector<std::filesystem::path> folders;  ///< where libraries are dropped; may not exist yet
  std::filesystem::path cache;                 ///< `<state>/plugins`: the copies that are loaded
  std::vector<std::string> host_command;       ///< e.g. {"/proc/self/exe", "plugin-host"}
  /// Programs that plugins may run: a Python module, or an executable with its path. A `*` at the
  /// end stands for anything.
  std::vector<std::string> allow = {"scripts.*"};
  /// By file name, the SHA-256 that a library must have; unless it is empty, no other is loaded.
  std::map<std::string, std::string> pinned;
  std::chrono::milliseconds call_deadline{2000};   ///< of one argv() at run time
  std::chrono::milliseconds probe_deadline{5000};  ///< of each call while a library is probed
  /// A library that did not answer in time while it was probed is tried again after these times.
  std::vector<std::chrono::milliseconds> probe_again{
      std::chrono::seconds(2), std::chrono::seconds(8), std::chrono::seconds(30)};
  std::uint64_t memory_limit = 1u << 30;  ///< address space of the host, bytes; 0: none
  int crashes_until_quarantine = 3;
};

enum class PluginState {
  kLoaded,       ///< its job type is offered
  kSuperseded,   ///< another library of the same type is offered
  kQuarantined,  ///< refused; `reason` says why and what to do
  kRemoved,      ///< its file has gone
};
/// As in the API: `loaded`, `superseded`, `quarantined`, `removed`.
std::string_view to_string(PluginState state);

/// One library that was seen: a line of `GET /api/admin/plugins`. What is not known is empty.
struct PluginInfo {
  std::filesystem::path path;
  std::string sha256, type, version;
  int abi = 0;  ///< the major; 0: unknown
  PluginState state = PluginState::kQuarantined;
  std::string reason;
  std::optional<TimeMs> loaded_at;
  std::optional<Program> program;
};

/// The document of one line of `GET /api/admin/plugins`, without the jobs run, which the store
/// knows.
boost::json::object to_json(const PluginInfo& info);

/// The job types that the libraries in the plugin folders offer. Owned by the service.
///
/// Any thread may call any function. Readers see immutable snapshots; rescan() builds the next one
/// beside them, with a new generation of the plugin host, and swaps. Whoever holds a JobTypePtr can
/// go on using it: an old generation starts its host again for a call.
///
/// Invariants: a library is only ever loaded from its copy `<cache>/<sha256>.so`, and never into
/// this process; a job type is offered only after every check of its library has passed.
class PluginRegistry {
 public:
  /// Touches nothing; the first rescan() empties the cache and fills it.
  explicit PluginRegistry(PluginConfig config);
  ~PluginRegistry();
  PluginRegistry(const PluginRegistry&) = delete;
  PluginRegistry& operator=(const PluginRegistry&) = delete;

  /// Looks at the folders; takes over what has appeared, changed or gone, and tries what was
  /// refused once more. True when the offered job types or list() may have changed. A bad library
  /// is no error of the scan: list() has it with its reason. kInternal, kNoSpace when the cache
  /// cannot be written, kUnavailable when the host cannot be started; what was offered stays then.
  Result<bool> rescan();

  /// rescan() for one who looks again and again: one stat for each file when nothing has changed. A
  /// file that appears, changes or goes is taken over when two looks in a row have seen it so, and
  /// not while it is being written. What is half written for more than kPatience is told as
  /// defective. What was refused stays so, but for `probe_again`.
  Result<bool> look_again();
  static constexpr std::chrono::seconds kPatience{10};

  /// Replaces the lists of what is allowed (the configuration was read again); the next rescan()
  /// applies them.
  void set_allow(std::vector<std::string> allow, std::map<std::string, std::string> pinned = {});

  /// The offered job types, in the order of `type`.
  std::vector<JobTypePtr> job_types() const;
  /// nullptr when it is not offered.
  JobTypePtr find_slug(std::string_view slug) const;
  JobTypePtr find_type(std::string_view type) const;

  /// Every library seen since the start, in the order of paths.
  std::vector<PluginInfo> list() const;

  /// Whether plugins can be asked now; kUnavailable with a sentence when not. Asks one.
  Result<> check_host();
  /// Processes of the plugin host that were started so far.
  std::uint64_t host_starts() const { return *host_starts_; }

  /// Checks a submitter's inputs (without `_job`): bounds, unknown fields, schema, paths. Returns
  /// them with defaults filled in and paths in normal form; else kInvalid with every bad field.
  /// `type` comes from this registry.
  Result<boost::json::object> check(const JobType& type, boost::json::object params,
                                    const Confinement& confinement) const;

  /// The command's arguments after the program, for what check() returned. kInvalid with fields
  /// when the inputs do not go together; kInternal when the plugin failed, crashed, looped or broke
  /// its promises (crashes and loops are counted, and the third quarantines it); kUnavailable when
  /// it is quarantined or the host is down or busy. Blocks for thrice the call deadline at most,
  /// and longer only while a host starts.
  Result<std::vector<std::string>> argv(const JobType& type, const boost::json::object& params);

 private:
  struct Plugin;
  struct Snapshot;
  struct Candidate;
  struct Verdict;
  /// What the configuration says of libraries.
  struct Policy {
    std::vector<std::string> allow;
    std::map<std::string, std::string> pinned;
    bool operator==(const Policy&) const = default;
  };

  Result<bool> scan(bool patient);
  Result<std::vector<Candidate>> look(bool patient);
  Result<Candidate> read(const std::filesystem::path& path, const FileStamp& stamp) const;
  const Candidate* known(const std::filesystem::path& path) const;
  Result<std::shared_ptr<Snapshot>> load(const std::vector<Candidate>& candidates,
                                         const Policy& policy);
  /// Probes the content, unless it is known what that gives.
  Result<const Verdict*> judge(HostClient& host, const LibraryCopy& copy, const Policy& policy);
  /// Drops the verdicts that no longer count; true when there were such.
  bool forget_verdicts(bool patient, bool policy_changed);
  std::shared_ptr<const Snapshot> snapshot() const;
  std::shared_ptr<const Plugin> plugin_of(const JobType& type) const;
  void count_crash(const Plugin& plugin, const std::string& message);

  const PluginConfig config_;  // but for what is policy_

  const std::shared_ptr<std::atomic<std::uint64_t>> host_starts_;  // shared with each HostClient

  std::mutex scan_mutex_;  // one scan at a time; taken before mutex_; guards:
  std::vector<Candidate> candidates_;
  /// What the last patient look saw and did not take over yet; without a stamp: it is gone.
  std::map<std::filesystem::path, std::optional<FileStamp>> pending_;
  std::map<std::string, Verdict> verdicts_;  // by sha256; those of the files that are there
  Policy applied_policy_;
  bool scanned_ = false;

  mutable std::mutex mutex_;  // held shortly; guards:
  std::shared_ptr<const Snapshot> snapshot_;
  Policy policy_;
  std::map<std::string, std::weak_ptr<const Plugin>> by_sha256_;
  std::map<std::string, int> crashes_;              // by sha256
  std::map<std::string, std::string> quarantined_;  // by sha256: why; until the server ends
  bool reload_ = false;                             // the next rescan() loads all anew
};

}  // namespace runyard
