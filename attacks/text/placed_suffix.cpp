#include "attacks/text/placed_suffix.h"

#include "attacks/text/suffix.h"
#include "models/embedding_access.h"

namespace hijack {

std::optional<TextInPlace> PlacedSuffix::find(const std::string& suffix) const {
  std::optional<TextInPlace> all;
  for (const Context& context : contexts_) {
    auto here = !model_.embeddings() ? std::nullopt
                                     : model_.embeddings()->in_place(with_suffix(context, suffix), suffix);
    if (!here || (all && (here->ids != all->ids || here->head != all->head || here->tail != all->tail)))
      return {};
    if (!all) all = std::move(here);
  }
  return all;
}

/// Behind the token that stands before them: decoders drop the space that begins a text.
std::optional<std::string> PlacedSuffix::text_of(const TextInPlace& now, const TokenIds& ids) const {
  const Tokenizer& tokenizer = model_.tokenizer();
  TokenIds behind;
  if (now.before >= 0) behind.push_back(now.before);
  const std::string before = tokenizer.decode(behind, /*skip_special_tokens=*/false);
  behind.insert(behind.end(), ids.begin(), ids.end());
  const std::string whole = tokenizer.decode(behind, /*skip_special_tokens=*/false);
  if (!whole.starts_with(before)) return {};
  return whole.substr(before.size());
}

std::optional<std::string> PlacedSuffix::exchanged(const TextInPlace& now, size_t place,
                                                   TokenId fresh) const {
  TokenIds ids = now.ids;
  ids[place] = fresh;
  auto text = text_of(now, ids);
  if (!text) return {};
  if (!text->starts_with(now.head)) return {};
  text->erase(0, now.head.size());
  // a last token that leaves takes with it what it held of the text behind
  if (text->ends_with(now.tail))
    text->resize(text->size() - now.tail.size());
  else if (place + 1 != ids.size())
    return {};
  const auto found = find(*text);
  if (!found || found->ids != ids || found->head != now.head) return {};
  return text;
}

}  // namespace hijack
