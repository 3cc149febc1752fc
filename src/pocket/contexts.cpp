#include "src/pocket/contexts.h"

#include "src/base/pch.h"
#include "src/base/text.h"
#include "src/pocket/draw.h"
#include "src/pocket/grammar.h"

namespace hijack {
namespace {

/// The split a prompt belongs to, by its text alone: seeds can never mix splits.
ContextSplit split_of(const std::string& prompt) {
  const uint64_t hash = fnv1a(lower_case(prompt));
  const uint64_t bucket = (hash ^ hash >> 32) % 8;
  return bucket < 3   ? ContextSplit::kTrain
         : bucket < 4 ? ContextSplit::kValidation
         : bucket < 6 ? ContextSplit::kTest
                      : ContextSplit::kCalibration;
}

/// As a user would ask: no junk around it, plain sentences to copy, only codes that may be told.
std::optional<Exercise> draw_natural(Task task, const Scene* scene, Random& random, Wording wording) {
  switch (task) {
    case Task::kSay:
    case Task::kEmail:
      return draw_copy(task, random, wording, true);
    case Task::kParaphrase:
      return draw_paraphrase(random, wording, true);
    case Task::kPolicy:
      return draw_policy(random, wording, random.chance(.5) ? "public" : "garden", false);
    default:
      return draw_task(task, scene, random, wording);
  }
}

Exercise draw_benign(Random& random, Wording wording, bool with_paraphrases) {
  static constexpr std::array<Task, 12> kMix = {Task::kColor, Task::kColor, Task::kCount, Task::kWord,
                                                Task::kYesNo, Task::kYesNo, Task::kCount, Task::kFact,
                                                Task::kFact,  Task::kSay,   Task::kEmail, Task::kPolicy};
  for (;;) {
    const Task task = with_paraphrases && random.chance(.1) ? Task::kParaphrase : random.pick(kMix);
    if (task == Task::kPolicy || task == Task::kSay || task == Task::kEmail)
      return *draw_natural(task, nullptr, random, wording);
    const Scene scene = random_scene(random);
    if (auto exercise = draw_natural(task, &scene, random, wording)) return *exercise;
  }
}

template <class Draw>
std::vector<Exercise> collect(ContextSplit split, int64_t n, Draw draw) {
  std::vector<Exercise> found;
  std::set<std::string> seen;
  // thresholds are for prompts as users word them, not as training worded them
  const bool mixed = split == ContextSplit::kTest || split == ContextSplit::kCalibration;
  while (static_cast<int64_t>(found.size()) < n) {
    const bool held_out = mixed && found.size() % 2 == 1;
    Exercise exercise = draw(held_out ? Wording::kHeldOut : Wording::kTrain);
    if (split_of(exercise.prompt) == split && seen.insert(lower_case(exercise.prompt)).second)
      found.push_back(std::move(exercise));
  }
  return found;
}

}  // namespace

std::vector<Exercise> benign_exercises(ContextSplit split, int64_t n, uint64_t seed) {
  Random random = Random(seed).fork("benign contexts", static_cast<uint64_t>(split));
  return collect(split, n, [&](Wording wording) {
    return draw_benign(random, wording, split == ContextSplit::kCalibration);
  });
}

std::vector<Exercise> policy_contexts(ContextSplit split, int64_t n, uint64_t seed) {
  Random random = Random(seed).fork("policy contexts", static_cast<uint64_t>(split));
  return collect(split, n,
                 [&](Wording wording) { return draw_policy(random, wording, "secret", random.chance(.25)); });
}

std::vector<Exercise> reading_contexts(ContextSplit split, int64_t n, uint64_t seed) {
  Random random = Random(seed).fork("reading contexts", static_cast<uint64_t>(split));
  return collect(split, n, [&](Wording wording) {
    for (;;) {
      const Scene scene = random_scene(random);
      if (auto exercise = draw_visual(Task::kWord, scene, random, wording)) return *exercise;
    }
  });
}

namespace {

std::vector<UtilityItem> graded_items(const std::function<bool(const TaskInfo&)>& wanted, Texts texts,
                                      int64_t n, uint64_t seed) {
  Random random = Random(seed).fork("utility set");
  std::vector<Task> tasks;
  for (const TaskInfo& info : pocket_tasks())
    if (info.graded && wanted(info)) tasks.push_back(info.task);
  std::vector<UtilityItem> items;
  for (size_t turn = 0; static_cast<int64_t>(items.size()) < n;) {
    const Task task = tasks[turn % tasks.size()];
    const Scene scene = random_scene(random);
    if (task == Task::kWord && !scene.has_word) continue;
    auto exercise = texts == Texts::kNatural ? draw_natural(task, &scene, random, Wording::kHeldOut)
                                             : draw_task(task, &scene, random, Wording::kHeldOut);
    if (!exercise) continue;
    Tensor image;
    if (exercise->visual) image = render(scene, random);
    items.push_back({std::move(image), std::move(*exercise)});
    ++turn;
  }
  return items;
}

}  // namespace

std::vector<UtilityItem> utility_set(Texts texts, int64_t n, uint64_t seed) {
  return graded_items([](const TaskInfo&) { return true; }, texts, n, seed);
}

std::vector<UtilityItem> visual_utility_set(int64_t n, uint64_t seed) {
  return graded_items([](const TaskInfo& info) { return info.visual; }, Texts::kNatural, n, seed);
}

}  // namespace hijack
