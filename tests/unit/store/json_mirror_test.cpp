#include "core/store/json_mirror.h"

#include <gtest/gtest.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <boost/json.hpp>
#include <condition_variable>
#include <future>
#include <map>
#include <mutex>
#include <thread>

#include "core/base/files.h"
#include "tests/unit/base/temp_folder.h"
#include "tests/unit/model/sample_job.h"
#include "tests/unit/store/store_helpers.h"

namespace runyard {
namespace {

namespace json = boost::json;

/// What on_flushed says, to wait for.
class Flushed {
 public:
  std::function<void(std::int64_t)> callback() {
    return [this](std::int64_t seq) {
      std::lock_guard lock(mutex_);
      seqs_.push_back(seq);
      changed_.notify_all();
    };
  }
  bool wait_for(std::int64_t seq) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(30),
                             [&] { return !seqs_.empty() && seqs_.back() >= seq; });
  }
  std::vector<std::int64_t> seqs() {
    std::lock_guard lock(mutex_);
    return seqs_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::int64_t> seqs_;
};

/// Stands in for the log, to wait until something is written to it.
class Complaints : public spdlog::sinks::base_sink<std::mutex> {
 public:
  bool wait() {
    return said_.get_future().wait_for(std::chrono::seconds(30)) == std::future_status::ready;
  }

 protected:
  void sink_it_(const spdlog::details::log_msg&) override {
    if (!std::exchange(spoken_, true)) said_.set_value();
  }
  void flush_() override {}

 private:
  std::promise<void> said_;
  bool spoken_ = false;
};

JobPtr state(int n, std::int64_t seq, std::string note = "") {
  Job job = numbered(n);
  job.seq = seq;
  job.note = std::move(note);
  return share(std::move(job));
}

class JsonMirrorTest : public ::testing::Test {
 protected:
  JsonMirrorTest() : mirror_(std::make_unique<JsonMirror>(folder_.path(), flushed_.callback())) {}

  bool exists(int n) const { return std::filesystem::exists(path(n)); }
  std::filesystem::path path(int n) const { return folder_ / (numbered(n).job_id + ".json"); }
  Job read(int n) const {
    const auto job = job_from_json(json::parse(*read_file(path(n))));
    EXPECT_TRUE(job);
    return *job;
  }
  std::size_t file_count() const {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(folder_.path()), {}));
  }

  TempFolder folder_;
  Flushed flushed_;
  std::unique_ptr<JsonMirror> mirror_;
};

TEST_F(JsonMirrorTest, WritesTheRecord) {
  const Job job = full_job();
  mirror_->touch(share(job));
  ASSERT_TRUE(flushed_.wait_for(job.seq));
  const auto text = read_file(folder_ / (job.job_id + ".json"));
  ASSERT_TRUE(text);
  EXPECT_EQ(*text, record_text(job));
  EXPECT_EQ(json::parse(*text), json::value(to_json(job, Form::kRecord)));
  EXPECT_EQ(file_count(), 1u);
}

TEST_F(JsonMirrorTest, IsAtMostAQuarterOfASecondBehind) {
  // The best of some tries, because a busy machine may be slow at any of them.
  auto best = std::chrono::steady_clock::duration::max();
  for (int seq = 1; seq <= 20 && best >= std::chrono::milliseconds(250); ++seq) {
    const auto begin = std::chrono::steady_clock::now();
    mirror_->touch(state(1, seq));
    ASSERT_TRUE(flushed_.wait_for(seq));
    best = std::min(best, std::chrono::steady_clock::now() - begin);
  }
  EXPECT_LT(best, std::chrono::milliseconds(250));
}

TEST_F(JsonMirrorTest, ManyChangesOfAJobAreOneWrite) {
  const auto begin = std::chrono::steady_clock::now();
  const auto passed = [&] { return std::chrono::steady_clock::now() - begin; };
  int seq = 0;
  while (seq < 500 || passed() < std::chrono::milliseconds(100)) {
    ++seq;
    mirror_->touch(state(seq % 3, seq, std::to_string(seq)));
  }
  ASSERT_TRUE(flushed_.wait_for(seq));
  // One write, but for a machine that stood still meanwhile.
  const auto rounds = static_cast<std::size_t>(passed() / std::chrono::milliseconds(200));
  EXPECT_LE(flushed_.seqs().size(), std::max<std::size_t>(rounds, 1));
  for (int back = 0; back < 3; ++back) {
    EXPECT_EQ(read((seq - back) % 3).note, std::to_string(seq - back));
  }
}

TEST_F(JsonMirrorTest, TheNewestStateWins) {
  mirror_->touch(state(1, 5, "new"));
  mirror_->touch(state(1, 3, "old"));
  mirror_.reset();
  EXPECT_EQ(read(1).note, "new");
}

