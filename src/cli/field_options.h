#pragma once
#include <CLI/CLI.hpp>
#include <set>
#include <string>
#include <vector>

#include "src/base/fields.h"

namespace hijack::cli {

/// The flags of a config: names, defaults and help from the declaration of its fields. Parsing only collects;
/// `apply` writes, so that flags can override a file that is read in between. Of `common` fields, where some
/// are named, help says what they mean; the others it only names (help.h).
class FieldOptions {
 public:
  FieldOptions(CLI::App& command, Fields fields, const std::set<std::string>& common = {});
  /// Sets the fields whose flags were given and returns their names. Throws Error.
  std::set<std::string> apply() const;

 private:
  Fields fields_;
  std::vector<CLI::Option*> options_;
};

}  // namespace hijack::cli
