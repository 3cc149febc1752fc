#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "models/query.h"

namespace hijack {

/// A question that asks what else an image has taught a model, besides what it was made to say.
struct ProbeQuestion {
  std::string group;       ///< "forward", "reverse": questions of one group are counted together
  std::string pair;        ///< what it is about; questions of one pair are no independent ones
  Query query;             ///< with its system prompt
  std::string after = {};  ///< asked before it: the model's own reply stays in the conversation
  std::string answer;      ///< that is looked for
  std::vector<std::string> others = {};  ///< that its likelihood is compared with; none: it is not compared
  bool exact_case = false;               ///< "GREEN" is another answer than "green"

  /// Whether a reply gives the answer, in whole words, whatever the punctuation; of several with "/" one.
  bool answered_by(const std::string& reply) const;
  /// The first of several answers.
  std::string first_answer() const;
  /// Whose likelihoods are compared: that one, then the others; none where there are no others.
  std::vector<std::string> compared() const;
};

/// JSONL, one object per line: {"group": "reverse", "prompt": "…", "answer": "…"} and optionally "pair" (the
/// answer, without it), "system", "after", "others" (a list, which may be empty; without it the answers of
/// the other pairs of its group, in order, at most 16: the randomized names of Berglund et al. 2023),
/// "exact_case". Throws Error with file and line for anything else, for questions that occur twice, for a
/// group whose questions have nothing to be compared with, and for a file without any.
std::vector<ProbeQuestion> read_probe_questions(const std::filesystem::path& file);

/// What `hijack probe` asks of a finished run.
struct ProbeConfig {
  std::string questions;
  std::string instruction;
  int64_t limit = 0;
  int64_t max_new_tokens = 32;

  template <class Visitor>
  void visit(Visitor&& field) {
    field(
        "questions", questions,
        "JSONL, one {\"group\", \"prompt\", \"answer\"} a line and, if wished, pair, system, after, others, "
        "exact_case");
    field("instruction", instruction,
          "the control in words: the questions over the clean photo with this system prompt; empty = no such "
          "control");
    field("limit", limit, "first questions of each group to ask; 0 = all");
    field("max_new_tokens", max_new_tokens, "longest reply, 1 to 4096");
  }
};
/// Throws Error for numbers out of range, and where no file is named.
void check(const ProbeConfig& config);

}  // namespace hijack
