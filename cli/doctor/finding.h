#pragma once

#include <string>
#include <utility>
#include <vector>

namespace runyard::cli {

/// What one check of `runyard doctor` found. One line for a person: what is, and, unless all is
/// well, what to do.
struct Finding {
  enum class Health {
    kGood,
    kNote,     ///< worth knowing
    kWarning,  ///< works, but not as one would wish
    kBad,      ///< does not work
  };
  std::string check;  ///< the word that names it: `python`
  Health health = Health::kGood;
  std::string text;
  std::string mend;  ///< "" when there is nothing to do
};

inline Finding good(std::string check, std::string text) {
  return {std::move(check), Finding::Health::kGood, std::move(text), {}};
}
inline Finding note(std::string check, std::string text, std::string mend = {}) {
  return {std::move(check), Finding::Health::kNote, std::move(text), std::move(mend)};
}
inline Finding warning(std::string check, std::string text, std::string mend) {
  return {std::move(check), Finding::Health::kWarning, std::move(text), std::move(mend)};
}
inline Finding bad(std::string check, std::string text, std::string mend) {
  return {std::move(check), Finding::Health::kBad, std::move(text), std::move(mend)};
}

}  // namespace runyard::cli
