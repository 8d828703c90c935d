#include "api/access.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "tests/unit/base/temp_folder.h"

namespace runyard {
namespace {

class AccessTest : public ::testing::Test {
 protected:
  AccessTest() {
    for (const Role role : {Role::kViewer, Role::kOperator, Role::kAdmin}) {
      tokens[role] = *store.add(std::string(to_string(role)), role, std::nullopt);
    }
  }
  static Route route(Role role, const std::string& method = "POST") {
    return {method, "/x", role, "", [](const Call&) { return Reply(); }, {}};
  }
  static Call call(std::map<std::string, std::string> headers = {}) {
    Call made;
    made.method = "POST";
    made.target = "/x";
    made.client = "192.0.2.9";
    made.headers = std::move(headers);
    made.is_own_page = true;
    return made;
  }
  Call bearer(Role role) const { return call({{"authorization", "Bearer " + tokens.at(role)}}); }
  static Call cookie(const std::string& value) {
    return call({{"cookie", "a=b; runyard_token=" + value + "; c=d"}});
  }
  /// 0 when it may go on.
  int admit(Call made, std::optional<Role> role = Role::kViewer) {
    const std::optional<Route> asked = role ? std::optional(route(*role)) : std::nullopt;
    const auto refused = access.admit(made, asked ? &*asked : nullptr);
    caller = made.caller;
    return refused ? refused->status : 0;
  }
  std::size_t audit_lines() const {
    const std::string text = folder.get("audit.log");
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
  }