TEST_F(JsonMirrorTest, TheDestructorWritesWhatWaits) {
  for (int n = 1; n <= 50; ++n) mirror_->touch(state(n, n));
  mirror_.reset();
  EXPECT_EQ(file_count(), 50u);
  EXPECT_EQ(flushed_.seqs().back(), 50);
}

TEST_F(JsonMirrorTest, ForgetRemovesTheRecord) {
  mirror_->touch(state(1, 1));
  mirror_->touch(state(2, 2));
  ASSERT_TRUE(flushed_.wait_for(2));
  ASSERT_TRUE(exists(1) && exists(2));
  mirror_->forget(numbered(1).job_id);
  mirror_->touch(state(3, 3));
  mirror_->forget(numbered(3).job_id);  // before it was written
  mirror_->forget(numbered(4).job_id);  // was never there
  mirror_.reset();
  EXPECT_FALSE(exists(1));
  EXPECT_TRUE(exists(2));
  EXPECT_FALSE(exists(3));
  EXPECT_EQ(file_count(), 1u);
}

TEST_F(JsonMirrorTest, WhatCannotBeWrittenIsTriedAgain) {
  const auto later = folder_ / "later";
  const auto complaints = std::make_shared<Complaints>();
  const auto logger = spdlog::default_logger();
  spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", complaints));
  mirror_ = std::make_unique<JsonMirror>(later, flushed_.callback());
  mirror_->touch(state(1, 1, "first"));
  mirror_->touch(state(2, 2));
  ASSERT_TRUE(complaints->wait());
  EXPECT_TRUE(flushed_.seqs().empty());
  // Now that its first round has failed, the folder appears, and a newer state.
  mirror_->touch(state(1, 3, "second"));
  std::filesystem::create_directories(later);
  ASSERT_TRUE(flushed_.wait_for(3));
  const auto text = read_file(later / (numbered(1).job_id + ".json"));
  ASSERT_TRUE(text);
  EXPECT_NE(text->find("\"second\""), std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(later / (numbered(2).job_id + ".json")));
  mirror_.reset();
  spdlog::set_default_logger(logger);
}

TEST_F(JsonMirrorTest, ADestructorDoesNotWaitForAFolderThatIsGone) {
  mirror_ = std::make_unique<JsonMirror>(folder_ / "none", flushed_.callback());
  mirror_->touch(state(1, 1));
  mirror_.reset();
  EXPECT_TRUE(flushed_.seqs().empty());
}

TEST_F(JsonMirrorTest, AReaderNeverSeesAPart) {
  Job job = numbered(1);
  job.tags.assign(2000, "a rather long tag, so that the file is not written in one piece");
  mirror_->touch(share(job));
  mirror_.reset();
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    for (int seq = 2; !stop; ++seq) {
      JsonMirror mirror(folder_.path(), [](std::int64_t) {});
      job.seq = seq;
      job.tags.resize(seq % 2 ? 2000 : 500, job.tags[0]);
      mirror.touch(share(job));
    }
  });
  for (int i = 0; i < 200; ++i) {
    for_each_record(folder_.path(), [&](Record record) {
      EXPECT_TRUE(record.job) << record.job.error().message;
      if (!record.job) return false;
      EXPECT_TRUE(record.job->tags.size() == 2000 || record.job->tags.size() == 500);
      return true;
    });
  }
  stop = true;
  writer.join();
}

// ---- The text ----

TEST(RecordText, IsIndentedForPeopleAndDifferences) {
  Job job = numbered(1);
  job.tags = {"a", "b"};
  const std::string text = record_text(job);
  EXPECT_TRUE(text.starts_with("{\n  \"job_id\": \"" + job.job_id + "\",\n"));
  EXPECT_TRUE(text.ends_with("\n}\n"));
  EXPECT_NE(text.find("\n  \"tags\": [\n    \"a\",\n    \"b\"\n  ],\n"), std::string::npos) << text;
  EXPECT_NE(text.find("\n  \"links\": [],\n"), std::string::npos);
  EXPECT_NE(text.find("\n  \"params\": {\n    \"config_path\": \"configs/base.yaml\"\n  },\n"),
            std::string::npos);
  EXPECT_EQ(text.find("progress"), std::string::npos);
  EXPECT_EQ(text.find("log_size"), std::string::npos);
}

TEST(RecordText, IsTheSameDocument) {
  Job job = full_job();
  job.params["a\"b\\c\n"] = json::object{{"", json::array{json::object(), json::array()}}};
  EXPECT_EQ(json::parse(record_text(job)), json::value(to_json(job, Form::kRecord)));
}

// ---- Reading the folder ----

