#include "models/tokenizer/unigram.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "src/base/error.h"
#include "src/base/unicode.h"

namespace hijack::tokenizer {
namespace {

using json_reader::Json;

constexpr size_t kLongestToken = 1024;  // bytes; a long one, repeated, would make a long text slow
constexpr double kUnknownPenalty = 10;

}  // namespace

Unigram::Scored Unigram::read_vocabulary(const Json& model, const std::string& where) {
  const Json& vocabulary = json_reader::array(model, "vocab", where);
  if (!vocabulary.empty() && !json_reader::is_token_id(Json(vocabulary.size() - 1)))
    throw Error(where + ": 'vocab' has " + std::to_string(vocabulary.size()) + " tokens, which is too many");
  Scored scored;
  scored.tokens.reserve(vocabulary.size());
  scored.scores.reserve(vocabulary.size());
  for (const Json& entry : vocabulary) {
    const auto place = [&] { return where + ".vocab[" + std::to_string(scored.tokens.size()) + "]"; };
    if (!entry.is_array() || entry.size() != 2 || !entry[0].is_string() || !entry[1].is_number())
      throw Error(place() + ": must be a token and its score");
    scored.tokens.push_back(entry[0].get<std::string>());
    scored.scores.push_back(entry[1].get<double>());
    if (scored.tokens.back().size() > kLongestToken)
      throw Error(where + ".vocab: '" + unicode::excerpt(scored.tokens.back()) + "' is longer than 1 KiB");
  }
  return scored;
}

Unigram::Unigram(const Json& model, const std::string& where, const std::optional<Single>& single)
    : Unigram(read_vocabulary(model, where), model, where, single) {}

Unigram::Unigram(Scored scored, const Json& model, const std::string& where,
                 const std::optional<Single>& single)
    : WordModel(std::move(scored.tokens)), scores_(std::move(scored.scores)), single_(single.has_value()) {
  std::vector<bool> seen(scores_.size(), true);
  if (single)
    for (const uint32_t id : single->never) seen.at(id) = false;
  double lowest = std::numeric_limits<double>::infinity();
  for (size_t id = 0; id < scores_.size(); ++id)
    if (seen[id]) lowest = std::min(lowest, scores_[id]);
  unknown_score_ = rounded(lowest - kUnknownPenalty);
  if (model.contains("unk_id") && !model["unk_id"].is_null()) {
    const auto id = static_cast<uint64_t>(json_reader::count(model, "unk_id", where));
    if (id >= scores_.size())
      throw Error(where + ": 'unk_id' is " + std::to_string(id) + ", but the vocabulary has " +
                  std::to_string(scores_.size()) + " tokens");
    unknown_ = static_cast<uint32_t>(id);
  }
  byte_fallback_ = json_reader::flag(model, "byte_fallback", false, where);
  if (byte_fallback_) bytes_ = byte_tokens();
  trie_.reserve(vocabulary().size());
  for (const auto& [token, id] : vocabulary())
    if (!token.empty() && seen[id]) trie_.emplace_back(token, id);
  std::sort(trie_.begin(), trie_.end());
  if (single) first_score_ = best_steps(single->before).back().score;
}

double Unigram::rounded(double sum) const {
  return single_ ? static_cast<float>(sum) : sum;
}

/// use(id, length) for every token that `text` begins with, shorter ones first.
template <class Use>
void Unigram::each_beginning(std::string_view text, const Use& use) const {
  auto first = trie_.begin(), last = trie_.end();  // the tokens that begin with text[0, length)
  for (size_t length = 0; length < text.size() && first != last;) {
    const auto byte = static_cast<unsigned char>(text[length]);
    const auto of = [length](const auto& entry) { return static_cast<unsigned char>(entry.first[length]); };
    first = std::partition_point(first, last, [&](const auto& entry) { return of(entry) < byte; });
    last = std::partition_point(first, last, [&](const auto& entry) { return of(entry) == byte; });
    ++length;
    if (first != last && first->first.size() == length) {
      use(first->second, length);
      ++first;
    }
  }
}

uint32_t Unigram::unknown() const {
  if (!unknown_)
    throw Error("the tokenizer has no unknown token (unk_id) for a character that is not in its vocabulary");
  return *unknown_;
}

std::vector<Unigram::Step> Unigram::best_steps(std::string_view word) const {
  std::vector<Step> best(word.size() + 1);
  best[0].score = first_score_;
  for (size_t at = 0; at < word.size();) {
    const double here = best[at].score;
    const size_t character = unicode::decode(word, at).length;
    bool known = false;
    const auto offer = [&](size_t length, double score, const auto& id) {
      const double sum = rounded(here + score);
      Step& there = best[at + length];
      if (there.begin == kNowhere || sum > there.score) there = {sum, static_cast<uint32_t>(at), id()};
    };
    each_beginning(word.substr(at), [&](uint32_t id, size_t length) {
      offer(length, scores_[id], [id] { return id; });
      known = known || length == character;
    });
    if (!known) offer(character, unknown_score_, [this] { return unknown(); });
    at += character;
  }
  return best;
}

void Unigram::add_unknown(std::string_view text, uint32_t begin, std::vector<WordToken>& tokens) const {
  const auto end = begin + static_cast<uint32_t>(text.size());
  // Joined unknown characters may be a token after all.
  if (const auto id = id_of(text)) {
    tokens.push_back({*id, begin, end});
    return;
  }
  const auto byte = [&](char c) { return bytes_[static_cast<unsigned char>(c)]; };
  if (byte_fallback_ && std::all_of(text.begin(), text.end(), [&](char c) { return byte(c).has_value(); }))
    for (const char c : text) tokens.push_back({*byte(c), begin, end});
  else
    tokens.push_back({unknown(), begin, end});
}

void Unigram::encode(std::string_view word, std::vector<WordToken>& tokens) const {
  const std::vector<Step> best = best_steps(word);
  std::vector<WordToken> found;  // from the end
  bool joins = false;
  for (auto end = static_cast<uint32_t>(word.size()); end > 0; end = best[end].begin) {
    const Step& step = best[end];
    const bool is_unknown = unknown_ == step.id;
    if (is_unknown && joins)
      found.back().begin = step.begin;
    else
      found.push_back({step.id, step.begin, end});
    joins = is_unknown;
  }
  for (auto token = found.rbegin(); token != found.rend(); ++token)
    if (unknown_ == token->id)
      add_unknown(word.substr(token->begin, token->end - token->begin), token->begin, tokens);
    else
      tokens.push_back(*token);
}

void Unigram::encode_with_dropout(std::string_view, double, Random&, std::vector<WordToken>&) const {
  throw Error("BPE-dropout needs a BPE tokenizer; this one is Unigram, which has no merges");
}

}  // namespace hijack::tokenizer
