#include "core/store/json_mirror.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <chrono>

#include "core/base/confined_path.h"
#include "core/base/files.h"
#include "core/base/ids.h"
#include "core/base/kill_point.h"
#include "core/base/plain_json.h"

namespace runyard {
namespace {

namespace json = boost::json;

constexpr auto kDelay = std::chrono::milliseconds(200);
constexpr auto kWriteAgainAfter = std::chrono::seconds(1);
constexpr std::size_t kMaxRecord = 8u << 20;

void write_indented(const json::value& value, int depth, std::string& out) {
  const std::string indent(static_cast<std::size_t>(depth + 1) * 2, ' ');
  const std::string end_indent(static_cast<std::size_t>(depth) * 2, ' ');
  bool first = true;
  if (const auto* object = value.if_object(); object && !object->empty()) {
    out += '{';
    for (const auto& [key, member] : *object) {
      out += first ? "\n" : ",\n";
      first = false;
      out += indent + json::serialize(json::string(key)) + ": ";
      write_indented(member, depth + 1, out);
    }
    out += '\n' + end_indent + '}';
  } else if (const auto* array = value.if_array(); array && !array->empty()) {
    out += '[';
    for (const auto& item : *array) {
      out += first ? "\n" : ",\n";
      first = false;
      out += indent;
      write_indented(item, depth + 1, out);
    }
    out += '\n' + end_indent + ']';
  } else {
    out += plain_json(value);
  }
}

}  // namespace

std::string record_text(const Job& job) {
  std::string text;
  write_indented(to_json(job, Form::kRecord), 0, text);
  text += '\n';
  return text;
}

JsonMirror::JsonMirror(std::filesystem::path folder, std::function<void(std::int64_t)> on_flushed)
    : folder_(std::move(folder)), on_flushed_(std::move(on_flushed)), thread_([this] { run(); }) {}

JsonMirror::~JsonMirror() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void JsonMirror::touch(JobPtr job) {
  bool first = false;
  {
    std::lock_guard lock(mutex_);
    first = waiting_.empty();
    if (!waiting_since_) waiting_since_ = Clock::now();
    const auto [waits, is_new] = waiting_.try_emplace(job->job_id, job);
    if (!is_new && waits->second && waits->second->seq < job->seq) waits->second = std::move(job);
  }
  if (first) wake_.notify_one();
}

void JsonMirror::forget(const std::string& job_id) {
  {
    std::lock_guard lock(mutex_);
    waiting_[job_id] = nullptr;
    if (!waiting_since_) waiting_since_ = Clock::now();
  }
  wake_.notify_one();
}

JsonMirror::Lag JsonMirror::lag() const {
  std::lock_guard lock(mutex_);
  const auto since = writing_since_ ? writing_since_ : waiting_since_;
  const std::chrono::duration<double> age =
      since ? Clock::now() - *since : std::chrono::duration<double>(0);
  return {waiting_.size() + writing_, age.count()};
}

void JsonMirror::run() {
  std::unique_lock lock(mutex_);
  bool failed = false;
  for (;;) {
    wake_.wait(lock, [this] { return !waiting_.empty() || stopping_; });
    wake_.wait_for(lock, failed ? std::chrono::milliseconds(kWriteAgainAfter) : kDelay,
                   [this] { return stopping_; });
    const bool stop = stopping_;
    std::map<std::string, JobPtr> batch;
    batch.swap(waiting_);
    writing_ = batch.size();
    writing_since_ = std::exchange(waiting_since_, std::nullopt);
    lock.unlock();
    kill_point("mirror_begin");
    std::int64_t highest = 0;
    failed = false;
    for (auto entry = batch.begin(); entry != batch.end();) {
      const auto& [job_id, job] = *entry;
      const auto path = folder_ / (job_id + ".json");
      if (!job) {
        ::unlink(path.c_str());
      } else if (auto done = write_file_atomic(path, record_text(*job)); !done) {
        if (!failed) spdlog::error("a job's record is late: {}", done.error().message);
        failed = true;
        ++entry;
        continue;
      } else {
        highest = std::max(highest, job->seq);
        kill_point("mirror_one_written");
      }
      entry = batch.erase(entry);
    }
    if (!failed && highest > 0) on_flushed_(highest);
    lock.lock();
    writing_ = 0;
    if (failed) waiting_since_ = writing_since_;
    writing_since_.reset();
    waiting_.merge(batch);  // What could not be written, unless something newer came.
    if (stop && (waiting_.empty() || failed)) return;
  }
}

void for_each_record(const std::filesystem::path& folder, const std::function<bool(Record)>& each) {
  std::error_code error;
  // A record may have come from elsewhere, by git: a link in its place leads nowhere outside.
  const auto beneath = Confinement::open(folder, {});
  if (!beneath) return;
  for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error)) {
    const auto& path = at->path();
    std::string job_id = path.stem().string();
    if (path.extension() != ".json" || !is_job_id(job_id)) continue;
    Result<Job> job = [&]() -> Result<Job> {
      const auto fd = beneath->open_beneath(path.filename().string(), Confinement::Kind::kFile);
      if (!fd) return fd.error();
      const auto text = read_fd(fd->get(), kMaxRecord);
      if (!text) return text.error();
      json::error_code parse_error;
      const auto document = json::parse(*text, parse_error, {}, record_parse_options());
      if (parse_error) return make_error(ErrorKind::kInvalid, path.string() + " is not JSON");
      auto read = job_from_json(document);
      if (read && read->job_id != job_id) {
        return make_error(ErrorKind::kInvalid, path.string() + " is the record of another job");
      }
      return read;
    }();
    if (!each(Record{std::move(job_id), std::move(job)})) return;
  }
}

}  // namespace runyard