class ForEachRecord : public ::testing::Test {
 protected:
  /// Id -> "ok", or the reason of the damage.
  std::map<std::string, std::string> read() const {
    std::map<std::string, std::string> found;
    for_each_record(folder_.path(), [&](Record record) {
      found[record.job_id] = record.job ? "ok" : record.job.error().message;
      return true;
    });
    return found;
  }
  static std::string id(int n) { return numbered(n).job_id; }

  TempFolder folder_;
};

TEST_F(ForEachRecord, ReadsRecordsAndNothingElse) {
  folder_.put(id(1) + ".json", record_text(numbered(1)));
  folder_.put(id(2) + ".json", record_text(numbered(2, JobStatus::kSuccess)));
  for (const std::string& name :
       {id(3) + ".log", id(3) + ".json.tmp", id(3) + ".JSON", id(3), std::string("notes.json"),
        std::string(".json"), std::string("job_x.json"), "x" + id(3) + ".json", id(3) + "0.json",
        std::string("README.md"), std::string("job_20261122_101530__0AF39C7E.json")}) {
    folder_.put(name, record_text(numbered(3)));
  }
  folder_.put("below/" + id(4) + ".json", record_text(numbered(4)));
  EXPECT_EQ(read(), (std::map<std::string, std::string>{{id(1), "ok"}, {id(2), "ok"}}));
}

TEST_F(ForEachRecord, ALinkOutOfTheFolderIsNoRecord) {
  const TempFolder elsewhere;
  elsewhere.put("record.json", record_text(numbered(1)));
  std::filesystem::create_symlink(elsewhere / "record.json", folder_ / (id(1) + ".json"));
  folder_.put(id(2) + ".json", record_text(numbered(2)));
  const auto found = read();
  EXPECT_NE(found.at(id(1)), "ok");
  EXPECT_EQ(found.at(id(2)), "ok");
}

TEST_F(ForEachRecord, DamagedOnesAreNamed) {
  const std::string good = record_text(numbered(1));
  folder_.put(id(1) + ".json", good);
  folder_.put(id(2) + ".json", "");
  folder_.put(id(3) + ".json", good.substr(0, good.size() / 2));
  folder_.put(id(4) + ".json", good);  // of another job
  folder_.put(id(5) + ".json", "[]");
  folder_.put(id(6) + ".json", "{}");
  folder_.put(id(7) + ".json", "<<<<<<< HEAD\n" + good);  // a merge conflict
  folder_.put(id(8) + ".json", std::string(9 << 20, ' '));
  folder_.put(id(9) + ".json", std::string(100'000, '['));
  folder_.put(id(10) + ".json", std::string(5000, '\0'));
  std::filesystem::create_directories(folder_ / (id(11) + ".json"));
  std::filesystem::create_symlink("nowhere", folder_ / (id(12) + ".json"));
  auto found = read();
  ASSERT_EQ(found.size(), 12u);
  EXPECT_EQ(found[id(1)], "ok");
  EXPECT_NE(found[id(4)].find("another job"), std::string::npos);
  found.erase(id(1));
  for (const auto& [job_id, why] : found) {
    EXPECT_NE(why, "ok") << job_id;
    EXPECT_FALSE(why.empty()) << job_id;
  }
}

TEST_F(ForEachRecord, AByteOrderMarkIsDamage) {
  // git and editors on Windows may add one; it is said, not guessed.
  folder_.put(id(1) + ".json", "\xEF\xBB\xBF" + record_text(numbered(1)));
  EXPECT_NE(read()[id(1)], "ok");
  // CRLF is white space to JSON.
  std::string text = record_text(numbered(2));
  for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 2) {
    text.insert(at, 1, '\r');
  }
  folder_.put(id(2) + ".json", text);
  EXPECT_EQ(read()[id(2)], "ok");
}

TEST_F(ForEachRecord, ReadsInputsAsDeepAsARequestMayBe) {
  Job job = numbered(1);
  job.params =
      json::parse("{\"deep\":" + std::string(31, '[') + std::string(31, ']') + "}").as_object();
  folder_.put(id(1) + ".json", record_text(job));
  EXPECT_EQ(read()[id(1)], "ok");
}

TEST_F(ForEachRecord, StopsWhenAsked) {
  for (int n = 1; n <= 10; ++n) folder_.put(id(n) + ".json", record_text(numbered(n)));
  int calls = 0;
  for_each_record(folder_.path(), [&](const Record&) { return ++calls < 3; });
  EXPECT_EQ(calls, 3);
}

TEST(ForEachRecordOfNothing, AMissingFolderHasNone) {
  TempFolder folder;
  for_each_record(folder / "none", [](const Record&) {
    ADD_FAILURE();
    return true;
  });
}

}  // namespace
}  // namespace runyard
