#include "core/access/audit_log.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <boost/json.hpp>
#include <thread>

#include "core/base/files.h"
#include "tests/unit/base/temp_folder.h"

namespace runyard {
namespace {

std::vector<boost::json::object> lines_of(const std::filesystem::path& file) {
  std::vector<boost::json::object> lines;
  const std::string content = *read_file(file);
  for (std::size_t at = 0; at < content.size();) {
    const auto end = content.find('\n', at);
    lines.push_back(boost::json::parse(content.substr(at, end - at)).as_object());
    at = end + 1;
  }
  return lines;
}

TEST(AuditLog, SaysWhoDidWhatFromWhere) {
  TempFolder folder;
  AuditLog log(folder.path());
  ASSERT_TRUE(log.write({"ada", "10.0.0.7", "POST /api/jobs/train", 201, {"job_1", "job_2"}}));
  ASSERT_TRUE(log.write({"", "", "token add ada", 0, {}}));
  const auto lines = lines_of(folder.path() / "audit.log");
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].at("who"), "ada");
  EXPECT_EQ(lines[0].at("from"), "10.0.0.7");
  EXPECT_EQ(lines[0].at("what"), "POST /api/jobs/train");
  EXPECT_EQ(lines[0].at("status"), 201);
  EXPECT_EQ(lines[0].at("job_ids").as_array().size(), 2u);
  EXPECT_TRUE(lines[0].at("time").is_string());
  for (const char* key : {"who", "from", "status"}) EXPECT_TRUE(lines[1].at(key).is_null()) << key;
  struct stat info {};
  ASSERT_EQ(::stat((folder.path() / "audit.log").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST(AuditLog, NobodyCanForgeALine) {
  TempFolder folder;
  AuditLog log(folder.path());
  ASSERT_TRUE(log.write({"ada", "::1", "POST /a\n{\"who\": \"bob\"}\xff", 404, {}}));
  EXPECT_EQ(lines_of(folder.path() / "audit.log").size(), 1u);
}

TEST(AuditLog, KeepsABoundedNumberOfPieces) {
  TempFolder folder;
  AuditLog log(folder.path(), 1000);
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(log.write({"ada", "::1", "POST /" + std::to_string(i), 200, {}}));
  }
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    EXPECT_LE(entry.file_size(), 1000u);
    ++files;
  }
  EXPECT_EQ(files, 1u + AuditLog::kPieces);
  EXPECT_EQ(lines_of(folder.path() / "audit.log").back().at("what"), "POST /199");
  const auto before = lines_of(folder.path() / "audit.log.1").back().at("what").as_string();
  const auto first = lines_of(folder.path() / "audit.log").front().at("what").as_string();
  EXPECT_EQ(std::stoi(std::string(before).substr(6)) + 1, std::stoi(std::string(first).substr(6)))
      << "no line is lost between two pieces";
}

TEST(AuditLog, AFileThatWasMovedAwayIsMadeAgain) {
  TempFolder folder;
  AuditLog log(folder.path());
  ASSERT_TRUE(log.write({"ada", "", "one", 0, {}}));
  std::filesystem::rename(folder.path() / "audit.log", folder.path() / "old");
  ASSERT_TRUE(log.write({"ada", "", "two", 0, {}}));
  EXPECT_EQ(lines_of(folder.path() / "audit.log").size(), 1u);
}

TEST(AuditLog, LinesOfManyThreadsAreWhole) {
  TempFolder folder;
  AuditLog log(folder.path(), 1 << 20);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 100; ++n) (void)log.write({"ada", "", std::string(500, 'x'), 0, {}});
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(lines_of(folder.path() / "audit.log").size(), 400u);
}

TEST(AuditLog, SaysWhenItCannotWrite) {
  EXPECT_FALSE(AuditLog("/nowhere/at/all").write({"ada", "", "x", 0, {}}));
}

}  // namespace
}  // namespace runyard
