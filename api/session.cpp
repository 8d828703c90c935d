#include "api/access.h"
#include "api/routes.h"

namespace runyard {

std::vector<Route> session_routes(Access& access) {
  return {
      {"GET", "/api/session", Role::kPublic, "Who is calling, and whether a token is needed",
       [&access](const Call& call) { return access.session(call); }, answers("Session")},
      {"POST", "/api/session", Role::kPublic, "Sign in: keep a token in a cookie",
       [&access](const Call& call) { return access.sign_in(call); },
       answers("Session").takes("SignIn").fails({429, 503})},
      {"DELETE", "/api/session", Role::kPublic, "Sign out: forget the cookie",
       [&access](const Call& call) { return access.sign_out(call); }, answers("Session")},
  };
}

}  // namespace runyard
