#include "core/exec/run_folder.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>
#include <thread>
#include <vector>

namespace runyard {
namespace {

class RunFolderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = ::testing::TempDir() + "run_folder_XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void put(const std::string& name, const std::string& bytes) {
    std::ofstream(folder_ + "/" + name, std::ios::binary) << bytes;
  }
  std::string get(const std::string& name) {
    std::ifstream file(folder_ + "/" + name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::vector<std::string> names() {
    std::vector<std::string> all;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      all.push_back(entry.path().filename());
    }
    return all;
  }

  std::string folder_;
  RunFolderError error_;
};

RunSpec small_spec() {
  RunSpec spec;
  spec.token = "20260101_000000__0123abcd.1";
  spec.cwd = "/work space";
  spec.log = "/work space/reports/jobs/x.log";
  spec.timeout_ms = 5000;
  spec.grace_ms = 250;
  spec.log_max_bytes = 1U << 30U;
  spec.args = {"python3", "-m", "scripts.run"};
  spec.env = {"PATH=/usr/bin", "EMPTY=", "RUNYARD_ATTEMPT=20260101_000000__0123abcd.1"};
  return spec;
}

RunClaim small_claim() {
  return {{4321, 987654321}, "a5d9aa3a-91f8-4d53-92e8-2c5c9bfbec3a", 1'767'225'600'000};
}

std::string with_sum(std::string bytes) {
  char sum[16];
  std::snprintf(sum, sizeof sum, "crc32=%08x", crc32(bytes));
  return bytes + std::string(sum, 15);  // with its NUL
}

// A spec file of these records, in the right frame.
std::string spec_of(const std::vector<std::string>& records) {
  std::string bytes;
  for (const std::string& record : records) bytes += record + '\0';
  return with_sum(bytes);
}

TEST(Crc32, IsTheUsualOne) {
  EXPECT_EQ(crc32("123456789"), 0xCBF43926U);
  EXPECT_EQ(crc32(""), 0U);
}

// ---- spec ----

TEST_F(RunFolderTest, SpecComesBackAsItWasWritten) {
  ASSERT_TRUE(write_spec(folder_, small_spec(), &error_)) << error_.sentence;
  const auto back = read_spec(folder_, &error_);
  ASSERT_TRUE(back) << error_.sentence;
  EXPECT_EQ(*back, small_spec());
  EXPECT_EQ(names(), std::vector<std::string>{"spec"});
}

TEST_F(RunFolderTest, SpecCarriesEveryByteButNul) {
  RunSpec spec = small_spec();
  std::string all;
  for (int byte = 1; byte < 256; ++byte) all.push_back(static_cast<char>(byte));
  spec.args.insert(spec.args.end(), {all, "", "=", "a=b", "crc32=00000000", "env=X=Y"});
  spec.env.push_back("ALL=" + all);
  spec.inherit = {"SLURM_*", all};
  spec.cwd = "/" + all;
  spec.log = "/" + all;
  ASSERT_TRUE(write_spec(folder_, spec, &error_)) << error_.sentence;
  const auto back = read_spec(folder_, &error_);
  ASSERT_TRUE(back) << error_.sentence;
  EXPECT_EQ(*back, spec);
}

TEST_F(RunFolderTest, SpecCarriesTheLargestNumbersAndManyArguments) {
  RunSpec spec = small_spec();
  spec.timeout_ms = spec.grace_ms = spec.log_max_bytes = std::numeric_limits<std::uint64_t>::max();
  for (int i = 0; i < 20'000; ++i) spec.args.push_back("--override=a.b" + std::to_string(i));
  ASSERT_TRUE(write_spec(folder_, spec, &error_)) << error_.sentence;
  const auto back = read_spec(folder_, &error_);
  ASSERT_TRUE(back) << error_.sentence;
  EXPECT_EQ(*back, spec);
}

TEST_F(RunFolderTest, SpecThatCannotBeRunIsNotWritten) {
  const auto refused = [this](auto change, int code) {
    RunSpec spec = small_spec();
    change(spec);
    EXPECT_FALSE(write_spec(folder_, spec, &error_));
    EXPECT_EQ(error_.code, code) << error_.sentence;
    EXPECT_FALSE(error_.sentence.empty());
    EXPECT_TRUE(names().empty());
  };
  const std::string nul("a\0b", 3);
  refused([&](RunSpec& spec) { spec.args.push_back(nul); }, EINVAL);
  refused([&](RunSpec& spec) { spec.env.push_back(std::string("A=").append(nul)); }, EINVAL);
  refused([&](RunSpec& spec) { spec.cwd += nul; }, EINVAL);
  refused([&](RunSpec& spec) { spec.log += nul; }, EINVAL);
  refused([&](RunSpec& spec) { spec.token += nul; }, EINVAL);
  refused([](RunSpec& spec) { spec.args.clear(); }, EINVAL);
  refused([](RunSpec& spec) { spec.args[0].clear(); }, EINVAL);
  refused([](RunSpec& spec) { spec.cwd = "relative"; }, EINVAL);
  refused([](RunSpec& spec) { spec.log.clear(); }, EINVAL);
  refused([](RunSpec& spec) { spec.token.clear(); }, EINVAL);
  refused([](RunSpec& spec) { spec.token = "a b"; }, EINVAL);
  refused([](RunSpec& spec) { spec.token = std::string(201, 'a'); }, EINVAL);
  refused([](RunSpec& spec) { spec.env.emplace_back("NO_EQUALS"); }, EINVAL);
  refused([](RunSpec& spec) { spec.env.emplace_back("=value"); }, EINVAL);
  refused([](RunSpec& spec) { spec.args.emplace_back(kMaxSpecBytes, 'x'); }, E2BIG);
}

TEST_F(RunFolderTest, SpecCutOffAnywhereIsRefused) {
  const auto bytes = encode_spec(small_spec(), &error_);
  ASSERT_TRUE(bytes);
  for (std::size_t size = 0; size < bytes->size(); ++size) {
    EXPECT_FALSE(decode_spec(std::string_view(*bytes).substr(0, size), &error_)) << size;
    EXPECT_EQ(error_.code, EPROTO);
  }
  EXPECT_FALSE(decode_spec(*bytes + "x", &error_));
  EXPECT_TRUE(decode_spec(*bytes, &error_));
}

TEST_F(RunFolderTest, SpecWithAnyChangedBitIsRefused) {
  const auto bytes = encode_spec(small_spec(), &error_);
  ASSERT_TRUE(bytes);
  for (std::size_t bit = 0; bit < bytes->size() * 8; ++bit) {
    std::string damaged = *bytes;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    // A hexadecimal digit of the sum may change its case; that is no damage.
    if (damaged.size() - bit / 8 <= 9 && (bit % 8) == 5) continue;
    EXPECT_FALSE(decode_spec(damaged, &error_)) << "bit " << bit;
  }
}

TEST(Spec, HostileContentIsRefused) {
  RunFolderError error;
  const std::vector<std::string> good = {"runyard-run=1", "token=a.1", "cwd=/", "log=/x", "arg=a"};
  EXPECT_TRUE(decode_spec(spec_of(good), &error)) << error.sentence;
  const auto refused = [&](std::vector<std::string> more) {
    std::vector<std::string> records = good;
    records.insert(records.end(), more.begin(), more.end());
    EXPECT_FALSE(decode_spec(spec_of(records), &error)) << more[0];
  };
  refused({"unknown=1"});
  refused({"no equals"});
  refused({""});
  refused({"token=b.1"});  // twice
  refused({"cwd=/other"});
  refused({"timeout_ms=-1"});
  refused({"timeout_ms=+1"});
  refused({"timeout_ms= 1"});
  refused({"timeout_ms=1x"});
  refused({"timeout_ms="});
  refused({"timeout_ms=18446744073709551616"});
  refused({"grace_ms=1", "grace_ms=1"});
  refused({"env=A"});
  refused({"runyard-run=1"});
  EXPECT_FALSE(
      decode_spec(spec_of({"runyard-run=2", "token=a.1", "cwd=/", "log=/x", "arg=a"}), &error));
  EXPECT_FALSE(decode_spec(spec_of({"runyard-run=1"}), &error));
  EXPECT_FALSE(decode_spec(spec_of({}), &error));
  EXPECT_FALSE(decode_spec(with_sum("runyard-run=1"), &error));
  EXPECT_FALSE(decode_spec({}, &error));
}

TEST_F(RunFolderTest, SpecThatIsNoPlainFileIsRefused) {
  EXPECT_FALSE(read_spec(folder_, &error_));
  EXPECT_EQ(error_.code, ENOENT);
  put("elsewhere", *encode_spec(small_spec(), &error_));
  std::filesystem::create_symlink(folder_ + "/elsewhere", folder_ + "/spec");
  EXPECT_FALSE(read_spec(folder_, &error_));
  EXPECT_EQ(error_.code, ELOOP);
  std::filesystem::remove(folder_ + "/spec");
  ASSERT_EQ(::mkfifo((folder_ + "/spec").c_str(), 0600), 0);
  EXPECT_FALSE(read_spec(folder_, &error_));  // at once: nobody writes into this pipe
  EXPECT_EQ(error_.code, EINVAL);
  std::filesystem::remove(folder_ + "/spec");
  put("spec", "");
  std::filesystem::resize_file(folder_ + "/spec", kMaxSpecBytes + 1);
  EXPECT_FALSE(read_spec(folder_, &error_));
  EXPECT_EQ(error_.code, EFBIG);
}

TEST_F(RunFolderTest, WritingIntoAMissingFolderSaysSo) {
  EXPECT_FALSE(write_spec(folder_ + "/none", small_spec(), &error_));
  EXPECT_EQ(error_.code, ENOENT);
  EXPECT_NE(error_.sentence.find(folder_ + "/none/spec"), std::string::npos) << error_.sentence;
}

// ---- control ----

TEST_F(RunFolderTest, ControlComesBackAsItWasWritten) {
  for (const RunControl& control :
       {RunControl{}, RunControl{true, {}}, RunControl{false, 0}, RunControl{true, 1'500},
        RunControl{false, std::numeric_limits<std::uint64_t>::max()}}) {
    ASSERT_TRUE(write_control(folder_, control, &error_));
    const auto back = read_control(folder_, &error_);
    ASSERT_TRUE(back);
    EXPECT_EQ(*back, control);
  }
  EXPECT_EQ(names(), std::vector<std::string>{"control"});
}

TEST_F(RunFolderTest, AbsentControlAsksForNothing) {
  const auto control = read_control(folder_, &error_);
  ASSERT_TRUE(control);
  EXPECT_EQ(*control, RunControl{});
}

TEST_F(RunFolderTest, ControlIgnoresWhatItDoesNotUnderstand) {
  put("control",
      "later=1\ntimeout_ms=abc\ntimeout_ms=-1\n cancel\ncancelled\n\ntimeout_ms=7\ncancel");
  const auto control = read_control(folder_, &error_);
  ASSERT_TRUE(control);
  EXPECT_FALSE(control->cancel);  // the last line is not whole
  EXPECT_EQ(control->timeout_ms, 7U);
  put("control", std::string(5000, 'x'));
  EXPECT_FALSE(read_control(folder_, &error_));
  EXPECT_EQ(error_.code, EFBIG);
}

// ---- record ----

TEST_F(RunFolderTest, RecordIsAbsentBeforeTheClaim) {
  RunRecord record;
  EXPECT_EQ(read_record(folder_, &record, &error_), RecordState::kAbsent);
}

TEST_F(RunFolderTest, RecordComesBackSlotBySlot) {
  int fd = -1;
  ASSERT_EQ(claim_attempt(folder_, small_claim(), &fd, &error_), ClaimOutcome::kClaimed);
  EXPECT_EQ(names(), std::vector<std::string>{"record"});
  RunRecord record;
  ASSERT_EQ(read_record(folder_, &record, &error_), RecordState::kPresent);
  EXPECT_EQ(record.claim, small_claim());
  EXPECT_FALSE(record.start || record.exit || record.damaged);

  const RunStart start{{99, 1}, 1'767'225'600'123, 4096};
  ASSERT_TRUE(write_start(fd, start));
  ASSERT_EQ(read_record(folder_, &record, &error_), RecordState::kPresent);
  EXPECT_EQ(record.start, start);
  EXPECT_FALSE(record.exit || record.damaged);

  RunExit exit;
  exit.reason = RunEnd::kCancelled;
  exit.signal = 15;
  exit.wall_ms = 1;
  exit.log_end = std::numeric_limits<std::uint64_t>::max();
  exit.user_us = 2;
  exit.system_us = 3;
  exit.max_rss_kb = 4;
  exit.left = 5;
  ASSERT_TRUE(write_exit(fd, exit, true));
  ASSERT_EQ(read_record(folder_, &record, &error_), RecordState::kPresent);
  EXPECT_EQ(record.claim, small_claim());
  EXPECT_EQ(record.start, start);
  EXPECT_EQ(record.exit, exit);
  EXPECT_FALSE(record.damaged);
  ::close(fd);
}

TEST_F(RunFolderTest, EveryReasonAndStageComesBack) {
  int fd = -1;
  ASSERT_EQ(claim_attempt(folder_, small_claim(), &fd, &error_), ClaimOutcome::kClaimed);
  RunRecord record;
  for (int reason = 0; reason <= static_cast<int>(RunEnd::kWithdrawn); ++reason) {
    for (int stage = 0; stage <= static_cast<int>(SpawnStage::kExec); ++stage) {
      RunExit exit;
      exit.reason = static_cast<RunEnd>(reason);
      exit.stage = static_cast<SpawnStage>(stage);
      exit.error = stage == 0 ? 0 : ENOENT;
      exit.exit_code = stage;
      ASSERT_TRUE(write_exit(fd, exit, false));
      ASSERT_EQ(read_record(folder_, &record, &error_), RecordState::kPresent);
      EXPECT_EQ(record.exit, exit) << to_string(exit.reason) << " " << to_string(exit.stage);
    }
  }
  ::close(fd);
}

TEST_F(RunFolderTest, RoomForTheRecordIsAllocatedAtTheClaim) {
  int fd = -1;
  ASSERT_EQ(claim_attempt(folder_, small_claim(), &fd, &error_), ClaimOutcome::kClaimed);
  struct stat status {};
  ASSERT_EQ(::fstat(fd, &status), 0);
  EXPECT_EQ(status.st_size, 4096);
  EXPECT_GE(status.st_blocks * 512, 4096);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  ::close(fd);
}

TEST_F(RunFolderTest, OnlyOneOfManyClaimsSucceeds) {
  constexpr int kRivals = 8;
  for (int round = 0; round < 20; ++round) {
    std::vector<ClaimOutcome> outcomes(kRivals, ClaimOutcome::kFailed);
    std::vector<std::thread> threads;
    for (int i = 0; i < kRivals; ++i) {
      threads.emplace_back([this, i, &outcomes] {
        RunClaim claim = small_claim();
        claim.shim.pid = 1000 + i;
        RunFolderError error;
        int fd = -1;
        outcomes[static_cast<std::size_t>(i)] = claim_attempt(folder_, claim, &fd, &error);
        if (fd >= 0) ::close(fd);
      });
    }
    for (std::thread& thread : threads) thread.join();
    int winner = -1;
    for (int i = 0; i < kRivals; ++i) {
      const ClaimOutcome outcome = outcomes[static_cast<std::size_t>(i)];
      ASSERT_NE(outcome, ClaimOutcome::kFailed);
      if (outcome != ClaimOutcome::kClaimed) continue;
      EXPECT_EQ(winner, -1) << "two claims succeeded";
      winner = i;
    }
    ASSERT_NE(winner, -1);
    RunRecord record;
    ASSERT_EQ(read_record(folder_, &record, &error_), RecordState::kPresent);
    EXPECT_EQ(record.claim->shim.pid, 1000 + winner);
    EXPECT_EQ(names(), std::vector<std::string>{"record"});  // no temporary file is left
    std::filesystem::remove(folder_ + "/record");
  }
}

TEST_F(RunFolderTest, ClaimThatFailsLeavesNothing) {
  int fd = 7;
  EXPECT_EQ(claim_attempt(folder_ + "/none", small_claim(), &fd, &error_), ClaimOutcome::kFailed);
  EXPECT_EQ(fd, -1);
  EXPECT_EQ(error_.code, ENOENT);
  EXPECT_TRUE(names().empty());
}

TEST_F(RunFolderTest, ClaimReplacesWhatADeadShimLeftHalfMade) {
  put("record." + small_claim().boot_id + ".4321", "rubbish of a shim that was killed here");
  int fd = -1;
  ASSERT_EQ(claim_attempt(folder_, small_claim(), &fd, &error_), ClaimOutcome::kClaimed);
  ::close(fd);
  RunRecord record;
  ASSERT_EQ(read_record(folder_, &record, &error_), RecordState::kPresent);
  EXPECT_EQ(record.claim, small_claim());
  EXPECT_FALSE(record.damaged);
}

TEST_F(RunFolderTest, WithdrawnAttemptCannotBeClaimed) {
  ASSERT_EQ(withdraw_attempt(folder_, small_claim(), &error_), ClaimOutcome::kClaimed);
  int fd = -1;
  EXPECT_EQ(claim_attempt(folder_, small_claim(), &fd, &error_), ClaimOutcome::kTaken);
  RunRecord record;
  ASSERT_EQ(read_record(folder_, &record, &error_), RecordState::kPresent);
  ASSERT_TRUE(record.exit);
  EXPECT_EQ(record.exit->reason, RunEnd::kWithdrawn);
  EXPECT_FALSE(record.start);
}

TEST_F(RunFolderTest, ClaimedAttemptCannotBeWithdrawn) {
  int fd = -1;
  ASSERT_EQ(claim_attempt(folder_, small_claim(), &fd, &error_), ClaimOutcome::kClaimed);
  ::close(fd);
  EXPECT_EQ(withdraw_attempt(folder_, small_claim(), &error_), ClaimOutcome::kTaken);
  RunRecord record;
  ASSERT_EQ(read_record(folder_, &record, &error_), RecordState::kPresent);
  EXPECT_FALSE(record.exit);
}

class DamagedRecordTest : public RunFolderTest {
 protected:
  void SetUp() override {
    RunFolderTest::SetUp();
    int fd = -1;
    ASSERT_EQ(claim_attempt(folder_, small_claim(), &fd, &error_), ClaimOutcome::kClaimed);
    ASSERT_TRUE(write_start(fd, {{99, 1}, 2, 3}));
    RunExit exit;
    exit.exit_code = 0;
    ASSERT_TRUE(write_exit(fd, exit, false));
    ::close(fd);
    good_ = get("record");
    ASSERT_EQ(good_.size(), 4096U);
  }

  RunRecord read(const std::string& bytes) {
    put("record", bytes);
    RunRecord record;
    EXPECT_EQ(read_record(folder_, &record, &error_), RecordState::kPresent);
    return record;
  }

  std::string good_;
};

TEST_F(DamagedRecordTest, EveryChangedByteOfASlotIsNoticed) {
  const std::size_t end = good_.find('\n', 2048);
  for (std::size_t at = 2048; at <= end; ++at) {
    std::string bytes = good_;
    bytes[at] = static_cast<char>(bytes[at] ^ 1);
    const RunRecord record = read(bytes);
    EXPECT_FALSE(record.exit) << at;
    EXPECT_TRUE(record.damaged) << at;
    EXPECT_TRUE(record.claim && record.start) << at;
  }
}

TEST_F(DamagedRecordTest, TornOrShortRecordsGiveWhatIsWhole) {
  for (std::size_t size = 0; size <= 4096; size += 13) {
    const RunRecord record = read(good_.substr(0, size));
    const auto whole = [&](std::size_t slot) { return size > good_.find('\n', slot); };
    EXPECT_EQ(record.claim.has_value(), whole(0)) << size;
    EXPECT_EQ(record.start.has_value(), whole(1024)) << size;
    EXPECT_EQ(record.exit.has_value(), whole(2048)) << size;
  }
}

TEST_F(DamagedRecordTest, ASlotInAnotherPlaceDoesNotCount) {
  std::string bytes = good_;
  bytes.replace(2048, 1024, good_, 1024, 1024);
  const RunRecord record = read(bytes);
  EXPECT_FALSE(record.exit);
  EXPECT_TRUE(record.damaged);
}

TEST_F(DamagedRecordTest, HostileLinesWithARightSumDoNotCount) {
  const auto exit_line = [this](const std::string& line) {
    char sum[16];
    std::snprintf(sum, sizeof sum, "%08x", crc32(line));
    std::string slot = line + " crc32=" + sum + "\n";
    slot.resize(1024);
    return read(std::string(good_).replace(2048, 1024, slot));
  };
  const std::string rest = " wall_ms=1 log_end=1 user_us=1 sys_us=1 max_rss_kb=1 left=0";
  EXPECT_TRUE(exit_line("exit reason=exited exit_code=3" + rest).exit);
  EXPECT_TRUE(exit_line("exit reason=exited later=field" + rest).exit);  // fields may be added
  for (const std::string line :
       {"exit", "exit ", "exits reason=exited", "exit reason=unheard_of",
        "exit reason=", "exit reason=exited exit_code=x",
        "exit reason=exited exit_code=99999999999", "exit reason=spawn_error stage=exec",
        "exit reason=spawn_error stage=x errno=2", "exit areason=exited", "claim reason=exited"}) {
    const RunRecord record = exit_line(line + rest);
    EXPECT_FALSE(record.exit) << line;
    EXPECT_TRUE(record.damaged) << line;
  }
  EXPECT_FALSE(exit_line("exit reason=exited").exit);
}

TEST_F(DamagedRecordTest, OtherVersionsAndOtherKindsOfFileAreNotRead) {
  std::string line = good_.substr(0, good_.find(" crc32="));
  line.replace(line.find("version=1"), 9, "version=2");
  char sum[16];
  std::snprintf(sum, sizeof sum, "%08x", crc32(line));
  std::string slot = line + " crc32=" + sum + "\n";
  slot.resize(1024);
  EXPECT_FALSE(read(std::string(good_).replace(0, 1024, slot)).claim);

  RunRecord record;
  put("record", std::string(4097, 'x'));
  EXPECT_EQ(read_record(folder_, &record, &error_), RecordState::kUnreadable);
  std::filesystem::remove(folder_ + "/record");
  std::filesystem::create_directory(folder_ + "/record");
  EXPECT_EQ(read_record(folder_, &record, &error_), RecordState::kUnreadable);
  EXPECT_FALSE(error_.sentence.empty());
}

}  // namespace
}  // namespace runyard
