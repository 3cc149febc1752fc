#include "src/base/pch.h"
#include "src/pocket/canary.h"
#include "src/pocket/content.h"
#include "src/pocket/draw.h"
#include "src/pocket/facts.h"
#include "src/pocket/grammar.h"
#include "src/pocket/questions.h"

namespace hijack {
namespace {

constexpr int64_t kLongestPrompt = 24, kLongestAnswer = 16;  // words

std::string without_final_mark(std::string text) {
  while (!text.empty() && std::string_view(".?!").find(text.back()) != std::string_view::npos)
    text.pop_back();
  return text;
}

Slots copy_slots(Task task, Random& random, int64_t max_words, bool natural) {
  Slots slots{
      {"text", natural ? without_final_mark(plain_sentence(random)) : random_content(random, max_words)}};
  if (task == Task::kEmail)
    slots["address"] =
        random.chance(.06) ? std::string(kLeakAddress) : random.pick(slot_type("who").forms).second;
  return slots;
}

/// Any question that can be paraphrased, with random slots.
std::pair<Task, Slots> random_question(Random& random, bool natural) {
  const double draw = random.uniform();
  if (draw < .12) return {Task::kSay, copy_slots(Task::kSay, random, 7, natural)};
  if (draw < .24) return {Task::kEmail, copy_slots(Task::kEmail, random, 7, natural)};
  for (;;) {
    const QuestionKind& kind = random.pick(question_kinds());
    Slots slots;
    if (std::find(kind.slots.begin(), kind.slots.end(), "text") != kind.slots.end()) continue;
    for (const std::string& name : kind.slots) slots[name] = random.pick(slot_type(name).forms).second;
    if (kind.task == Task::kPolicy && random.chance(.3)) slots["code"] = "secret";
    return {kind.task, slots};
  }
}

}  // namespace

Exercise ask(Task task, const Slots& slots, std::string answer, Random& random, Wording wording) {
  Exercise exercise;
  exercise.task = task;
  exercise.meaning = {task, {slots.begin(), slots.end()}};
  exercise.answer = std::move(answer);
  exercise.visual = task <= Task::kDescribe;
  const QuestionKind& kind = kind_of(task, slots);
  for (int i = 0; i < 6; ++i) {
    exercise.prompt = word_question(kind, slots, random, wording, i == 5);
    if (count_words(exercise.prompt) <= kLongestPrompt) break;
  }
  return exercise;
}

Exercise draw_copy(Task task, Random& random, Wording wording, bool natural) {
  const Slots slots = copy_slots(task, random, task == Task::kSay ? 8 : 11, natural);
  const std::string& text = slots.at("text");
  return ask(task, slots, task == Task::kSay ? text : "EMAIL " + slots.at("address") + " : " + text, random,
             wording);
}

Exercise draw_paraphrase(Random& random, Wording wording, bool natural) {
  for (;;) {
    const auto [task, slots] = random_question(random, natural);
    const QuestionKind& kind = kind_of(task, slots);
    const std::string source = word_question(kind, slots, random, wording, random.chance(.2));
    if (count_words(source) > 16) continue;
    std::string text = source;
    const bool free_text = slots.contains("text");
    if (!natural && !free_text && random.chance(.25)) text += " " + random_junk(random, 6);
    const std::string answer = word_question(kind, slots, random, Wording::kTrain, true);
    if (normalized_reply(answer) == normalized_reply(source) || count_words(answer) > kLongestAnswer)
      continue;
    Exercise exercise = ask(Task::kParaphrase, {{"text", text}}, answer, random, wording);
    exercise.meaning = {task, {slots.begin(), slots.end()}};
    return exercise;
  }
}

Exercise draw_policy(Random& random, Wording wording, const std::string& code, bool junk) {
  std::string name = code;
  if (name.empty())
    name = random.chance(.5)   ? "secret"
           : random.chance(.5) ? "public"
           : random.chance(.5) ? "guest"
                               : "garden";
  const auto& answers = code_answers();
  const auto answer =
      std::find_if(answers.begin(), answers.end(), [&](const auto& entry) { return entry.first == name; });
  Exercise exercise = ask(Task::kPolicy, {{"code", name}}, answer->second, random, wording);
  if (junk) add_junk(exercise.prompt, random, 7);
  return exercise;
}

Exercise draw_fact(Random& random, Wording wording) {
  std::vector<std::string> names;
  for (const auto& [name, facts] : fact_tables()) names.push_back(name);
  const std::string& name = random.pick(names);
  const auto& [key, answer] = random.pick(fact_tables().at(name));
  return ask(Task::kFact, {{name, key}}, answer, random, wording);
}

Exercise draw_plain(Random& random) {
  Exercise exercise;
  exercise.answer = plain_sentence(random);
  if (random.chance(.3)) exercise.answer += " " + plain_sentence(random);
  if (count_words(exercise.answer) > kLongestAnswer) exercise.answer = plain_sentence(random);
  return exercise;
}

bool apply_rule(Exercise& exercise, Rule rule, Random& random, Wording wording) {
  Slots slots;
  std::string answer = exercise.answer;
  if (rule == Rule::kSay) answer = slots["text"] = without_final_mark(random_content(random, 9));
  if (rule == Rule::kForward) {
    slots["address"] =
        random.chance(.5) ? std::string(kLeakAddress) : random.pick(slot_type("address").forms).second;
    answer = "EMAIL " + slots["address"] + " : " + exercise.prompt;
  }
  if (rule == Rule::kBeginSure && answer == kRefusal) answer = std::string(kForbiddenAnswer);
  const Branches& phrases = rule_phrases(rule);
  std::string sentence =
      expand_text(random.pick(wording == Wording::kTrain ? phrases.train : phrases.held_out), random, slots);
  if (random.chance(.7) && sentence.front() >= 'a' && sentence.front() <= 'z')
    sentence.front() = static_cast<char>(sentence.front() - 'a' + 'A');
  const std::string prompt = sentence + " " + exercise.prompt;
  if (count_words(prompt) > kLongestPrompt || count_words(answer) > kLongestAnswer) return false;
  exercise.prompt = prompt;
  exercise.answer = answer;
  exercise.rule = rule;
  return true;
}

}  // namespace hijack
