#include "api/file_reply.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/base/temp_folder.h"

namespace runyard {
namespace {

TEST(SaveAs, KeepsPlainNamesOnly) {
  EXPECT_EQ(save_as("job_1.log").second, "attachment; filename=\"job_1.log\"");
  EXPECT_EQ(save_as("a\"b\r\n/é").second, "attachment; filename=\"a_b_____\"");
}

class FileReplyTest : public testing::Test {
 protected:
  std::string header(const Reply& reply, const std::string& name) {
    for (const auto& [known, value] : reply.headers) {
      if (known == name) return value;
    }
    return "";
  }
  Reply ask(std::map<std::string, std::string> headers = {}) {
    Call call;
    call.headers = std::move(headers);
    return file_reply(call, UniqueFd(::open((folder_ / "f").c_str(), O_RDONLY | O_CLOEXEC)),
                      {"text/plain", {{"X-Own", "1"}}});
  }
  TempFolder folder_;
};

TEST_F(FileReplyTest, SendsSmallFilesFromMemoryAndLargeOnesAsFiles) {
  folder_.put("f", "0123456789");
  Reply reply = ask();
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, "0123456789");
  EXPECT_FALSE(reply.file);
  EXPECT_EQ(reply.content_type, "text/plain");
  EXPECT_EQ(header(reply, "X-Own"), "1");
  EXPECT_EQ(header(reply, "Accept-Ranges"), "bytes");
  folder_.put("f", std::string(65537, 'x'));
  reply = ask();
  ASSERT_TRUE(reply.file);
  EXPECT_EQ(reply.file->size, 65537);
  reply = ask({{"range", "bytes=1-"}});
  EXPECT_FALSE(reply.file);
  EXPECT_EQ(reply.status, 206);
  EXPECT_EQ(reply.body.size(), 65536u);
}

TEST_F(FileReplyTest, AnswersWith304AsLongAsTheFileIsTheSame) {
  folder_.put("f", "one");
  const std::string etag = header(ask(), "ETag");
  ASSERT_GE(etag.size(), 4u);
  EXPECT_EQ(etag.front(), '"');  // strong
  for (const std::string& list :
       {etag, "W/" + etag, "\"x\" , " + etag + ",\"y\"", std::string("*")}) {
    const Reply reply = ask({{"if-none-match", list}, {"range", "bytes=0-0"}});
    EXPECT_EQ(reply.status, 304) << list;
    EXPECT_EQ(header(reply, "ETag"), etag);
    EXPECT_TRUE(reply.body.empty());
  }
  EXPECT_EQ(ask({{"if-none-match", "\"x\", \"y\""}}).status, 200);
  EXPECT_EQ(ask({{"if-none-match", ","}}).status, 200);
  // The same size, another time.
  const timespec times[2] = {{1, 0}, {1, 1}};
  ASSERT_EQ(::utimensat(AT_FDCWD, (folder_ / "f").c_str(), times, 0), 0);
  EXPECT_EQ(ask({{"if-none-match", etag}}).status, 200);
}

TEST_F(FileReplyTest, RangesAndIfRange) {
  folder_.put("f", "0123456789");
  const std::string etag = header(ask(), "ETag");
  Reply reply = ask({{"range", "bytes=2-4"}, {"if-range", etag}});
  EXPECT_EQ(reply.status, 206);
  EXPECT_EQ(reply.body, "234");
  EXPECT_EQ(header(reply, "Content-Range"), "bytes 2-4/10");
  for (const std::string& other : {std::string("\"x\""), "W/" + etag}) {
    reply = ask({{"range", "bytes=2-4"}, {"if-range", other}});
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.body, "0123456789");
  }
  reply = ask({{"range", "bytes=10-"}});
  EXPECT_EQ(reply.status, 416);
  EXPECT_EQ(header(reply, "Content-Range"), "bytes */10");
}

}  // namespace
}  // namespace runyard
