#include "core/exec/run_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <utility>

namespace runyard {
namespace {

constexpr std::size_t kRecordBytes = 4096;
constexpr std::size_t kSlotBytes = 1024;
constexpr std::size_t kClaimSlot = 0;
constexpr std::size_t kStartSlot = 1;
constexpr std::size_t kExitSlot = 2;
constexpr std::size_t kSlots = 3;
constexpr std::size_t kMaxControlBytes = 4096;
constexpr unsigned kRenameNoReplace = 1;  // RENAME_NOREPLACE, which <stdio.h> may hide

constexpr std::array<std::uint32_t, 256> make_crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0xEDB88320U : 0U);
    table[i] = value;
  }
  return table;
}
constexpr std::array<std::uint32_t, 256> kCrcTable = make_crc_table();

// ---- small pieces ----

void set_error(RunFolderError* error, int code, std::string sentence) {
  error->code = code;
  error->sentence = std::move(sentence);
}

// "cannot <what> <path>: <reason>", from errno.
void set_errno_error(RunFolderError* error, std::string_view what, std::string_view path) {
  const int code = errno;
  std::string sentence = "cannot ";
  sentence.append(what).append(" ").append(path).append(": ").append(std::strerror(code));
  set_error(error, code, std::move(sentence));
}

template <typename Int>
void append_number(std::string& out, Int value, int base = 10) {
  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value, base).ptr;
  out.append(digits.data(), end);
}

// The whole text as a number, in range; no sign where the type has none, no space, nothing after.
template <typename Int>
bool parse_number(std::string_view text, Int* value, int base = 10) {
  const char* const end = text.data() + text.size();
  const auto [stop, code] = std::from_chars(text.data(), end, *value, base);
  return code == std::errc() && stop == end;
}

void append_crc(std::string& out, std::uint32_t value) {
  std::string digits;
  append_number(digits, value, 16);
  out.append(8 - digits.size(), '0').append(digits);
}

bool write_all(int fd, std::string_view bytes, off_t offset) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(fd, bytes.data(), bytes.size(), offset);
    if (written < 0) {
      if (errno == EINTR) continue;
      return false;
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
    offset += written;
  }
  return true;
}

// Replaces folder/name by these bytes, so that a reader sees the old or the new file, whole.
bool replace_file(const std::string& folder, const char* name, std::string_view bytes,
                  RunFolderError* error) {
  const std::string path = folder + "/" + name;
  const std::string temporary = path + ".tmp";
  const int fd =
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
  bool done = fd >= 0 && write_all(fd, bytes, 0);
  // Some file systems report a full disk at the close only.
  if (fd >= 0 && ::close(fd) != 0) done = false;
  if (done && ::rename(temporary.c_str(), path.c_str()) == 0) return true;
  set_errno_error(error, "write", path);
  if (fd >= 0) ::unlink(temporary.c_str());
  return false;
}

// Reads a regular file of at most `limit` bytes. Never blocks on a pipe that somebody put there.
std::optional<std::string> read_file(const std::string& path, std::size_t limit,
                                     RunFolderError* error) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) {
    set_errno_error(error, "open", path);
    return std::nullopt;
  }
  std::optional<std::string> bytes;
  struct stat status {};
  if (::fstat(fd, &status) != 0) {
    set_errno_error(error, "read", path);
  } else if (!S_ISREG(status.st_mode)) {
    set_error(error, EINVAL, path + " is not a regular file");
  } else if (static_cast<std::uint64_t>(status.st_size) > limit) {
    set_error(error, EFBIG, path + " is larger than any file of its kind");
  } else {
    bytes.emplace(static_cast<std::size_t>(status.st_size), '\0');
    std::size_t have = 0;
    while (have < bytes->size()) {
      const ssize_t size = ::read(fd, bytes->data() + have, bytes->size() - have);
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) {
        set_errno_error(error, "read", path);
        bytes.reset();
      }
      if (size <= 0) break;
      have += static_cast<std::size_t>(size);
    }
    if (bytes) bytes->resize(have);
  }
  ::close(fd);
  return bytes;
}

// ---- spec ----

