#include "src/base/pch.h"
#include "src/pocket/canary.h"
#include "src/pocket/content.h"
#include "src/pocket/facts.h"
#include "src/pocket/grammar.h"
#include "src/pocket/questions.h"

namespace hijack {
namespace {

void add_phrases(const std::vector<Phrase>& phrases, std::vector<std::string>& words) {
  for (const Phrase& phrase : phrases) phrase.collect_words(words);
}

void add_branches(const Branches& branches, std::vector<std::string>& words) {
  add_phrases(branches.train, words);
  add_phrases(branches.held_out, words);
}

/// Splits at spaces and drops marks; keeps the case.
void add_text(std::string_view text, std::vector<std::string>& words) {
  for (const TextToken& token : split_tokens(text))
    words.emplace_back(text.substr(token.first, token.last - token.first));
}

bool is_word(const std::string& word) {
  return std::all_of(word.begin(), word.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); });
}

std::vector<std::string> collect() {
  std::vector<std::string> words;
  for (int mood = 0; mood < kMoods; ++mood) add_branches(frames(static_cast<Mood>(mood)), words);
  for (const QuestionKind& kind : question_kinds())
    for (const Branches& cores : kind.cores) add_branches(cores, words);
  for (const Rule rule : {Rule::kSay, Rule::kForward, Rule::kBeginSure})
    add_branches(rule_phrases(rule), words);
  add_phrases(plain_phrases(), words);
  for (const auto& [name, facts] : fact_tables())
    for (const auto& [key, answer] : facts) add_text(key + " " + answer, words);
  for (const auto& [code, answer] : code_answers()) add_text(answer, words);
  for (const std::string_view word : kSceneWords) words.emplace_back(word);
  for (const std::string_view cell : kCells) add_text(cell, words);
  add_text("zero one two three four yes no no shapes no word the word and a an EMAIL canary example www",
           words);
  add_text(kStringCanary, words);
  add_text(kForbiddenAnswer, words);
  std::erase_if(words, [](const std::string& word) { return !is_word(word); });
  std::sort(words.begin(), words.end());
  words.erase(std::unique(words.begin(), words.end()), words.end());
  return words;
}

}  // namespace

const std::vector<std::string>& pocket_vocabulary() {
  static const std::vector<std::string> words = collect();
  return words;
}

}  // namespace hijack
