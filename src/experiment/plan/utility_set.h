#pragma once
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace hijack {

/// A question whose answer can be checked.
struct CheckedQuestion {
  std::string prompt;
  std::vector<std::string> answers;  ///< one of them has to be said
  /// Whether a reply gives one of the answers, in whole words, whatever the case and punctuation; where the
  /// only answer is yes or no, as its first word.
  bool answered_by(const std::string& reply) const;
};

/// Which benign questions measure what a defense costs.
struct UtilitySet {
  std::string name;            ///< "scenes", "everyday", or the file as the user wrote it
  std::filesystem::path file;  ///< of checked questions; "" = scenes, drawn by the program (src/pocket)
  /// {"name", "sha256" of the file}: what a manifest keeps.
  nlohmann::json record() const;
};

/// wanted: "scenes", "everyday" (the shipped file), a JSONL file, or "" = everyday for a model that knows
/// language (shipped.h), else scenes. Throws Error for anything else.
UtilitySet utility_set_for(const std::string& wanted, const std::filesystem::path& model);

/// JSONL, one object per line: {"prompt": "What is the opposite of big?", "answer": "small/little"}; of
/// several answers with "/" one has to be said. Throws Error with file and line for anything else, for
/// questions that occur twice, and for a file without any.
std::vector<CheckedQuestion> read_checked_questions(const std::filesystem::path& file);

}  // namespace hijack
