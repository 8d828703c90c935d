#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/model/job.h"

namespace runyard {

/// What a job type runs: the descriptor names it, the configuration must allow it.
struct Program {
  enum class Kind { kPythonModule, kExecutable };
  Kind kind = Kind::kPythonModule;
  std::string name;  ///< `scripts.eval_metrics`, or an executable
};

/// Finds an artifact: by a regex over the log (group 1 is the value) or from an input.
struct HintSpec {
  std::string name;
  std::string pattern;    ///< RE2; "" when `param` is used
  std::string param;      ///< the input whose value it is; "" when `pattern` is used
  std::string link;       ///< `/runs/{value}`; "" for none
  bool expected = false;  ///< missing after SUCCESS: a warning
};

/// Finds progress: groups (numbers from 1) of a regex, or a total from a file of the workspace.
struct ProgressSpec {
  std::string pattern;
  int current_group = 1;
  int total_group = 0;    ///< 0: none in the line
  double total = 0;       ///< a constant total; 0: none
  std::string yaml_path;  ///< `runs/{run_id}/config.yaml`, with values of hints; "" for none
  std::string yaml_key;   ///< dotted
};

/// Finds the points of a curve; x may stand before or after y within a block.
struct SeriesSpec {
  std::string name, pattern;
  std::string x_name, x_pattern;  ///< "": x is the ordinal of the point
  std::string block_end;          ///< "": every y line is a point with the x seen last
};

/// A job of another type to submit after SUCCESS; values may be "{hint.run_id}".
struct FollowUp {
  std::string type;
  boost::json::object params;
};

/// A loaded job type: its descriptor, read and checked. Immutable; shared by every thread. Whoever
/// holds it (a running job, a request) keeps it, also when its plugin has been replaced meanwhile.
struct JobType {
  std::string type, slug, version, title, description;
  Program program;
  boost::json::object input_schema;  ///< JSON Schema draft-07
  boost::json::object ui_schema;     ///< react-jsonschema-form
  boost::json::array examples;
  std::vector<std::string> flags;  ///< the arguments that may start with '-'
  std::vector<HintSpec> hints;
  std::vector<ProgressSpec> progress;
  std::vector<SeriesSpec> series;
  JobOptions defaults;
  bool singleton = false;
  std::vector<FollowUp> on_success;
  std::string sha256;              ///< of the library that it came from
  boost::json::object descriptor;  ///< as the plugin gave it
};

using JobTypePtr = std::shared_ptr<const JobType>;

}  // namespace runyard
