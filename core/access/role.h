#pragma once

#include <optional>
#include <string_view>

namespace runyard {

/// Who may call a route, from nobody in particular upwards: a role may do all that the ones before
/// it may. kPublic is no role of a token: it stands for a caller who is not known.
enum class Role { kPublic, kViewer, kOperator, kAdmin };

/// `viewer`, `operator`, `admin`; `public`.
std::string_view to_string(Role role);
/// A role that a token can have; nullopt for anything else.
std::optional<Role> parse_role(std::string_view text);

}  // namespace runyard