bool is_token(std::string_view text) {
  if (text.empty() || text.size() > 200) return false;
  for (const char c : text) {
    const bool allowed = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                         (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
    if (!allowed) return false;
  }
  return true;
}

// The rules that hold for a spec in memory as in the file; the reason when one is broken.
const char* broken_rule(const RunSpec& spec) {
  if (!is_token(spec.token)) return "its token is not of the form [A-Za-z0-9._-]{1,200}";
  if (spec.cwd.empty() || spec.cwd[0] != '/') return "its cwd is not an absolute path";
  if (spec.log.empty() || spec.log[0] != '/') return "its log is not an absolute path";
  if (spec.args.empty() || spec.args[0].empty()) return "it names no program";
  for (const std::string& variable : spec.env) {
    const std::size_t equals = variable.find('=');
    if (equals == 0 || equals == std::string::npos) return "an env entry is not NAME=value";
  }
  return nullptr;
}

bool has_nul(const RunSpec& spec) {
  const auto nul = [](const std::string& text) { return text.find('\0') != std::string::npos; };
  if (nul(spec.token) || nul(spec.cwd) || nul(spec.log)) return true;
  for (const std::string& arg : spec.args) {
    if (nul(arg)) return true;
  }
  for (const std::string& variable : spec.env) {
    if (nul(variable)) return true;
  }
  for (const std::string& name : spec.inherit) {
    if (nul(name)) return true;
  }
  return false;
}

constexpr std::string_view kSpecHead = "runyard-run=1";
constexpr std::string_view kCrcKey = "crc32=";
constexpr std::size_t kSpecTail = kCrcKey.size() + 8 + 1;  // "crc32=xxxxxxxx\0"

// Takes one record of a spec. False: it is not known, or stands there twice.
bool take_spec_field(std::string_view key, std::string_view value, RunSpec* spec, unsigned* seen) {
  const auto once = [seen](unsigned bit) {
    const bool first = (*seen & bit) == 0;
    *seen |= bit;
    return first;
  };
  if (key == "arg") return spec->args.emplace_back(value), true;
  if (key == "env") return spec->env.emplace_back(value), true;
  if (key == "inherit") return spec->inherit.emplace_back(value), true;
  if (key == "token") return spec->token = value, once(1);
  if (key == "cwd") return spec->cwd = value, once(2);
  if (key == "log") return spec->log = value, once(4);
  if (key == "timeout_ms") return parse_number(value, &spec->timeout_ms) && once(8);
  if (key == "grace_ms") return parse_number(value, &spec->grace_ms) && once(16);
  if (key == "log_max_bytes") return parse_number(value, &spec->log_max_bytes) && once(32);
  return false;
}

// ---- record ----

// One slot: `<kind> key=value ... crc32=xxxxxxxx\n`. Values hold no space.
class SlotWriter {
 public:
  explicit SlotWriter(std::string_view kind) : line_(kind) {}

  SlotWriter& text(std::string_view key, std::string_view value) {
    line_.append(" ").append(key).append("=").append(value);
    return *this;
  }
  template <typename Int>
  SlotWriter& number(std::string_view key, Int value) {
    line_.append(" ").append(key).append("=");
    append_number(line_, value);
    return *this;
  }
  std::string finish() {
    const std::uint32_t sum = crc32(line_);
    line_.append(" ").append(kCrcKey);
    append_crc(line_, sum);
    line_.append("\n");
    line_.resize(kSlotBytes, '\0');
    return std::move(line_);
  }

 private:
  std::string line_;
};

class SlotReader {
 public:
  // The line without its sum, or nothing when the slot is damaged.
  static std::optional<SlotReader> open(std::string_view slot, std::string_view kind) {
    const std::size_t end = slot.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    std::string_view line = slot.substr(0, end);
    const std::size_t tail = 1 + kCrcKey.size() + 8;
    if (line.size() < kind.size() + tail) return std::nullopt;
    const std::string_view sum = line.substr(line.size() - tail);
    line.remove_suffix(tail);
    std::uint32_t expected = 0;
    if (sum[0] != ' ' || sum.substr(1, kCrcKey.size()) != kCrcKey ||
        !parse_number(sum.substr(1 + kCrcKey.size()), &expected, 16) || crc32(line) != expected) {
      return std::nullopt;
    }
    if (line.substr(0, kind.size()) != kind) return std::nullopt;
    line.remove_prefix(kind.size());
    if (!line.empty() && line[0] != ' ') return std::nullopt;
    return SlotReader(line);
  }

  std::optional<std::string_view> text(std::string_view key) const {
    std::string_view rest = fields_;
    while (!rest.empty()) {
      rest.remove_prefix(1);  // the space
      const std::size_t end = std::min(rest.find(' '), rest.size());
      const std::string_view field = rest.substr(0, end);
      if (field.size() > key.size() && field[key.size()] == '=' &&
          field.substr(0, key.size()) == key) {
        return field.substr(key.size() + 1);
      }
      rest.remove_prefix(end);
    }
    return std::nullopt;
  }
  template <typename Int>
  bool number(std::string_view key, Int* value) const {
    const auto digits = text(key);
    return digits && parse_number(*digits, value);
  }
  template <typename Int>
  bool optional_number(std::string_view key, std::optional<Int>* value) const {
    const auto digits = text(key);
    if (!digits) return true;
    return parse_number(*digits, &value->emplace());
  }

 private:
  explicit SlotReader(std::string_view fields) : fields_(fields) {}
  std::string_view fields_;
};

constexpr std::array<std::string_view, 7> kEndNames = {
    "exited", "cancelled", "timeout", "log_limit", "terminated", "spawn_error", "withdrawn"};
constexpr std::array<std::string_view, 6> kStageNames = {"none", "spec",  "log",
                                                         "fork", "chdir", "exec"};

template <typename Enum, std::size_t kCount>
bool parse_name(std::optional<std::string_view> name,
                const std::array<std::string_view, kCount>& names, Enum* value) {
  for (std::size_t i = 0; name && i < kCount; ++i) {
    if (names[i] != *name) continue;
    *value = static_cast<Enum>(i);
    return true;
  }
  return false;
}

std::string encode(const RunClaim& claim) {
  SlotWriter slot("claim");
  slot.number("version", kRunFolderVersion)
      .number("pid", claim.shim.pid)
      .number("ticks", claim.shim.start_ticks)
      .text("boot", claim.boot_id.empty() ? "unknown" : claim.boot_id)
      .number("wall_ms", claim.wall_ms);
  if (!claim.cgroup.empty()) slot.text("cgroup", claim.cgroup);
  return slot.finish();
}

std::string encode(const RunStart& start) {
  return SlotWriter("start")
      .number("pid", start.command.pid)
      .number("ticks", start.command.start_ticks)
      .number("wall_ms", start.wall_ms)
      .number("log_start", start.log_start)
      .finish();
}

std::string encode(const RunExit& exit) {
  SlotWriter slot("exit");
  slot.text("reason", to_string(exit.reason));
  if (exit.exit_code) slot.number("exit_code", *exit.exit_code);
  if (exit.signal) slot.number("signal", *exit.signal);
  if (exit.stage != SpawnStage::kNone) {
    slot.text("stage", to_string(exit.stage)).number("errno", exit.error);
  }
  return slot.number("wall_ms", exit.wall_ms)
      .number("log_end", exit.log_end)
      .number("user_us", exit.user_us)
      .number("sys_us", exit.system_us)
      .number("max_rss_kb", exit.max_rss_kb)
      .number("left", exit.left)
      .finish();
}

bool decode(const SlotReader& slot, RunClaim* claim) {
  int version = 0;
  const auto boot = slot.text("boot");
  if (boot) claim->boot_id = *boot;
  claim->cgroup = slot.text("cgroup").value_or("");
  return boot && slot.number("version", &version) && version == kRunFolderVersion &&
         slot.number("pid", &claim->shim.pid) && slot.number("ticks", &claim->shim.start_ticks) &&
         slot.number("wall_ms", &claim->wall_ms);
}

bool decode(const SlotReader& slot, RunStart* start) {
  return slot.number("pid", &start->command.pid) &&
         slot.number("ticks", &start->command.start_ticks) &&
         slot.number("wall_ms", &start->wall_ms) && slot.number("log_start", &start->log_start);
}

bool decode(const SlotReader& slot, RunExit* exit) {
  if (!parse_name(slot.text("reason"), kEndNames, &exit->reason)) return false;
  if (slot.text("stage") && (!parse_name(slot.text("stage"), kStageNames, &exit->stage) ||
                             !slot.number("errno", &exit->error))) {
    return false;
  }
  return slot.optional_number("exit_code", &exit->exit_code) &&
         slot.optional_number("signal", &exit->signal) && slot.number("wall_ms", &exit->wall_ms) &&
         slot.number("log_end", &exit->log_end) && slot.number("user_us", &exit->user_us) &&
         slot.number("sys_us", &exit->system_us) && slot.number("max_rss_kb", &exit->max_rss_kb) &&
         slot.number("left", &exit->left);
}

template <typename Slot>
void read_slot(std::string_view record, std::size_t index, std::string_view kind,
               std::optional<Slot>* slot, bool* damaged) {
  std::string_view bytes = record.substr(std::min(index * kSlotBytes, record.size()), kSlotBytes);
  if (bytes.find_first_not_of('\0') == std::string_view::npos) return;  // not written yet
  const auto reader = SlotReader::open(bytes, kind);
  if (reader && decode(*reader, &slot->emplace())) return;
  slot->reset();
  *damaged = true;
}

// Makes `temporary` the record, unless there is one: 0, or errno (EEXIST: there is one).
int publish_record(const std::string& temporary, const std::string& path) {
  if (::syscall(SYS_renameat2, AT_FDCWD, temporary.c_str(), AT_FDCWD, path.c_str(),
                kRenameNoReplace) == 0) {
    return 0;
  }
  if (errno != EINVAL && errno != ENOSYS) return errno;
  // NFS and others: a hard link is as exclusive. Its answer may get lost on the way, so the number
  // of links decides.
  const int code = ::link(temporary.c_str(), path.c_str()) == 0 ? 0 : errno;
  struct stat status {};
  const bool linked = ::stat(temporary.c_str(), &status) == 0 && status.st_nlink == 2;
  ::unlink(temporary.c_str());
  return linked ? 0 : (code == 0 ? EIO : code);
}

ClaimOutcome create_record(const std::string& folder, const RunClaim& claim,
                           std::string_view exit_slot, int* fd, RunFolderError* error) {
  const std::string path = folder + "/record";
  // No living process of any machine shares this name; a dead one may have left the file.
  std::string temporary = path + ".";
  temporary.append(claim.boot_id).append(".");
  append_number(temporary, claim.shim.pid);

  *fd = ::open(temporary.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
  int code = *fd < 0 ? errno : ::posix_fallocate(*fd, 0, kRecordBytes);
  if (code == 0 && !(write_all(*fd, encode(claim), kClaimSlot * kSlotBytes) &&
                     write_all(*fd, exit_slot, kExitSlot * kSlotBytes))) {
    code = errno;
  }
  if (code == 0) code = publish_record(temporary, path);
  if (code == 0) return ClaimOutcome::kClaimed;

  if (*fd >= 0) {
    ::close(*fd);
    *fd = -1;
    ::unlink(temporary.c_str());
  }
  errno = code;
  set_errno_error(error, "create", path);
  return code == EEXIST ? ClaimOutcome::kTaken : ClaimOutcome::kFailed;
}

}  // namespace

std::uint32_t crc32(std::string_view bytes) {
  std::uint32_t value = 0xFFFFFFFFU;
  for (const char c : bytes) {
    value = (value >> 8) ^ kCrcTable[(value ^ static_cast<unsigned char>(c)) & 0xFFU];
  }
  return value ^ 0xFFFFFFFFU;
}

std::int64_t wall_clock_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
}

