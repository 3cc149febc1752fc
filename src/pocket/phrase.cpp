#include "src/pocket/phrase.h"

#include "src/base/pch.h"

namespace hijack {
namespace {

constexpr std::string_view kMarks = ",.?!:\"";
/// Literal "a" of a pattern until join_words knows the next word.
constexpr std::string_view kArticle =
    "\x01"
    "a";

bool is_mark(char c) {
  return kMarks.find(c) != std::string_view::npos;
}

bool starts_with_vowel(std::string_view word) {
  return !word.empty() && std::string_view("aeiouAEIOU").find(word.front()) != std::string_view::npos;
}

}  // namespace

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return lower;
}

std::vector<TextToken> split_tokens(std::string_view text) {
  std::vector<TextToken> tokens;
  const auto add = [&](size_t first, size_t last) {
    tokens.push_back({lower_case(text.substr(first, last - first)), first, last});
  };
  for (size_t at = 0; at < text.size();) {
    if (text[at] == ' ' || text[at] == '\n' || text[at] == '\t') {
      ++at;
      continue;
    }
    size_t end = at;
    while (end < text.size() && text[end] != ' ' && text[end] != '\n' && text[end] != '\t') ++end;
    while (at < end && is_mark(text[at])) add(at, at + 1), ++at;
    size_t body = end;
    while (body > at && is_mark(text[body - 1])) --body;
    if (body > at) add(at, body);
    for (; body < end; ++body) add(body, body + 1);
    at = end;
  }
  return tokens;
}

Phrase::Phrase(std::string_view pattern) {
  size_t at = 0;
  root_ = compile(pattern, at, 0);
  TORCH_CHECK(at == pattern.size(), "unbalanced pattern: ", std::string(pattern));
}

/// Reads one sequence up to the end, or to the '|' or ']' that ends it.
Phrase::Node Phrase::compile(std::string_view pattern, size_t& at, int depth) {
  Node sequence;
  while (at < pattern.size() && pattern[at] != ']' && pattern[at] != '|') {
    if (pattern[at] == '[') {
      Node choice{Kind::kChoice, {}, {}, nullptr, {}};
      do {
        ++at;
        choice.children.push_back(compile(pattern, at, depth + 1));
      } while (at < pattern.size() && pattern[at] == '|');
      TORCH_CHECK(at < pattern.size(), "unbalanced pattern: ", std::string(pattern));
      ++at;
      sequence.children.push_back(std::move(choice));
    } else if (pattern[at] == '{') {
      const size_t end = pattern.find('}', at);
      const std::string name(pattern.substr(at + 1, end - at - 1));
      Node slot{Kind::kSlot, name, {}, nullptr, {}};
      if (name == "core")
        slot.kind = Kind::kCore;
      else if (name == "text")
        slot.kind = Kind::kText;
      else
        slot.type = &slot_type(name);
      sequence.children.push_back(std::move(slot));
      at = end + 1;
    } else {
      const size_t end = std::min(pattern.find_first_of("[]{}|", at), pattern.size());
      const std::string_view literal = pattern.substr(at, end - at);
      for (const TextToken& token : split_tokens(literal))
        sequence.children.push_back({Kind::kWord,
                                     std::string(literal.substr(token.first, token.last - token.first)),
                                     token.text,
                                     nullptr,
                                     {}});
      at = end;
    }
  }
  return sequence;
}

void Phrase::expand(Random& random, const Slots& slots, const Phrase* core,
                    std::vector<std::string>& words) const {
  expand_node(root_, random, slots, core, words);
}

void Phrase::expand_node(const Node& node, Random& random, const Slots& slots, const Phrase* core,
                         std::vector<std::string>& words) {
  switch (node.kind) {
    case Kind::kSequence:
      for (const Node& child : node.children) expand_node(child, random, slots, core, words);
      break;
    case Kind::kChoice:
      expand_node(random.pick(node.children), random, slots, core, words);
      break;
    case Kind::kWord:
      words.push_back(node.text == "a" ? std::string(kArticle) : node.text);
      break;
    case Kind::kText:
      words.push_back(slots.at("text"));
      break;
    case Kind::kCore:
      TORCH_CHECK(core != nullptr, "a frame needs its core");
      expand_node(core->root_, random, slots, nullptr, words);
      break;
    case Kind::kSlot: {
      std::vector<const std::string*> forms;
      const std::string& value = slots.at(node.type->slot);
      for (const auto& [written, meant] : node.type->forms)
        if (meant == value) forms.push_back(&written);
      TORCH_CHECK(!forms.empty(), "no form of ", value, " in slot ", node.text);
      words.push_back(*random.pick(forms));
    }
  }
}

void Phrase::collect_words(std::vector<std::string>& words) const {
  collect_node(root_, words);
}

void Phrase::collect_node(const Node& node, std::vector<std::string>& words) {
  if (node.kind == Kind::kWord) words.push_back(node.text);
  if (node.kind == Kind::kWord && node.text == "a") words.push_back("an");
  if (node.kind == Kind::kSlot)
    for (const auto& form : node.type->forms)
      for (const TextToken& token : split_tokens(form.first))
        words.push_back(form.first.substr(token.first, token.last - token.first));
  for (const Node& child : node.children) collect_node(child, words);
}

std::string join_words(const std::vector<std::string>& words) {
  std::string text;
  bool open_quote = false;
  for (size_t i = 0; i < words.size(); ++i) {
    std::string word = words[i];
    if (word == kArticle) word = i + 1 < words.size() && starts_with_vowel(words[i + 1]) ? "an" : "a";
    const bool quote = word == "\"";
    const bool mark = word.size() == 1 && is_mark(word.front()) && !quote;
    const bool glued = mark || (quote && open_quote) || (!text.empty() && open_quote && words[i - 1] == "\"");
    if (!text.empty() && !glued) text += ' ';
    text += word;
    if (quote) open_quote = !open_quote;
  }
  return text;
}

std::string expand_text(const Phrase& phrase, Random& random, const Slots& slots) {
  std::vector<std::string> words;
  phrase.expand(random, slots, nullptr, words);
  return join_words(words);
}

}  // namespace hijack
