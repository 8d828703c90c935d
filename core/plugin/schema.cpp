#include "core/plugin/schema.h"

#include <re2/re2.h>

#include <algorithm>
#include <exception>
#include <new>

// The only file that includes valijson: it is heavy. Without this it aborts the process at the
// first schema that it does not like.
#define VALIJSON_USE_EXCEPTIONS 1
#include <valijson/adapters/boost_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

#include "core/plugin/schema_messages.h"
#include "core/plugin/schema_subset.h"
#include "core/plugin/schema_walk.h"

namespace runyard {
namespace {

namespace json = boost::json;
using valijson::adapters::Adapter;
using valijson::adapters::BoostJsonAdapter;

/// `pattern` by RE2: linear time, no recursion.
class Pattern : public valijson::constraints::PolyConstraint {
 public:
  explicit Pattern(const std::string& text)
      : regex_(std::make_shared<const RE2>(text, RE2::Quiet)) {
    if (!regex_->ok()) throw std::runtime_error("no RE2 regex: " + text);
  }
  bool validate(const Adapter& target, const std::vector<std::string>& context,
                valijson::ValidationResults* results) const override {
    std::string text;
    if (!target.isString() || !target.getString(text)) return true;
    if (RE2::PartialMatch(text, *regex_)) return true;
    if (results) results->pushError(context, kPatternComplaint);
    return false;
  }

 private:
  Constraint* cloneInto(void* room) const override { return new (room) Pattern(*this); }
  std::size_t sizeOf() const override { return sizeof(Pattern); }

  std::shared_ptr<const RE2> regex_;
};

bool is_calendar_date(int year, int month, int day) {
  constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (month < 1 || month > 12 || day < 1) return false;
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return day <= kDays[month - 1] + (month == 2 && leap ? 1 : 0);
}

bool is_date(const std::string& text) {
  static const RE2 kDate("(\\d{4})-(\\d{2})-(\\d{2})");
  int year = 0;
  int month = 0;
  int day = 0;
  return RE2::FullMatch(text, kDate, &year, &month, &day) && is_calendar_date(year, month, day);
}

bool is_time(const std::string& text) {
  static const RE2 kTime(
      "([01]\\d|2[0-3]):[0-5]\\d:([0-5]\\d|60)(\\.\\d+)?([Zz]|[+-]([01]\\d|2[0-3]):[0-5]\\d)");
  return RE2::FullMatch(text, kTime);
}

bool is_date_time(const std::string& text) {
  constexpr std::size_t kDateSize = 10;
  return text.size() > kDateSize && (text[kDateSize] == 'T' || text[kDateSize] == 't') &&
         is_date(text.substr(0, kDateSize)) && is_time(text.substr(kDateSize + 1));
}

/// `format`: dates and times are checked, anything else is a note for people, as draft-07 allows.
class Format : public valijson::constraints::PolyConstraint {
 public:
  explicit Format(const std::string& name)
      : check_(name == "date"        ? is_date
               : name == "time"      ? is_time
               : name == "date-time" ? is_date_time
                                     : nullptr) {}
  bool validate(const Adapter& target, const std::vector<std::string>& context,
                valijson::ValidationResults* results) const override {
    std::string text;
    if (!check_ || !target.isString() || !target.getString(text) || check_(text)) return true;
    if (results) results->pushError(context, kFormatComplaint);
    return false;
  }

 private:
  Constraint* cloneInto(void* room) const override { return new (room) Format(*this); }
  std::size_t sizeOf() const override { return sizeof(Format); }

