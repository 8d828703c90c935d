#pragma once

#include <boost/json/array.hpp>

#include "api/http.h"
#include "core/model/artifacts.h"
#include "core/workspace/page.h"

namespace runyard {

/// `limit` (1 to `most`, default 30), `offset` and `ticker` of the query.
Result<PageQuery> read_page(const Call& call, std::int64_t most);

/// `[{job_id, job_type, status, created_at, name, relation}]`.
boost::json::array to_json(const std::vector<ArtifactJob>& jobs);

/// The rows as an array, with X-Total-Count.
Reply page_reply(const Page& page);

}  // namespace runyard