std::string_view to_string(RunEnd reason) { return kEndNames[static_cast<std::size_t>(reason)]; }

std::string_view to_string(SpawnStage stage) {
  return kStageNames[static_cast<std::size_t>(stage)];
}

std::optional<std::string> encode_spec(const RunSpec& spec, RunFolderError* error) {
  const char* const broken =
      has_nul(spec) ? "a value contains a NUL byte, which no argument or variable can hold"
                    : broken_rule(spec);
  if (broken != nullptr) {
    set_error(error, EINVAL, std::string("the spec cannot be run: ") + broken);
    return std::nullopt;
  }
  std::string out;
  const auto put = [&out](std::string_view key, std::string_view value) {
    out.append(key).append("=").append(value).push_back('\0');
  };
  const auto put_number = [&out](std::string_view key, std::uint64_t value) {
    out.append(key).append("=");
    append_number(out, value);
    out.push_back('\0');
  };
  out.append(kSpecHead).push_back('\0');
  put("token", spec.token);
  put("cwd", spec.cwd);
  put("log", spec.log);
  put_number("timeout_ms", spec.timeout_ms);
  put_number("grace_ms", spec.grace_ms);
  put_number("log_max_bytes", spec.log_max_bytes);
  for (const std::string& arg : spec.args) put("arg", arg);
  for (const std::string& variable : spec.env) put("env", variable);
  for (const std::string& name : spec.inherit) put("inherit", name);
  const std::uint32_t sum = crc32(out);
  out.append(kCrcKey);
  append_crc(out, sum);
  out.push_back('\0');
  if (out.size() > kMaxSpecBytes) {
    set_error(error, E2BIG, "the command with its environment is larger than 8 MiB");
    return std::nullopt;
  }
  return out;
}

