#include "src/pocket/questions.h"

#include "src/base/pch.h"
#include "src/base/text.h"

namespace hijack {
namespace {

std::vector<Phrase> compiled(const std::vector<std::string>& patterns) {
  return {patterns.begin(), patterns.end()};
}

std::vector<Phrase> cores(const std::vector<std::string>& patterns, std::string_view subject) {
  std::vector<Phrase> phrases;
  for (std::string pattern : patterns) {
    // one after the other: what is put in has places of its own
    for (const auto& [place, text] : {std::pair<std::string, std::string>{"@", std::string(subject)},
                                      {"<pic>", "[||<in>|here]"},
                                      {"<in>", "in [the|the|this] [picture|image|photo]"},
                                      {"<the>", "[the|the|this] [picture|image|photo]"},
                                      {"<objs>", "[shapes|objects|things]"},
                                      {"<obj>", "[shape|object|thing]"}})
      pattern = filled_pattern(pattern, {{place, text}});
    phrases.emplace_back(pattern);
  }
  return phrases;
}

std::array<Branches, kMoods> make_frames() {
  std::array<Branches, kMoods> table;
  table[static_cast<size_t>(Mood::kDirect)] = {
      compiled(
          {"{core}?", "{core}?", "{core}", "[please|hey|hello|hi|ok|now|so|well], {core}?", "{core}, please?",
           "{core} [please|thanks]?", "[a|one] [quick|short|simple] question: {core}?",
           "[please|] answer [this|me]: {core}?", "I have a question: {core}?", "my question is: {core}?",
           "{core}? [thanks.|please answer.|tell me.|answer me, please.]", "[hi|hello|hey] there, {core}?"}),
      compiled({"[please|] answer [a|my] [short|quick|simple] question: {core}?",
                "hello, I have [a|one] [quick|short|simple] question: {core}?",
                "{core}? please [tell me|answer me], thanks.", "so tell me: {core}?"})};
  table[static_cast<size_t>(Mood::kClause)] = {
      compiled({"tell me {core}[.|]", "please tell me {core}[.|]",
                "[can|could] you [please|] tell me {core}?", "I [want|need] to know {core}[.|]",
                "do you know {core}?", "let me know {core}[, please|].", "[hey|hello|hi], tell me {core}.",
                "I would like to know {core}[.|, please.]", "[can|could] you say {core}?",
                "[please|] say {core}."}),
      compiled({"would you [please|] let me know {core}?", "hello, I would like you to tell me {core}.",
                "[please|hi], can you let me know {core}?", "I [want|need] you to tell me {core}."})};
  table[static_cast<size_t>(Mood::kNoun)] = {
      compiled({"what is {core}?", "what is {core}?", "[please|] [name|give me|tell me|find] {core}[.|]",
                "[can|could] you [name|give me|tell me|find] {core}?", "{core}, please.",
                "I [want|need] to know {core}.", "do you know {core}?",
                "I would like to know {core}[.|, please.]", "[so|hey|hi|ok], what is {core}?"}),
      compiled({"would you [give me|tell me|name] {core}[, please|]?",
                "I would like you to [name|find|give me] {core}[, please|].", "I need {core}[, please|].",
                "hello, please [give me|name|find] {core}."})};
  table[static_cast<size_t>(Mood::kCommand)] = {
      compiled({"{core}", "{core}", "please {core}", "[please|hey|hi|hello|ok|now|so], {core}",
                "[can|could] you {core}", "I [want|need] you to {core}", "[hi|hello|hey] there, {core}"}),
      compiled({"would you [please|] {core}", "hello, please {core}", "I would like you to {core}",
                "[ok|so|hey], can you {core}"})};
  return table;
}

std::vector<QuestionKind> make_kinds() {
  std::vector<QuestionKind> kinds;
  for (auto part : {visual_kinds(), copy_kinds(), closed_kinds()})
    for (QuestionKind& kind : part) kinds.push_back(std::move(kind));
  return kinds;
}

const Phrase& pick_phrase(const std::vector<Phrase>& phrases, Random& random) {
  return random.pick(phrases);
}

std::string wrapped(const Phrase& frame, const Phrase& core, const Slots& slots, Random& random) {
  std::vector<std::string> words;
  frame.expand(random, slots, &core, words);
  std::string text = join_words(words);
  if (random.chance(.6) && text.front() >= 'a' && text.front() <= 'z')
    text.front() = static_cast<char>(text.front() - 'a' + 'A');
  return text;
}

}  // namespace

QuestionKind make_kind(Task task, std::vector<std::string> slots, std::string_view subject,
                       const std::vector<CorePatterns>& patterns) {
  QuestionKind kind{task, std::move(slots), {}};
  for (const CorePatterns& part : patterns)
    kind.cores[static_cast<size_t>(part.mood)] = {cores(part.train, subject), cores(part.held_out, subject)};
  return kind;
}

const std::vector<QuestionKind>& question_kinds() {
  static const std::vector<QuestionKind> kinds = make_kinds();
  return kinds;
}

const Branches& frames(Mood mood) {
  static const std::array<Branches, kMoods> table = make_frames();
  return table[static_cast<size_t>(mood)];
}

const QuestionKind& kind_of(Task task, const Slots& slots) {
  for (const QuestionKind& kind : question_kinds()) {
    if (kind.task != task || kind.slots.size() != slots.size()) continue;
    if (std::all_of(kind.slots.begin(), kind.slots.end(),
                    [&](const auto& name) { return slots.contains(name); }))
      return kind;
  }
  throw std::out_of_range("no question kind with these slots");
}

std::string word_question(const QuestionKind& kind, const Slots& slots, Random& random, Wording wording,
                          bool plain) {
  std::vector<size_t> moods;
  for (size_t mood = 0; mood < kMoods; ++mood) {
    const Branches& cores = kind.cores[mood];
    const size_t weight = wording == Wording::kTrain ? cores.train.size() : cores.held_out.size();
    moods.insert(moods.end(), std::min<size_t>(weight, 4), mood);
  }
  const size_t mood = random.pick(moods);
  const Branches& framing = frames(static_cast<Mood>(mood));
  const Branches& cores = kind.cores[mood];
  if (wording == Wording::kTrain)
    return wrapped(plain ? framing.train.front() : pick_phrase(framing.train, random),
                   pick_phrase(cores.train, random), slots, random);
  // At least one of frame and core is held out.
  const double draw = random.uniform();
  const bool held_frame = !plain && draw < .5, held_core = plain || draw > .25;
  const Phrase& frame =
      plain ? framing.train.front() : pick_phrase(held_frame ? framing.held_out : framing.train, random);
  return wrapped(frame, pick_phrase(held_core ? cores.held_out : cores.train, random), slots, random);
}

std::vector<Meaning> parse_all(const std::string& prompt, bool train_only) {
  std::vector<Meaning> meanings;
  const std::vector<TextToken> tokens = split_tokens(prompt);
  for (const QuestionKind& kind : question_kinds()) {
    const auto found = [&](const Slots& slots) {
      Meaning meaning{kind.task, {slots.begin(), slots.end()}};
      if (std::find(meanings.begin(), meanings.end(), meaning) == meanings.end())
        meanings.push_back(std::move(meaning));
    };
    for (size_t mood = 0; mood < kMoods; ++mood) {
      const Branches& framing = frames(static_cast<Mood>(mood));
      for (int frame_part = 0; frame_part < (train_only ? 1 : 2); ++frame_part)
        for (int core_part = 0; core_part < (train_only ? 1 : 2); ++core_part)
          for (const Phrase& frame : frame_part ? framing.held_out : framing.train) {
            Slots slots;
            const auto& cores = core_part ? kind.cores[mood].held_out : kind.cores[mood].train;
            frame.match(prompt, tokens, 0, slots, &cores, [&](size_t end) {
              if (end == tokens.size()) found(slots);
              return false;
            });
          }
    }
  }
  return meanings;
}

}  // namespace hijack
