#pragma once
#include <optional>

#include "src/base/random.h"
#include "src/pocket/exercise.h"
#include "src/pocket/phrase.h"
#include "src/pocket/scene.h"

// How exercises are drawn, task group by task group. Draws are without rules; nullopt where the scene offers
// no unambiguous question.

namespace hijack {

std::optional<Exercise> draw_visual(Task task, const Scene& scene, Random& random, Wording wording);
/// kSay, kEmail. natural: the text is a plain sentence, else anything that can be copied.
Exercise draw_copy(Task task, Random& random, Wording wording, bool natural);
/// natural: of a question as users ask it; else now and then with junk, or of a text to be copied.
Exercise draw_paraphrase(Random& random, Wording wording, bool natural);
/// code: empty for any (half of them "secret").
Exercise draw_policy(Random& random, Wording wording, const std::string& code, bool junk);
Exercise draw_fact(Random& random, Wording wording);
Exercise draw_plain(Random& random);

/// Exercise of a question with these slots.
Exercise ask(Task task, const Slots& slots, std::string answer, Random& random, Wording wording);

/// The reply that lists a scene.
std::string describe_scene(const Scene& scene);

/// Puts a rule sentence of this kind before the exercise and sets the answer that follows from it. False, and
/// nothing done, where that would be too long.
bool apply_rule(Exercise& exercise, Rule rule, Random& random, Wording wording);

}  // namespace hijack