std::optional<RunSpec> decode_spec(std::string_view bytes, RunFolderError* error) {
  const auto refuse = [error](const char* why) {
    set_error(error, EPROTO, std::string("the spec cannot be run: ") + why);
    return std::nullopt;
  };
  const std::string_view head = bytes.substr(0, std::min(bytes.find('\0'), bytes.size()));
  if (head != kSpecHead) return refuse("it is not a run folder of version 1");
  std::uint32_t expected = 0;
  const std::string_view tail = bytes.substr(bytes.size() - std::min(bytes.size(), kSpecTail));
  if (tail.size() != kSpecTail || tail.back() != '\0' ||
      tail.substr(0, kCrcKey.size()) != kCrcKey ||
      !parse_number(tail.substr(kCrcKey.size(), 8), &expected, 16)) {
    return refuse("it is cut off");
  }
  bytes.remove_suffix(kSpecTail);
  if (crc32(bytes) != expected || bytes.back() != '\0') return refuse("its checksum is wrong");
  bytes.remove_prefix(head.size() + 1);

  RunSpec spec;
  unsigned seen = 0;
  while (!bytes.empty()) {
    const std::string_view field = bytes.substr(0, bytes.find('\0'));
    bytes.remove_prefix(field.size() + 1);
    const std::size_t equals = field.find('=');
    // An instruction that is not understood must not be skipped in silence.
    if (equals == std::string_view::npos ||
        !take_spec_field(field.substr(0, equals), field.substr(equals + 1), &spec, &seen)) {
      return refuse("it has a field that this version does not know");
    }
  }
  if (const char* const broken = broken_rule(spec)) return refuse(broken);
  return spec;
}

