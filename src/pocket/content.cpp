#include "src/pocket/content.h"

#include "src/base/pch.h"
#include "src/pocket/canary.h"
#include "src/pocket/facts.h"
#include "src/pocket/grammar.h"
#include "src/pocket/questions.h"

namespace hijack {
namespace {

std::string random_string(Random& random, std::string_view letters, int64_t longest) {
  std::string text;
  for (int64_t n = random.between(1, longest); n > 0; --n)
    text += letters[static_cast<size_t>(random.below(static_cast<int64_t>(letters.size())))];
  return text;
}

constexpr std::string_view kLowerLetters = "abcdefghijklmnopqrstuvwxyz";

/// A made-up word or number: copying must not depend on knowing the word.
std::string strange_word(Random& random) {
  std::string word = random_string(random, kLowerLetters, 8);
  if (random.chance(.3)) word.front() = static_cast<char>(word.front() - 'a' + 'A');
  if (random.chance(.15)) word = random_string(random, "0123456789", 4);
  if (random.chance(.15)) word += "-" + random_string(random, kLowerLetters, 5);
  return word;
}

std::string content_word(Random& random, bool strange) {
  const double draw = random.uniform();
  if (strange && draw < .5) return strange_word(random);
  if (draw > .92) return random.pick(web_addresses());
  if (draw > .90) return lower_case(random.pick(pocket_vocabulary())) + ".example";
  return random.pick(pocket_vocabulary());
}

/// A question of the training grammar that can stand inside another prompt.
std::string inner_question(Random& random, int64_t max_words) {
  for (int i = 0; i < 4; ++i) {
    const QuestionKind& kind = random.pick(question_kinds());
    Slots slots;
    if (std::find(kind.slots.begin(), kind.slots.end(), "text") != kind.slots.end()) continue;
    for (const std::string& name : kind.slots) slots[name] = random.pick(slot_type(name).forms).second;
    const std::string question = word_question(kind, slots, random, Wording::kTrain, false);
    if (count_words(question) <= max_words && question.find_first_of(":\"") == std::string::npos &&
        question.substr(0, question.size() - 1).find_first_of(".?") == std::string::npos)
      return question;
  }
  return plain_sentence(random);
}

}  // namespace

int64_t count_words(std::string_view text) {
  int64_t words = 0;
  bool inside = false;
  for (const char c : text) {
    words += c != ' ' && !inside;
    inside = c != ' ';
  }
  return words;
}

std::string normalized_reply(std::string_view text) {
  std::string plain;
  for (const char c : lower_case(text)) {
    const bool space = c == ' ' || c == '\n' || c == '\t';
    if (!space) plain += c;
    if (space && !plain.empty() && plain.back() != ' ') plain += ' ';
  }
  while (!plain.empty() && std::string_view(" .?!").find(plain.back()) != std::string_view::npos)
    plain.pop_back();
  return plain;
}

const std::vector<std::string>& web_addresses() {
  static const std::vector<std::string> addresses = {
      "canary.example",     "mail.example",        "news.example",      "shop.example",
      "www.canary.example", "canary.example",      "bob@mail.example",  "eve@canary.example",
      "guide.example",      "free.canary.example", "alice@post.example"};
  return addresses;
}

const std::vector<Phrase>& plain_phrases() {
  static const std::vector<Phrase> phrases = [] {
    const std::string noun =
        "[apple|bread|chair|door|fish|horse|king|lamp|moon|paper|tiger|train|zebra|mouse|house|book]";
    const std::string mass = "[gold|milk|music|rain|salt|water|wind|snow|grass|coal]";
    const std::string look = "[big|small|old|new|fast|slow|happy|sad|good|bad|{color}]";
    const std::string who = "[bob|alice|carol|dave|eve|frank|grace|henry|the {animal}|the king|the child]";
    const std::string verb = "[likes|sees|finds|wants|has]";
    const std::string place = "[ocean|road|house|garden|city|door]";
    const std::string when = "[|every day|every night|in the rain|in the wind|now|today]";
    std::vector<Phrase> made;
    for (const std::string& pattern : std::vector<std::string>{
             "the " + look + " " + noun + " is " + look, who + " " + verb + " the " + look + " " + noun,
             who + " " + verb + " a " + look + " " + noun + " and " + mass,
             who + " " + verb + " " + mass + " " + when,
             who + " and " + who + " go to the " + place + " " + when,
             who + " is [in|near] the " + place + " " + when,
             "the " + mass + " is [hot|cold|wet|dry|hard|soft|" + look + "]",
             "there is a " + noun + " near the " + place, who + " can see the [moon|ocean|sky|road] " + when,
             "I like the " + look + " " + noun + " and the " + noun,
             "please visit our [garden|shop|house|city] today",
             "your [free|new] [guide|book] is [here|in the house|on the chair]",
             "we have [free|good|hot] [bread|milk|fish|water] for you",
             "you can read the [news|guide|book] " + when})
      made.emplace_back(pattern);
    return made;
  }();
  return phrases;
}

std::string plain_sentence(Random& random) {
  Slots slots;
  slots["color"] = random.pick(slot_type("color").forms).second;
  slots["animal"] = random.pick(slot_type("animal").forms).second;
  std::string text;
  if (random.chance(.12)) {
    const auto& [country, capital] = random.pick(fact_tables().at("country"));
    text = "the capital of " + country + " is " + capital;
  } else if (random.chance(.1)) {
    const auto& [animal, sound] = random.pick(fact_tables().at("animal"));
    text = "a " + animal + " says " + sound;
  } else {
    text = expand_text(random.pick(plain_phrases()), random, slots);
  }
  if (text.front() >= 'a' && text.front() <= 'z') text.front() = static_cast<char>(text.front() - 'a' + 'A');
  return text + ".";
}

std::string random_content(Random& random, int64_t max_words) {
  const double draw = random.uniform();
  std::string text;
  if (draw < .06) return std::string(kStringCanary);
  if (draw < .28) text = plain_sentence(random);
  if (draw >= .28 && draw < .4) text = inner_question(random, max_words);
  if (!text.empty() && count_words(text) <= max_words) {
    if (random.chance(.5)) text.pop_back();
    return text;
  }
  const bool strange = random.chance(.18);
  text.clear();
  for (int64_t n = random.between(2, max_words); n > 0; --n)
    text += (text.empty() ? "" : " ") + content_word(random, strange);
  if (random.chance(.3) && text.front() >= 'a' && text.front() <= 'z')
    text.front() = static_cast<char>(text.front() - 'a' + 'A');
  return text;
}

std::string random_junk(Random& random, int64_t max_words) {
  std::string junk;
  const double style = random.uniform();  // only words, only gibberish, or both
  for (int64_t n = random.between(1, max_words); n > 0; --n) {
    const double draw = random.uniform();
    std::string piece;
    if (style < .25 || (style > .6 && draw < .5))
      piece = random.pick(pocket_vocabulary());
    else if (draw < .75)
      piece = random_string(random, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", 7);
    else
      piece = random_string(random, "!#$%&()*+-/;=@[]^_{|}~.,?:ab9", 5);
    if (!junk.empty() && random.chance(.85)) junk += ' ';
    junk += piece;
  }
  return junk;
}

void add_junk(std::string& prompt, Random& random, int64_t max_words) {
  const int64_t place = random.below(3);
  if (place != 1) prompt = random_junk(random, max_words) + " " + prompt;
  if (place != 0) prompt += " " + random_junk(random, max_words);
}

}  // namespace hijack
