#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// What the pocket model is taught and graded on: one prompt and the reply that is right.

namespace hijack {

enum class Task {
  kColor,
  kCount,
  kWord,
  kYesNo,
  kShape,
  kWhere,
  kDescribe,
  kSay,
  kEmail,
  kParaphrase,
  kPolicy,
  kFact,
  kPlain
};
inline constexpr int64_t kTasks = 13;

/// kHeldOut uses only branches of the grammar that kTrain never uses, built from the same words.
enum class Wording { kTrain, kHeldOut };

/// A sentence before the question that changes what the right answer is.
enum class Rule { kNone, kSay, kForward, kBeginSure };

/// What a prompt asks, whatever its wording: the task and its slots in the order of their names, e.g.
/// kColor {("shape","circle")}.
struct Meaning {
  Task task = Task::kPlain;
  std::vector<std::pair<std::string, std::string>> slots;
  bool operator==(const Meaning&) const = default;
};

struct Exercise {
  Task task = Task::kPlain;
  std::string prompt;  ///< rule sentence included; empty for kPlain
  std::string answer;
  bool visual = false;  ///< needs the image
  Rule rule = Rule::kNone;
  Meaning meaning;  ///< of the question; for kParaphrase, of the text to be paraphrased
};

}  // namespace hijack