  bool (*check_)(const std::string&);
};

template <class Made>
class Builder : public valijson::ConstraintBuilder {
 public:
  valijson::constraints::Constraint* make(const Adapter& value) const override {
    return new Made(value.asString());
  }
};

/// `[config_path]`, as valijson writes a step, without the brackets.
InputPath to_path(const std::vector<std::string>& context) {
  InputPath path;
  for (std::size_t i = 1; i < context.size(); ++i) {
    path.push_back(context[i].substr(1, context[i].size() - 2));
  }
  return path;
}

bool has_error_at(const std::vector<FieldError>& errors, const std::string& pointer) {
  return std::any_of(errors.begin(), errors.end(),
                     [&](const FieldError& error) { return error.pointer == pointer; });
}

/// The first error of each input stays.
void add_errors(std::vector<FieldError>& errors, std::vector<FieldError> more) {
  for (FieldError& error : more) {
    if (!has_error_at(errors, error.pointer)) errors.push_back(std::move(error));
  }
}

Error to_error(std::vector<FieldError> errors) {
  std::string message = errors.front().message;
  if (errors.size() > 1) message += " (and " + std::to_string(errors.size() - 1) + " more)";
  return {ErrorKind::kInvalid, std::move(message), std::move(errors)};
}

}  // namespace

struct InputSchema::Compiled {
  json::object source;
  std::vector<PathInput> paths;
  std::vector<std::string_view> known;  // names of the root's properties, in `source`
  valijson::Schema schema;
};

Result<InputSchema> InputSchema::compile(const json::object& schema) {
  auto subset = check_subset(schema);
  if (!subset) return subset.error();
  auto compiled = std::make_shared<Compiled>();
  compiled->source = schema;
  compiled->paths = std::move(subset->paths);
  compiled->known = property_names(root_schemas(compiled->source));
  try {
    valijson::SchemaParser parser(valijson::SchemaParser::kDraft7);
    parser.addConstraintBuilder(kPatternKeyword, new Builder<Pattern>);
    parser.addConstraintBuilder(kFormatKeyword, new Builder<Format>);
    const json::value prepared(std::move(subset->prepared));
    parser.populateSchema(BoostJsonAdapter(prepared), compiled->schema);
  } catch (const std::exception& error) {
    return make_error(ErrorKind::kInvalid,
                      std::string("input_schema: it is no JSON Schema draft-07: ") + error.what());
  }
  return InputSchema(std::move(compiled));
}

Result<json::object> InputSchema::check(json::object params) const {
  return check(std::move(params), nullptr);
}

Result<json::object> InputSchema::check(json::object params, const Confinement& confinement) const {
  return check(std::move(params), &confinement);
}

Result<json::object> InputSchema::check(json::object params, const Confinement* confinement) const {
  json::value inputs(std::move(params));
  BoundsResult bounds = check_bounds(compiled_->source, inputs);
  std::vector<FieldError> errors = std::move(bounds.errors);
  if (bounds.too_large) return to_error(std::move(errors));

  for (const auto& member : inputs.get_object()) {
    const std::string_view name = member.key();
    const auto& known = compiled_->known;
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      add_errors(errors, {{to_pointer({std::string(name)}), unknown_field(name, known)}});
    }
  }
  apply_defaults(compiled_->source, inputs);

  valijson::ValidationResults results;
  try {
    valijson::Validator validator;
    if (!validator.validate(compiled_->schema, BoostJsonAdapter(inputs), &results)) {
      std::vector<Complaint> complaints;
      for (const auto& result : results) {
        complaints.push_back({to_path(result.context), result.description});
      }
      add_errors(errors, explain(compiled_->source, complaints));
    }
  } catch (const std::exception& error) {
    return make_error(ErrorKind::kInternal,
                      std::string("the inputs could not be checked: ") + error.what());
  }

  for (const PathInput& input : compiled_->paths) {
    visit_texts(inputs, input.location, [&](const InputPath& path, json::string& text) {
      const std::string pointer = to_pointer(path);
      if (has_error_at(errors, pointer)) return;
      auto confined = confine(input.rule, std::string_view(text), confinement);
      if (confined) {
        text = *confined;
      } else {
        errors.push_back({pointer, to_label(path) + " " + confined.error().message});
      }
    });
  }
  if (!errors.empty()) return to_error(std::move(errors));
  return std::move(inputs.get_object());
}

}  // namespace runyard
