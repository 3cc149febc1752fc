#pragma once
#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "models/tokenizer/word_model.h"

namespace hijack::tokenizer {

/// Unigram (Kudo 2018): of all ways to cut a word into tokens the one with the largest sum of log
/// probabilities, found by Viterbi's algorithm as the `tokenizers` package does it. A character that is no
/// token costs ten more than the worst token; neighboring ones are one unknown token, or their bytes
/// (`byte_fallback`).
class Unigram : public WordModel {
 public:
  /// Throws Error naming the place for a vocabulary that is no list of tokens with finite scores, a token of
  /// more than 1 KiB, and an `unk_id` that is no id.
  /// As sentencepiece has it: sums in single precision, which decide where the same tokens fit in two orders.
  struct Single {
    std::string before;           ///< what stood before each word while the sums were made
    std::vector<uint32_t> never;  ///< ids of tokens that no text becomes
  };
  Unigram(const nlohmann::json& model, const std::string& where, const std::optional<Single>& single = {});

  /// Throws Error for a character that is no token where the file names no unknown one.
  void encode(std::string_view word, std::vector<WordToken>& tokens) const override;
  void encode_with_dropout(std::string_view word, double dropout, Random& random,
                           std::vector<WordToken>& tokens) const override;

 private:
  struct Scored {
    std::vector<std::string> tokens;
    std::vector<double> scores;
  };
  /// The best way to a place: from where, by which token; `begin` is kNowhere where none is known yet.
  struct Step {
    double score = 0;
    uint32_t begin = kNowhere, id = 0;
  };
  static constexpr uint32_t kNowhere = ~uint32_t{0};

  static Scored read_vocabulary(const nlohmann::json& model, const std::string& where);
  Unigram(Scored scored, const nlohmann::json& model, const std::string& where,
          const std::optional<Single>& single);
  /// By the place that a step ends at.
  std::vector<Step> best_steps(std::string_view word) const;
  double rounded(double sum) const;
  uint32_t unknown() const;
  void add_unknown(std::string_view text, uint32_t begin, std::vector<WordToken>& tokens) const;
  template <class Use>
  void each_beginning(std::string_view text, const Use& use) const;

  std::vector<double> scores_;                               // by id
  std::vector<std::pair<std::string_view, uint32_t>> trie_;  // tokens with their ids, in the order of bytes
  double unknown_score_ = 0, first_score_ = 0;
  std::optional<uint32_t> unknown_;
  bool byte_fallback_ = false, single_ = false;
  std::array<std::optional<uint32_t>, 256> bytes_;
};

}  // namespace hijack::tokenizer
