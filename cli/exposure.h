#pragma once

#include "core/base/result.h"
#include "core/service/config.h"

namespace runyard::cli {

// Who can reach a server with this configuration, and what must be so before it may listen:
// `runyard serve` refuses to start, and `runyard doctor` says it beforehand.

/// True when whoever calls must have a token: beyond loopback, behind a proxy, or by the setting.
bool asks_for_tokens(const Config& config);

/// Nothing to object to on loopback without tokens. Else there must be a token that is valid, and
/// when others can reach the server, folders that nobody else can write to. The error is a sentence
/// that says what to do.
Result<> check_exposed(const Config& config);

}  // namespace runyard::cli
