#pragma once
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "src/base/random.h"

// Sentence patterns that can be both generated and matched:
//   word           itself (case ignored when matching); "a" becomes "an" before a vowel
//   [x|y|]         one of the alternatives, possibly nothing
//   {shape}        a value of the slot type of that name; {text} is free text of one or more words
//   {core}         another pattern, given when drawing or matching
// Words and punctuation marks are tokens; ", . ? ! : \"" are marks at the ends of words only.

namespace hijack {

/// Slot name -> value, e.g. {"shape": "circle"}.
using Slots = std::map<std::string, std::string>;

struct TextToken {
  std::string text;            ///< lower case
  size_t first = 0, last = 0;  ///< byte range in the original
};
std::vector<TextToken> split_tokens(std::string_view text);
std::string lower_case(std::string_view text);

/// One way a slot value is written. `{shapes}` writes "circles" for the value "circle" of the slot "shape".
struct SlotType {
  std::string slot;
  std::vector<std::pair<std::string, std::string>> forms;  ///< written, value
};
/// Throws std::out_of_range for a name that is in no table.
const SlotType& slot_type(const std::string& name);
const std::map<std::string, SlotType>& slot_types();

class Phrase {
 public:
  explicit Phrase(std::string_view pattern);

  /// Appends the words of one random expansion to `words`.
  void expand(Random& random, const Slots& slots, const Phrase* core, std::vector<std::string>& words) const;

  using Continue = std::function<bool(size_t)>;
  /// Calls `next` with every position at which a match from `position` can end, until it returns true.
  bool match(const std::string& text, const std::vector<TextToken>& tokens, size_t position, Slots& slots,
             const std::vector<Phrase>* core, const Continue& next) const;

  /// The words of the pattern itself.
  void collect_words(std::vector<std::string>& words) const;

 private:
  enum class Kind { kSequence, kChoice, kWord, kSlot, kText, kCore };
  struct Node {
    Kind kind = Kind::kSequence;
    std::string text;
    std::string lower;
    const SlotType* type = nullptr;
    std::vector<Node> children;
  };
  struct Matcher;
  static Node compile(std::string_view pattern, size_t& at, int depth);
  static void expand_node(const Node& node, Random& random, const Slots& slots, const Phrase* core,
                          std::vector<std::string>& words);
  static void collect_node(const Node& node, std::vector<std::string>& words);
  Node root_;
};

/// Words joined to a sentence: no space before marks, "a" or "an" as the next word needs.
std::string join_words(const std::vector<std::string>& words);
/// One expansion of a pattern without slots.
std::string expand_text(const Phrase& phrase, Random& random, const Slots& slots = {});

}  // namespace hijack
