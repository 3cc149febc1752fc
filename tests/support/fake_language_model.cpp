#include "tests/support/fake_language_model.h"

#include "src/base/error.h"
#include "src/base/random.h"

namespace hijack {
namespace {

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

/// Ids 0..255 are bytes, then the words. A word that follows another starts with its space, as in GPT-2.
class WordTokenizer : public Tokenizer {
 public:
  explicit WordTokenizer(std::vector<std::string> words) {
    for (int byte = 0; byte < 256; ++byte) tokens_.emplace_back(1, static_cast<char>(byte));
    for (std::string& word : words) tokens_.push_back(std::move(word));
  }

  TokenIds encode(std::string_view text, bool special) const override {
    return encode_with_offsets(text, special).ids;
  }
  Encoding encode_with_offsets(std::string_view text, bool) const override {
    Random unused(0);
    return encoded(text, 0, unused);
  }
  TokenIds encode_with_dropout(std::string_view text, double dropout, uint64_t seed) const override {
    Random random(seed);
    return encoded(text, dropout, random).ids;
  }
  std::string decode(std::span<const TokenId> ids, bool) const override {
    std::string text;
    for (TokenId id : ids) text += id_to_token(id);
    return text;
  }
  int64_t vocabulary_size() const override { return static_cast<int64_t>(tokens_.size()); }
  std::optional<TokenId> token_to_id(std::string_view token) const override {
    const auto found = std::find(tokens_.begin(), tokens_.end(), token);
    return found == tokens_.end() ? std::nullopt : std::optional<TokenId>(found - tokens_.begin());
  }
  std::string id_to_token(TokenId id) const override {
    if (id < 0 || id >= vocabulary_size()) throw Error("There is no token " + std::to_string(id) + ".");
    return tokens_[static_cast<size_t>(id)];
  }
  bool is_special(TokenId) const override { return false; }

 private:
  /// Longest match first, as far as the dropout lets it.
  Encoding encoded(std::string_view text, double dropout, Random& random) const {
    Encoding out;
    for (size_t at = 0; at < text.size();) {
      size_t id = static_cast<unsigned char>(text[at]);
      for (size_t i = 256; i < tokens_.size(); ++i)
        if (text.substr(at).starts_with(tokens_[i]) && tokens_[i].size() > tokens_[id].size()) id = i;
      if (id >= 256 && dropout > 0 && random.chance(dropout)) id = static_cast<unsigned char>(text[at]);
      out.ids.push_back(static_cast<TokenId>(id));
      out.offsets.emplace_back(at, at + tokens_[id].size());
      at += tokens_[id].size();
    }
    return out;
  }

  std::vector<std::string> tokens_;
};

}  // namespace

std::shared_ptr<const Tokenizer> word_tokenizer(std::vector<std::string> words) {
  return std::make_shared<const WordTokenizer>(std::move(words));
}

Tensor FakeLanguageModel::prompt_nll(const std::string& text) const {
  const std::vector<std::string> words = words_of(text);
  const auto scored = static_cast<int64_t>(words.size()) - 1;
  Tensor nll = at::ones({std::max<int64_t>(scored, 0)}, at::kFloat);
  for (int64_t i = 0; i < scored; ++i) {
    const std::string& word = words[static_cast<size_t>(i) + 1];
    if (std::isdigit(static_cast<unsigned char>(word[0]))) nll[i] = std::stod(word);
  }
  return nll;
}

std::vector<Tensor> FakeTextModel::target_logits(const Pixels& pixels, std::span<const Query> queries,
                                                 std::span<const TokenIds> targets) const {
  TORCH_CHECK(!pixels.values.defined(), "a model without images was shown one");
  std::vector<Tensor> all;
  for (size_t i = 0; i < queries.size(); ++i) {
    asked.push_back(queries[i]);
    const double nll = tokenizer().decode(targets[i], true) == "yes" ? 1 : 2;
    const auto others = static_cast<double>(tokenizer().vocabulary_size() - 1);
    Tensor logits = at::full({static_cast<int64_t>(targets[i].size()), tokenizer().vocabulary_size()},
                             std::log((1 - std::exp(-nll)) / others));
    for (size_t t = 0; t < targets[i].size(); ++t) logits[static_cast<int64_t>(t)][targets[i][t]] = -nll;
    all.push_back(logits.to(at::kFloat));
  }
  return all;
}

std::vector<Generated> FakeLanguageModel::generate(std::span<const Query> queries,
                                                   const GenerateOptions& options) const {
  std::vector<Generated> replies;
  options_seen.push_back(options);
  for (size_t i = 0; i < queries.size(); ++i) {
    const Query& query = queries[i];
    asked.push_back(query);
    const uint64_t seed = options.seeds.empty() ? options.seed : options.seeds.at(i);
    const bool silent = query.prompt.find("silence") != std::string::npos;
    replies.push_back({silent ? " \n" : "again(" + std::to_string(seed) + ") " + query.prompt,
                       query.prompt.find("endless") != std::string::npos});
  }
  return replies;
}

std::vector<Reply> EchoResponder::operator()(const std::vector<Submission>& submissions) const {
  std::vector<Reply> replies;
  for (const Submission& submission : submissions) {
    seen->push_back(submission);
    std::string text = submission.query.system + "|" + submission.query.prompt + "|";
    if (submission.image.defined()) text += std::to_string(submission.image.sum().item<double>());
    replies.push_back({.text = text});
  }
  return replies;
}

}  // namespace hijack
