#pragma once
#include <array>
#include <string>
#include <vector>

#include "src/pocket/exercise.h"
#include "src/pocket/phrase.h"

// How questions are worded. A question kind (a task with the slots it needs) has cores in several moods;
// frames of the same mood wrap a core to a prompt. Held-out frames and held-out cores never occur in
// training.

namespace hijack {

/// kDirect "what color is the circle" · kClause "what color the circle is" · kNoun "the color of the circle"
/// · kCommand "describe the picture", also everything that ends with free text.
enum class Mood { kDirect, kClause, kNoun, kCommand };
inline constexpr int kMoods = 4;

struct Branches {
  std::vector<Phrase> train, held_out;
};

struct QuestionKind {
  Task task;
  std::vector<std::string> slots;  ///< sorted
  std::array<Branches, kMoods> cores;
};

/// The table of all question kinds.
const std::vector<QuestionKind>& question_kinds();
const Branches& frames(Mood mood);

/// The kind that asks for exactly this. Throws std::out_of_range.
const QuestionKind& kind_of(Task task, const Slots& slots);

/// One prompt. `plain` uses only the first, bare frame.
std::string word_question(const QuestionKind& kind, const Slots& slots, Random& random, Wording wording,
                          bool plain = false);

/// All different meanings that a prompt can have, with the branches of one or of both wordings.
std::vector<Meaning> parse_all(const std::string& prompt, bool train_only);

/// Rule sentences.
const Branches& rule_phrases(Rule rule);

// The parts of the table, one file per group of tasks.
std::vector<QuestionKind> visual_kinds();
std::vector<QuestionKind> copy_kinds();    ///< say, e-mail, paraphrase
std::vector<QuestionKind> closed_kinds();  ///< policy and facts

/// Builds a kind; in the patterns `@` stands for `subject`, `<pic>` for an optional and `<in>` for a required
/// "in the picture", `<the>` for "the picture", `<objs>` and `<obj>` for shapes, objects or things.
struct CorePatterns {
  Mood mood;
  std::vector<std::string> train, held_out;
};
QuestionKind make_kind(Task task, std::vector<std::string> slots, std::string_view subject,
                       const std::vector<CorePatterns>& patterns);

}  // namespace hijack
