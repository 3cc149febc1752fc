#include "defenses/text/retokenize.h"

#include "src/base/error.h"
#include "src/base/unicode.h"

namespace hijack {
namespace {

/// The byte of `text` after each token. A token that ends inside a character has none.
std::set<size_t> boundaries(const Tokenizer& tokenizer, const TokenIds& ids, const std::string& text) {
  std::set<size_t> ends;
  for (size_t n = 1; n <= ids.size(); ++n) {
    const std::string prefix = tokenizer.decode(std::span(ids).first(n), true);
    if (text.starts_with(prefix)) ends.insert(prefix.size());
  }
  return ends;
}

bool is_space(char byte) {
  return byte == ' ' || byte == '\n' || byte == '\t' || byte == '\r';
}

}  // namespace

void Retokenize::Parameters::check() const {
  check_range("dropout", dropout, 0, 1);
}

Retokenize::Retokenize(const Parameters& parameters, const DefenseResources& resources)
    : parameters_(parameters), scorer_(resources.scorer) {
  parameters_.check();
  if (!scorer_) throw Error("Defense 'retokenize' needs a language model whose tokenizer it can use.");
}

std::string Retokenize::broken(const std::string& prompt, uint64_t seed) const {
  const Tokenizer& tokenizer = scorer_->tokenizer();
  const TokenIds usual = tokenizer.encode(prompt, false);
  const TokenIds drawn = tokenizer.encode_with_dropout(prompt, parameters_.dropout, seed);
  const std::string text = tokenizer.decode(usual, true);
  // A tokenizer that changes the text (lower case, unknown characters) has no common boundaries: leave it.
  if (tokenizer.decode(drawn, true) != text) return prompt;
  const std::set<size_t> kept = boundaries(tokenizer, usual, text);
  std::string out;
  size_t from = 0;
  for (size_t end : boundaries(tokenizer, drawn, text)) {
    const bool inside = end > 0 && end < text.size() && !kept.contains(end) &&
                        unicode::starts_character(text[end]) && !is_space(text[end]) &&
                        !is_space(text[end - 1]);
    if (!inside) continue;
    out += text.substr(from, end - from) + " ";
    from = end;
  }
  return out + text.substr(from);
}

std::vector<Query> Retokenize::surrogate_queries(const std::vector<Query>& queries) const {
  Retokenize others = *this;
  others.parameters_.seed = Random(parameters_.seed).fork("draws of an attacker").bits();
  return others.TextTransform::surrogate_queries(queries);
}

std::vector<TextTransform::Rewritten> Retokenize::rewrite(std::span<const Query> queries) const {
  std::vector<Rewritten> done;
  for (const Query& query : queries) {
    Rewritten result{.query = query, .note = {}};
    const uint64_t seed = Random(parameters_.seed).fork(kName, content_key(query)).bits();
    if (randomized()) result.query.prompt = broken(query.prompt, seed);
    result.note = result.query.prompt;
    done.push_back(std::move(result));
  }
  return done;
}

}  // namespace hijack
