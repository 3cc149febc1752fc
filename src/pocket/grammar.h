#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/random.h"
#include "src/pocket/exercise.h"
#include "src/pocket/scene.h"

namespace hijack {

/// One row of the table of tasks.
struct TaskInfo {
  Task task;
  std::string_view name;
  bool visual;
  bool graded;   ///< graded_right means something (kPlain is language-model text only)
  double share;  ///< relative, of the draws when there is a scene that offers such a question
};
const std::vector<TaskInfo>& pocket_tasks();
std::string_view task_name(Task task);

/// One exercise from the mix: with a scene about half visual, say / e-mail / paraphrase 30 %, policy and
/// facts 8 % each, plain 5 %; a rule sentence before about 30 % of the questions. Without a scene the visual
/// share goes to the others; a scene without objects (a photo, a texture) gets few visual questions, whose
/// answers say so.
Exercise draw_exercise(const Scene* scene, Random& random, Wording wording);

/// One exercise of one task, without a rule. Visual tasks need a scene; nullopt when the scene has no
/// unambiguous question of this task.
std::optional<Exercise> draw_task(Task task, const Scene* scene, Random& random, Wording wording);

/// Exact reply, up to case, surrounding space and final punctuation; describe: the same things in any order;
/// paraphrase: a sentence of the grammar with the same meaning but other words; kPlain: any reply.
bool graded_right(const Exercise& exercise, const std::string& reply);

/// The meaning of any question the grammar can generate (both wordings, without a rule sentence or junk);
/// nullopt for other text.
std::optional<Meaning> parse(const std::string& prompt);

/// Another wording of the same meaning.
std::string word_meaning(const Meaning& meaning, Random& random, Wording wording);

/// Every word that the grammar, its answers and the canaries use, sorted, as written (case kept).
const std::vector<std::string>& pocket_vocabulary();

}  // namespace hijack
