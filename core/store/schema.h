#pragma once

#include "core/store/sqlite.h"

namespace runyard {

/// Brings `<state>/jobs.db` to the newest schema: each numbered migration in a transaction of its
/// own, PRAGMA user_version being the number of the last one.
/// kInternal for a database that a newer Runyard wrote: it is left untouched.
Result<> migrate(sqlite::Database& database);

/// The newest schema's number.
int schema_version();

}  // namespace runyard
