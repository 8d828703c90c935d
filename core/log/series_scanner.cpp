#include "core/log/series_scanner.h"

#include <cmath>
#include <cstdlib>

namespace runyard {
namespace {

std::optional<double> find_number(const RE2* pattern, std::string_view text) {
  re2::StringPiece groups[2];
  if (!pattern || pattern->NumberOfCapturingGroups() < 1 ||
      !pattern->Match({text.data(), text.size()}, 0, text.size(), RE2::UNANCHORED, groups, 2)) {
    return std::nullopt;
  }
  return to_number(groups[1]);
}

}  // namespace

std::optional<double> to_number(re2::StringPiece text) {
  constexpr std::size_t kLongest = 64;
  if (text.size() > kLongest) return std::nullopt;
  std::string digits;  // "1,234" and "1_234" are numbers too
  for (const char c : text) {
    if (c != ',' && c != '_') digits += c;
  }
  char* end = nullptr;
  const double value = std::strtod(digits.c_str(), &end);
  if (digits.empty() || *end != '\0' || !std::isfinite(value)) return std::nullopt;
  return value;
}

Result<SeriesScanner> SeriesScanner::make(const std::vector<SeriesSpec>& specs) {
  SeriesScanner scanner;
  RE2::Options options;
  options.set_log_errors(false);
  for (const SeriesSpec& spec : specs) {
    Pattern pattern;
    for (const auto& [text, into] :
         {std::pair(&spec.pattern, &pattern.y), std::pair(&spec.x_pattern, &pattern.x),
          std::pair(&spec.block_end, &pattern.block_end)}) {
      if (text->empty()) continue;
      *into = std::make_unique<RE2>(*text, options);
      if (!(*into)->ok()) {
        return make_error(ErrorKind::kInvalid,
                          "the pattern '" + *text + "' is no RE2: " + (*into)->error());
      }
    }
    scanner.patterns_.push_back(std::move(pattern));
    scanner.lines_.push_back({spec.name, spec.x_name, {}, {}, {}});
  }
  return scanner;
}

void SeriesScanner::put(Line& line, std::optional<double> x, double y) {
  line.curve.add(x.value_or(static_cast<double>(line.curve.count() + 1)), y);
  ++version_;
}

void SeriesScanner::scan(std::string_view text) {
  for (std::size_t i = 0; i < patterns_.size(); ++i) {
    const Pattern& pattern = patterns_[i];
    Line& line = lines_[i];
    if (const auto x = find_number(pattern.x.get(), text)) line.x = x;
    const auto y = find_number(pattern.y.get(), text);
    if (!pattern.block_end) {
      if (y && (line.x || !pattern.x)) put(line, line.x, *y);
      continue;
    }
    if (y) line.y = y;
    if (!RE2::PartialMatch({text.data(), text.size()}, *pattern.block_end)) continue;
    if (line.y && (line.x || !pattern.x)) put(line, line.x, *line.y);
    line.x.reset();
    line.y.reset();
  }
}

void SeriesScanner::add(const std::string& name, const std::string& x_name, std::optional<double> x,
                        double y) {
  for (Line& line : lines_) {
    if (line.name == name) return put(line, x, y);
  }
  if (lines_.size() >= kMaxSeries + patterns_.size()) return;
  lines_.push_back({name, x_name, {}, {}, {}});
  put(lines_.back(), x, y);
}

void SeriesScanner::finish() {
  for (std::size_t i = 0; i < patterns_.size(); ++i) {
    Line& line = lines_[i];
    if (!patterns_[i].block_end || !line.y || (!line.x && patterns_[i].x)) continue;
    put(line, line.x, *line.y);
    line.x.reset();
    line.y.reset();
  }
}

void SeriesScanner::clear() {
  lines_.resize(patterns_.size());
  for (Line& line : lines_) {
    line.x.reset();
    line.y.reset();
    line.curve = {};
  }
  ++version_;
}

std::vector<Series> SeriesScanner::all() const {
  std::vector<Series> all;
  for (const Line& line : lines_) {
    if (line.curve.count() > 0) all.push_back({line.name, line.x_name, line.curve.points()});
  }
  return all;
}

}  // namespace runyard
