#include "src/base/pch.h"
#include "src/pocket/phrase.h"

namespace hijack {

/// Backtracking with continuations: every node calls `next` for each place where it can end.
struct Phrase::Matcher {
  const std::string& text;
  const std::vector<TextToken>& tokens;
  Slots& slots;
  const std::vector<Phrase>* core;

  bool run(const Node& node, size_t position, const Continue& next) {
    switch (node.kind) {
      case Kind::kSequence:
        return sequence(node, 0, position, next);
      case Kind::kChoice:
        for (const Node& child : node.children)
          if (run(child, position, next)) return true;
        return false;
      case Kind::kWord:
        return position < tokens.size() && same_word(node.lower, tokens[position].text) && next(position + 1);
      case Kind::kText:
        return free_text(position, next);
      case Kind::kCore:
        for (const Phrase& phrase : *core)
          if (run(phrase.root_, position, next)) return true;
        return false;
      case Kind::kSlot:
        return slot(node, position, next);
    }
    return false;
  }

  bool sequence(const Node& node, size_t child, size_t position, const Continue& next) {
    // Literal words need no continuation: most sentences fail here.
    while (child < node.children.size() && node.children[child].kind == Kind::kWord) {
      if (position >= tokens.size() || !same_word(node.children[child].lower, tokens[position].text))
        return false;
      ++child, ++position;
    }
    if (child == node.children.size()) return next(position);
    return run(node.children[child], position,
               [&, child](size_t after) { return sequence(node, child + 1, after, next); });
  }

  static bool same_word(const std::string& word, const std::string& token) {
    return word == token || (word == "a" && token == "an");
  }

  bool bind(const std::string& name, const std::string& value, size_t after, const Continue& next) {
    const auto [entry, fresh] = slots.try_emplace(name, value);
    if (!fresh && entry->second != value) return false;
    if (next(after)) return true;
    if (fresh) slots.erase(name);
    return false;
  }

  bool free_text(size_t position, const Continue& next) {
    for (size_t after = tokens.size(); after > position; --after) {
      const size_t first = tokens[position].first, last = tokens[after - 1].last;
      if (bind("text", text.substr(first, last - first), after, next)) return true;
    }
    return false;
  }

  bool slot(const Node& node, size_t position, const Continue& next) {
    for (const auto& [written, value] : node.type->forms) {
      size_t after = position;
      bool same = true;
      for (const TextToken& word : split_tokens(written)) {
        same = after < tokens.size() && tokens[after].text == word.text;
        if (!same) break;
        ++after;
      }
      if (same && bind(node.type->slot, value, after, next)) return true;
    }
    return false;
  }
};

bool Phrase::match(const std::string& text, const std::vector<TextToken>& tokens, size_t position,
                   Slots& slots, const std::vector<Phrase>* core, const Continue& next) const {
  return Matcher{text, tokens, slots, core}.run(root_, position, next);
}

}  // namespace hijack
