#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace runyard {

/// Valid UTF-8 without a byte order mark; what is no UTF-8 becomes U+FFFD.
std::string clean_text(std::string_view bytes);

/// JSON as Python writes it: NaN, Infinity and -Infinity become null, and so do numbers that are
/// too large. A byte order mark and invalid UTF-8 are tolerated. kInvalid says where it breaks.
Result<boost::json::value> read_json(std::string_view bytes);

/// YAML (its first document) as JSON. Plain scalars are typed after the core schema of YAML 1.2;
/// so dates, `on` and `12:30` stay texts, as does everything in quotes. `.nan` and `.inf` become
/// null. Keys are texts; of a repeated one the last counts; `<<` merges. kInvalid with the line.
Result<boost::json::value> read_yaml(std::string_view bytes);

/// The path with forward slashes.
std::string with_slashes(std::string_view path);

/// Gives every path in the document forward slashes: the texts below a key that is `path` or `dir`,
/// or ends in `_path`, `_paths` or `_dir`.
void use_slashes(boost::json::value& document);

}  // namespace runyard