bool write_spec(const std::string& folder, const RunSpec& spec, RunFolderError* error) {
  const auto bytes = encode_spec(spec, error);
  return bytes && replace_file(folder, "spec", *bytes, error);
}

std::optional<RunSpec> read_spec(const std::string& folder, RunFolderError* error) {
  const auto bytes = read_file(folder + "/spec", kMaxSpecBytes, error);
  return bytes ? decode_spec(*bytes, error) : std::nullopt;
}

bool write_control(const std::string& folder, const RunControl& control, RunFolderError* error) {
  std::string text;
  if (control.cancel) text.append("cancel\n");
  if (control.timeout_ms) {
    text.append("timeout_ms=");
    append_number(text, *control.timeout_ms);
    text.push_back('\n');
  }
  return replace_file(folder, "control", text, error);
}

std::optional<RunControl> read_control(const std::string& folder, RunFolderError* error) {
  const auto text = read_file(folder + "/control", kMaxControlBytes, error);
  if (!text && error->code == ENOENT) return RunControl{};
  if (!text) return std::nullopt;
  constexpr std::string_view kTimeout = "timeout_ms=";
  RunControl control;
  std::string_view rest = *text;
  // Only whole lines count.
  for (std::size_t end; (end = rest.find('\n')) != std::string_view::npos;) {
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    std::uint64_t timeout = 0;
    if (line == "cancel") control.cancel = true;
    if (line.substr(0, kTimeout.size()) == kTimeout &&
        parse_number(line.substr(kTimeout.size()), &timeout)) {
      control.timeout_ms = timeout;
    }
  }
  return control;
}

RecordState read_record(const std::string& folder, RunRecord* record, RunFolderError* error) {
  *record = {};
  const auto bytes = read_file(folder + "/record", kRecordBytes, error);
  if (!bytes) return error->code == ENOENT ? RecordState::kAbsent : RecordState::kUnreadable;
  read_slot(*bytes, kClaimSlot, "claim", &record->claim, &record->damaged);
  read_slot(*bytes, kStartSlot, "start", &record->start, &record->damaged);
  read_slot(*bytes, kExitSlot, "exit", &record->exit, &record->damaged);
  static_assert(kSlots * kSlotBytes <= kRecordBytes);
  return RecordState::kPresent;
}

ClaimOutcome claim_attempt(const std::string& folder, const RunClaim& claim, int* fd,
                           RunFolderError* error) {
  return create_record(folder, claim, {}, fd, error);
}

ClaimOutcome withdraw_attempt(const std::string& folder, const RunClaim& claim,
                              RunFolderError* error) {
  RunExit exit;
  exit.reason = RunEnd::kWithdrawn;
  exit.wall_ms = claim.wall_ms;
  int fd = -1;
  const ClaimOutcome outcome = create_record(folder, claim, encode(exit), &fd, error);
  if (fd >= 0) ::close(fd);
  return outcome;
}

bool write_start(int fd, const RunStart& start) {
  return write_all(fd, encode(start), kStartSlot * kSlotBytes);
}

bool write_exit(int fd, const RunExit& exit, bool durable) {
  if (!write_all(fd, encode(exit), kExitSlot * kSlotBytes)) return false;
  return !durable || ::fsync(fd) == 0;
}

}  // namespace runyard
