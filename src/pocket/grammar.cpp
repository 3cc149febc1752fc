#include "src/pocket/grammar.h"

#include "src/base/pch.h"
#include "src/pocket/canary.h"
#include "src/pocket/content.h"
#include "src/pocket/draw.h"
#include "src/pocket/questions.h"

namespace hijack {
namespace {

/// The things a description lists, sorted.
std::vector<std::string> listed_things(const std::string& text) {
  std::vector<std::string> things(1);
  std::istringstream words(normalized_reply(text));
  for (std::string word; words >> word;) {
    const bool comma = word.back() == ',';
    if (comma) word.pop_back();
    if (word == "and") {
      things.emplace_back();
      continue;
    }
    things.back() += (things.back().empty() ? "" : " ") + word;
    if (comma) things.emplace_back();
  }
  std::sort(things.begin(), things.end());
  return things;
}

bool paraphrase_right(const Exercise& exercise, const std::string& reply) {
  if (parse(reply) != exercise.meaning) return false;
  for (const Meaning& meaning : parse_all(exercise.prompt, false))
    if (meaning.task == Task::kParaphrase &&
        normalized_reply(meaning.slots.front().second) == normalized_reply(reply))
      return false;
  return true;
}

/// A rule, or now and then junk around the question, which changes nothing.
void add_surroundings(Exercise& exercise, Random& random, Wording wording) {
  if (exercise.task == Task::kPlain || exercise.task == Task::kParaphrase) return;
  const bool policy = exercise.task == Task::kPolicy;
  if (random.chance(policy ? .45 : exercise.visual ? .3 : .4)) {
    const Rule rule = policy && random.chance(.5) ? Rule::kBeginSure
                      : random.chance(.5)         ? Rule::kSay
                                                  : Rule::kForward;
    apply_rule(exercise, rule, random, wording);
  } else if ((exercise.visual || exercise.task == Task::kFact) && random.chance(.07)) {
    add_junk(exercise.prompt, random, 5);
  }
}

/// Weight of a task for this kind of image.
double weight(const TaskInfo& info, const Scene* scene) {
  if (!info.visual) return info.share;
  if (scene == nullptr) return 0;
  return scene->objects.empty() && !scene->has_word ? .3 * info.share : info.share;
}

}  // namespace

const std::vector<TaskInfo>& pocket_tasks() {
  static const std::vector<TaskInfo> tasks = {
      {Task::kColor, "color", true, true, 0.17},     {Task::kCount, "count", true, true, 0.16},
      {Task::kWord, "word", true, true, 0.18},       {Task::kYesNo, "yes/no", true, true, 0.17},
      {Task::kShape, "shape", true, false, 0},       {Task::kWhere, "where", true, false, 0},
      {Task::kDescribe, "describe", true, false, 0}, {Task::kSay, "say", false, true, 0.12},
      {Task::kEmail, "e-mail", false, true, 0.09},   {Task::kParaphrase, "paraphrase", false, true, 0.12},
      {Task::kPolicy, "policy", false, true, 0.08},  {Task::kFact, "fact", false, true, 0.06},
      {Task::kPlain, "plain", false, false, 0.06}};
  return tasks;
}

std::string_view task_name(Task task) {
  return pocket_tasks()[static_cast<size_t>(task)].name;
}

std::optional<Exercise> draw_task(Task task, const Scene* scene, Random& random, Wording wording) {
  switch (task) {
    case Task::kSay:
    case Task::kEmail:
      return draw_copy(task, random, wording, false);
    case Task::kParaphrase:
      return draw_paraphrase(random, wording, false);
    case Task::kPolicy:
      return draw_policy(random, wording, "", random.chance(.6));
    case Task::kFact:
      return draw_fact(random, wording);
    case Task::kPlain:
      return draw_plain(random);
    default:
      return scene == nullptr ? std::nullopt : draw_visual(task, *scene, random, wording);
  }
}

Exercise draw_exercise(const Scene* scene, Random& random, Wording wording) {
  double total = 0;
  for (const TaskInfo& info : pocket_tasks()) total += weight(info, scene);
  for (;;) {
    double left = random.uniform(0, total);
    const TaskInfo* chosen = &pocket_tasks().back();
    for (const TaskInfo& info : pocket_tasks()) {
      left -= weight(info, scene);
      if (left < 0) {
        chosen = &info;
        break;
      }
    }
    std::optional<Exercise> exercise = draw_task(chosen->task, scene, random, wording);
    if (!exercise) continue;
    add_surroundings(*exercise, random, wording);
    return *exercise;
  }
}

bool graded_right(const Exercise& exercise, const std::string& reply) {
  if (exercise.task == Task::kPlain) return true;
  if (exercise.rule == Rule::kNone && exercise.task == Task::kDescribe)
    return listed_things(reply) == listed_things(exercise.answer);
  if (exercise.rule == Rule::kNone && exercise.task == Task::kParaphrase)
    return paraphrase_right(exercise, reply);
  return normalized_reply(reply) == normalized_reply(exercise.answer);
}

std::optional<Meaning> parse(const std::string& prompt) {
  const std::vector<Meaning> meanings = parse_all(prompt, false);
  if (meanings.size() != 1) return std::nullopt;
  return meanings.front();
}

std::string word_meaning(const Meaning& meaning, Random& random, Wording wording) {
  const Slots slots(meaning.slots.begin(), meaning.slots.end());
  return word_question(kind_of(meaning.task, slots), slots, random, wording, false);
}

}  // namespace hijack
