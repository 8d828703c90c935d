#include "api/pages.h"

#include <boost/json.hpp>

namespace runyard {

Result<PageQuery> read_page(const Call& call, std::int64_t most) {
  PageQuery query;
  const auto limit = read_number(call, "limit", 30, 1, most);
  if (!limit) return limit.error();
  const auto offset = read_number(call, "offset", 0, 0, INT32_MAX);
  if (!offset) return offset.error();
  query.limit = static_cast<std::size_t>(*limit);
  query.offset = static_cast<std::size_t>(*offset);
  query.ticker = read_text(call, "ticker");
  return query;
}

boost::json::array to_json(const std::vector<ArtifactJob>& jobs) {
  boost::json::array list;
  for (const ArtifactJob& job : jobs) {
    list.push_back(
        {{"job_id", job.job_id},
         {"job_type", job.job_type},
         {"status", to_string(job.status)},
         {"created_at", format_time(job.created_at)},
         {"name", job.name.empty() ? boost::json::value() : boost::json::value(job.name)},
         {"relation", to_string(job.relation)}});
  }
  return list;
}

Reply page_reply(const Page& page) {
  Reply reply = json_reply(page.rows);
  reply.headers.emplace_back("X-Total-Count", std::to_string(page.total));
  return reply;
}

}  // namespace runyard
