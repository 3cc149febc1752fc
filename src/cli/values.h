#pragma once
#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace hijack::cli {

/// What follows a flag, or stands in a positional's place: for --help and for shell completion.
struct Values {
  enum class Kind { kNothing, kFree, kNames, kFiles, kFolders };
  Kind kind = Kind::kFree;  ///< free: text of which nothing is known; nothing: the flag takes none
  std::vector<std::string> names = {};
};
Values values_of(const CLI::App& command, const CLI::Option& option);

/// What --help shows for the values of a config field's flag: "NAME", "FILE", "DIR"; "" = its own type.
std::string type_of_flag(const std::string& flag);

}  // namespace hijack::cli
