#include "core/access/role.h"

namespace runyard {

std::string_view to_string(Role role) {
  switch (role) {
    case Role::kViewer:
      return "viewer";
    case Role::kOperator:
      return "operator";
    case Role::kAdmin:
      return "admin";
    case Role::kPublic:
      break;
  }
  return "public";
}

std::optional<Role> parse_role(std::string_view text) {
  for (const Role role : {Role::kViewer, Role::kOperator, Role::kAdmin}) {
    if (text == to_string(role)) return role;
  }
  return std::nullopt;
}

}  // namespace runyard