  TempFolder folder;
  TokenStore store{folder.path()};
  std::map<Role, std::string> tokens;
  Access access{folder.path(), true};
  Caller caller;
};

TEST_F(AccessTest, ARoleMayDoWhatTheLowerOnesMay) {
  const Role all[] = {Role::kViewer, Role::kOperator, Role::kAdmin};
  for (const Role has : all) {
    for (const Role needs : all) {
      EXPECT_EQ(admit(bearer(has), needs), has >= needs ? 0 : 403)
          << to_string(has) << " for " << to_string(needs);
      EXPECT_EQ(caller.name, to_string(has));
    }
    EXPECT_EQ(admit(bearer(has), std::nullopt), 0) << "the router says 404";
  }
}

TEST_F(AccessTest, WithoutATokenNothingButThePublicRoutes) {
  for (const Role needs : {Role::kViewer, Role::kOperator, Role::kAdmin}) {
    EXPECT_EQ(admit(call(), needs), 401);
  }
  EXPECT_EQ(admit(call(), std::nullopt), 401) << "before 404";
  EXPECT_EQ(admit(call(), Role::kPublic), 0);
  EXPECT_EQ(caller.role, Role::kPublic);
  for (const char* field : {"", "Bearer", "Bearer ", "Basic YTpi", "ryd_x"}) {
    EXPECT_EQ(admit(call({{"authorization", field}})), 401) << field;
  }
  const auto refused = access.session(call());
  EXPECT_EQ(boost::json::parse(refused.body).at("authenticated"), false);
}

TEST_F(AccessTest, TheSchemeHasNoCase) {
  EXPECT_EQ(admit(call({{"authorization", "bearer  " + tokens.at(Role::kViewer)}})), 0);
  EXPECT_EQ(admit(call({{"authorization", "BEARER " + tokens.at(Role::kViewer) + " "}})), 0);
}

TEST_F(AccessTest, ACookieCountsForOwnPagesAlone) {
  Call made = cookie(tokens.at(Role::kViewer));
  EXPECT_EQ(admit(made), 0);
  made.is_own_page = false;
  EXPECT_EQ(admit(made), 401);
  EXPECT_EQ(admit(call({{"cookie", "xrunyard_token=" + tokens.at(Role::kViewer)}})), 401);
  EXPECT_EQ(admit(call({{"cookie", "runyard_token"}})), 401);
}

TEST_F(AccessTest, WithoutTokensAllAreLocal) {
  Access open(folder.path(), false);
  Call made = call({{"authorization", "Bearer rubbish"}});
  const Route asked = route(Role::kAdmin);
  EXPECT_FALSE(open.admit(made, &asked));
  EXPECT_EQ(made.caller.name, "local");
  const auto session = boost::json::parse(open.session(made).body);
  EXPECT_EQ(session, boost::json::parse(R"({"auth_required": false, "authenticated": true,
                                            "role": "admin", "name": "local"})"));
}

TEST_F(AccessTest, ARevokedTokenIsWorthNothingAtOnce) {
  EXPECT_EQ(admit(bearer(Role::kViewer)), 0);
  ASSERT_TRUE(store.revoke("viewer"));
  EXPECT_EQ(admit(bearer(Role::kViewer)), 401);
}

TEST_F(AccessTest, AWatchedStreamEndsWithItsToken) {
  struct Ticks : StreamSource {
    Piece next() override { return {std::make_shared<const std::string>("data: x\n\n"), false}; }
  };
  ASSERT_EQ(admit(bearer(Role::kViewer)), 0);
  const auto watched = access.watch(std::make_unique<Ticks>(), caller, std::chrono::seconds(0));
  EXPECT_FALSE(watched->next().ends);
  ASSERT_TRUE(store.revoke("viewer"));
  const auto last = watched->next();
  EXPECT_TRUE(last.ends);
  EXPECT_FALSE(last.bytes);
  Access open(folder.path(), false);
  EXPECT_FALSE(open.watch(std::make_unique<Ticks>(), {"local", Role::kAdmin, ""})->next().ends);
}

TEST_F(AccessTest, WrongTokensAreLimitedAndRightOnesNever) {
  int refused = 0;
  while (refused < 1000 && admit(call({{"authorization", "Bearer rubbish"}})) == 401) ++refused;
  EXPECT_EQ(refused, AttemptLimiter::kBurst);
  EXPECT_EQ(admit(call({{"authorization", "Bearer rubbish"}})), 429);
  EXPECT_EQ(admit(cookie("rubbish")), 429);
  EXPECT_EQ(access.session(cookie("rubbish")).status, 429);
  EXPECT_EQ(admit(bearer(Role::kViewer)), 0);
  EXPECT_EQ(admit(call()), 401) << "no token is no attempt";
  Call elsewhere = call({{"authorization", "Bearer rubbish"}});
  elsewhere.client = "192.0.2.10";
  EXPECT_EQ(admit(elsewhere), 401);
  EXPECT_EQ(audit_lines(), static_cast<std::size_t>(AttemptLimiter::kBurst) + 1);
}

TEST_F(AccessTest, SignInKeepsTheTokenInACookie) {
  Call made = call();
  made.body = "{\"token\": \" " + tokens.at(Role::kOperator) + "\\n\"}";  // as it is pasted
  Reply reply = access.sign_in(made);
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(boost::json::parse(reply.body),
            boost::json::parse(R"({"auth_required": true, "authenticated": true,
                                   "role": "operator", "name": "operator"})"));
  ASSERT_EQ(reply.headers.size(), 1u);
  const std::string set = reply.headers[0].second;
  EXPECT_EQ(set, "runyard_token=" + tokens.at(Role::kOperator) +
                     "; Path=/; Max-Age=2592000; HttpOnly; SameSite=Strict");
  EXPECT_EQ(reply.body.find(tokens.at(Role::kOperator)), std::string::npos);
  EXPECT_EQ(admit(cookie(tokens.at(Role::kOperator)), Role::kOperator), 0);
  made.is_https = true;
  EXPECT_TRUE(access.sign_in(made).headers[0].second.ends_with("; Secure"));
  reply = access.sign_out(made);
  EXPECT_TRUE(reply.headers[0].second.starts_with("runyard_token=; Path=/; Max-Age=0;"));
  EXPECT_EQ(boost::json::parse(reply.body).at("authenticated"), false);
}

TEST_F(AccessTest, SignInIsLimited) {
  Call made = call();
  made.body = R"({"token": "rubbish"})";
  for (int i = 0; i < AttemptLimiter::kBurst; ++i) EXPECT_EQ(access.sign_in(made).status, 401);
  const Reply refused = access.sign_in(made);
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.headers[0].first, "Retry-After");
  EXPECT_EQ(audit_lines(), static_cast<std::size_t>(AttemptLimiter::kBurst));
  for (const char* body :
       {"", "{}", "[]", R"({"token": 1})", R"({"token": "x", "role": "admin"})"}) {
    made.body = body;
    const int status = access.sign_in(made).status;
    EXPECT_TRUE(status == 400 || status == 422) << body;
  }
}

TEST_F(AccessTest, AWrongCookieIsTakenBack) {
  Call made = cookie("rubbish");
  const Route asked = route(Role::kViewer);
  const auto refused = access.admit(made, &asked);
  ASSERT_TRUE(refused);
  bool is_cleared = false, asks = false;
  for (const auto& [name, value] : refused->headers) {
    is_cleared |= name == "Set-Cookie" && value.find("Max-Age=0") != std::string::npos;
    asks |= name == "WWW-Authenticate";
  }
  EXPECT_TRUE(is_cleared && asks);
}

TEST_F(AccessTest, AskingWhoOneIsWithAWrongCookieIsNoError) {
  const Reply reply = access.session(cookie("rubbish"));
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(boost::json::parse(reply.body).at("authenticated"), false);
  ASSERT_EQ(reply.headers.size(), 1u);
  EXPECT_NE(reply.headers[0].second.find("Max-Age=0"), std::string::npos);
}

TEST_F(AccessTest, ARouteThatSaysNothingIsForAdminsAlone) { EXPECT_EQ(Route{}.role, Role::kAdmin); }

TEST_F(AccessTest, AListThatCannotBeTrustedLetsNobodyIn) {
  folder.put("tokens.json", "{}");
  EXPECT_EQ(admit(bearer(Role::kAdmin)), 503);
  Call made = call();
  made.body = R"({"token": "x"})";
  EXPECT_EQ(access.sign_in(made).status, 503);
  EXPECT_EQ(access.session(bearer(Role::kAdmin)).status, 503);
}

TEST_F(AccessTest, NotesWhatChangesSomething) {
  const auto record = [&](Role needs, const char* method, Caller who, int status) {
    const std::size_t before = audit_lines();
    Call made = call();
    made.method = method;
    made.caller = std::move(who);
    made.path["id"] = "job_20260101_120000__0123abcd";
    const Route asked = route(needs, method);
    Reply reply;
    reply.status = status;
    access.record(made, &asked, reply);
    return audit_lines() - before;
  };
  const Caller ada{"ada", Role::kAdmin, ""};
  EXPECT_EQ(record(Role::kOperator, "POST", ada, 202), 1u);
  EXPECT_EQ(record(Role::kAdmin, "POST", ada, 409), 1u);
  EXPECT_EQ(record(Role::kOperator, "DELETE", ada, 204), 1u);
  EXPECT_EQ(record(Role::kAdmin, "POST", {"bob", Role::kViewer, ""}, 403), 1u);
  EXPECT_EQ(record(Role::kViewer, "GET", ada, 200), 0u);
  EXPECT_EQ(record(Role::kViewer, "POST", ada, 200), 0u) << "a preview changes nothing";
  EXPECT_EQ(record(Role::kOperator, "POST", {}, 401), 0u) << "a stranger cannot fill the disk";
  EXPECT_NE(folder.get("audit.log").find("job_20260101_120000__0123abcd"), std::string::npos);
}

}  // namespace
}  // namespace runyard
