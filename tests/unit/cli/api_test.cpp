#include "cli/api.h"

#include <gtest/gtest.h>

#include "cli/command.h"

namespace runyard::cli {
namespace {

const std::vector<std::string> kIds = {"job_20261122_101530__1a2b3c4d",
                                       "job_20261122_101529__1a2bffff",
                                       "job_20261121_090000__deadbeef"};

TEST(MatchJob, UniquePartsOfAnId) {
  EXPECT_EQ(*match_job("@", kIds), kIds[0]);
  EXPECT_EQ(*match_job("last", kIds), kIds[0]);
  EXPECT_EQ(*match_job("deadbeef", kIds), kIds[2]);
  EXPECT_EQ(*match_job("dead", kIds), kIds[2]);
  EXPECT_EQ(*match_job("ffff", kIds), kIds[1]);
  EXPECT_EQ(*match_job("job_20261121", kIds), kIds[2]);
}

TEST(MatchJob, AmbiguousOrUnknown) {
  EXPECT_EQ(match_job("1a2b", kIds).error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(match_job("job_", kIds).error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(match_job("xyz", kIds).error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(match_job("eadbee", kIds).error().kind, ErrorKind::kNotFound);  // the middle
  EXPECT_EQ(match_job("@", {}).error().kind, ErrorKind::kNotFound);
}

TEST(ErrorOf, ReadsTheProblemDocument) {
  HttpResponse response;
  response.status = 422;
  response.body = R"({"title": "t", "detail": "say this",
                      "errors": [{"pointer": "/a", "message": "m"}, 5]})";
  const Error error = error_of(response);
  EXPECT_EQ(error.kind, ErrorKind::kInvalid);
  EXPECT_EQ(error.message, "say this");
  ASSERT_EQ(error.fields.size(), 1u);
  EXPECT_EQ(error.fields[0].pointer, "/a");
  response.body = "<html>";
  EXPECT_EQ(error_of(response).message, "the server answered with status 422");
}

TEST(ExitCodes, AsDocumented) {
  const auto code = [](int status) {
    HttpResponse response;
    response.status = status;
    return exit_code_of(error_of(response));
  };
  EXPECT_EQ(code(400), 2);
  EXPECT_EQ(code(422), 2);
  EXPECT_EQ(code(404), 4);
  EXPECT_EQ(code(409), 1);
  EXPECT_EQ(code(401), 1);
  EXPECT_EQ(code(429), 1);
  EXPECT_EQ(code(500), 1);
  EXPECT_EQ(code(503), 3);
}

}  // namespace
}  // namespace runyard::cli
