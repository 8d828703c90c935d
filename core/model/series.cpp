#include "core/model/series.h"

#include <boost/json.hpp>

namespace runyard {

namespace json = boost::json;

json::array to_json(const std::vector<Series>& all) {
  json::array document;
  for (const Series& series : all) {
    json::array points;
    points.reserve(series.points.size());
    for (const auto& [x, y] : series.points) points.push_back(json::array{x, y});
    document.push_back(json::object{
        {"name", series.name},
        {"x_name", series.x_name.empty() ? json::value(nullptr) : json::value(series.x_name)},
        {"points", std::move(points)}});
  }
  return document;
}

void Curve::add(double x, double y) {
  last_ = {x, y};
  if (count_++ % every_ != 0) return;
  if (kept_.size() + 1 == kMaxPoints) {  // room for the last one
    for (std::size_t i = 0; 2 * i < kept_.size(); ++i) kept_[i] = kept_[2 * i];
    kept_.resize((kept_.size() + 1) / 2);
    every_ *= 2;
    if ((count_ - 1) % every_ != 0) return;
  }
  kept_.push_back(last_);
}

std::vector<std::pair<double, double>> Curve::points() const {
  std::vector<std::pair<double, double>> all = kept_;
  if (count_ > 0 && (count_ - 1) % every_ != 0) all.push_back(last_);
  return all;
}

}  // namespace runyard
