#pragma once

#include <boost/json/object.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace runyard::cli {

/// One property of a job type's input schema as a flag of `runyard submit <type>`.
struct SchemaFlag {
  /// Of the value, or of the items of an array. kAny: JSON where it is JSON, else text.
  enum class Kind { kText, kInteger, kNumber, kBoolean, kJson, kAny };

  std::string property;            ///< `config_path`
  std::vector<std::string> names;  ///< `--config-path`; the first is the one that is shown
  std::string negation;            ///< `--no-dry-run`, "" for none
  Kind kind = Kind::kText;
  bool is_array = false;             ///< the flag may be repeated
  bool nullable = false;             ///< the word `null` is null (not where text is allowed)
  std::string help;                  ///< description, choices, default; plain text
  boost::json::object value_schema;  ///< of the value, or of the items
};

/// The rules, which `runyard submit --help` states for users:
///  * property `config_path` is `--config-path`;
///  * an array's flag may be repeated, and its singular works too (`overrides`: `--override`);
///  * a text with commas becomes several items only if the items cannot hold it whole: they are
///    numbers, or their `enum` or `pattern` refuses the whole and takes every part;
///  * a boolean is `--x` and `--no-x`;
///  * an object, or an item that is one, is written as JSON;
///  * a flag that collides with an option of submit itself is `--param-x` instead;
///  * a property that cannot be a flag (`kNamePattern`, or both names taken) is given by --params.
/// What is not given is not sent: defaults, ranges and paths are the server's business.
std::vector<SchemaFlag> flags_of_schema(const boost::json::object& input_schema);

/// The names that submit and rerun keep for themselves, without the dashes.
const std::vector<std::string_view>& reserved_flags();

/// Adds one text from the command line to `params`: converts it, splits it, appends it to an array.
/// kInvalid with the flag's name when it is no number or no JSON. `fresh`: the first one for this
/// flag, so what --params gave for the property is replaced.
Result<> add_value(boost::json::object& params, const SchemaFlag& flag, const std::string& text,
                   bool fresh);

/// The flags of one job type within one command line. Declares them, and after the parse reads
/// them. The App must outlive it.
class SchemaOptions {
 public:
  SchemaOptions(CLI::App& app, std::vector<SchemaFlag> flags, const std::string& group);
  /// Puts what was given into `params`.
  Result<> collect(boost::json::object& params) const;

 private:
  struct Bound {
    SchemaFlag flag;
    CLI::Option* option;
    CLI::Option* negation;  ///< null for none
  };
  std::vector<Bound> bound_;
};

}  // namespace runyard::cli
