#include "core/model/artifacts.h"

#include <boost/json/value.hpp>
#include <map>

#include "core/base/ids.h"

namespace runyard {
namespace {

namespace json = boost::json;

constexpr std::size_t kIdSize = 25;  // 20260217_171416__0e304dfc
constexpr std::size_t kUnderscores = 15;
constexpr std::string_view kBacktest = "bt_";

bool is_word(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

using Found = std::map<std::string, Relation>;

/// Ids that stand alone in the text: not those within the id of a job.
void find_ids(std::string_view text, Relation relation, Found& found) {
  for (std::size_t at = text.find("__"); at != std::string_view::npos;
       at = text.find("__", at + 1)) {
    if (at < kUnderscores) continue;
    std::size_t begin = at - kUnderscores;
    const std::size_t end = begin + kIdSize;
    if (!is_run_id(text.substr(begin, kIdSize))) continue;
    if (end < text.size() && is_word(text[end])) continue;
    if (text.substr(0, begin).ends_with(kBacktest)) begin -= kBacktest.size();
    if (begin > 0 && is_word(text[begin - 1])) continue;
    found.try_emplace(std::string(text.substr(begin, end - begin)), relation);
  }
}

void find_ids(const json::value& value, Relation relation, Found& found) {
  if (const auto* text = value.if_string()) {
    find_ids(std::string_view(*text), relation, found);
  } else if (const auto* array = value.if_array()) {
    for (const auto& item : *array) find_ids(item, relation, found);
  } else if (const auto* object = value.if_object()) {
    for (const auto& [key, item] : *object) find_ids(item, relation, found);
  }
}

}  // namespace

std::string_view to_string(Relation relation) {
  return relation == Relation::kProduced ? "produced" : "used";
}

std::vector<ArtifactRef> artifacts_of(const Job& job) {
  Found found;
  for (const auto& [key, value] : job.params) find_ids(value, Relation::kUsed, found);
  for (const auto& argument : job.command) find_ids(argument, Relation::kUsed, found);
  for (const auto& [name, value] : job.artifacts_hint) {
    find_ids(value, Relation::kProduced, found);
  }
  for (const Link& link : job.links) find_ids(link.value, Relation::kProduced, found);
  std::vector<ArtifactRef> refs;
  for (const auto& [id, relation] : found) refs.push_back({id, relation});
  return refs;
}

}  // namespace runyard
