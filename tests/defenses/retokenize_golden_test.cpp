// BPE-dropout against the exact probabilities of the paper's algorithm (tests/golden/bpe_dropout/make.py).
#include <gtest/gtest.h>

#include "models/tokenizer.h"
#include "src/base/file.h"
#include "src/base/json.h"

namespace hijack::retokenize_golden_test {
namespace {

using nlohmann::json;

const std::string kFolder = HIJACK_SOURCE_DIR "/tests/golden/bpe_dropout/";

std::string split_of(const Tokenizer& tokenizer, const TokenIds& ids) {
  std::string split;
  for (const TokenId id : ids) split += (split.empty() ? "" : " ") + tokenizer.decode({&id, 1}, false);
  return split;
}

TEST(BpeDropoutGolden, SplitsComeWithTheirProbabilities) {
  const auto tokenizer = Tokenizer::from_json(read_file(kFolder + "tokenizer.json"), "tokenizer.json");
  const json golden = parse_json(read_file(kFolder + "golden.json"), "golden.json");
  constexpr int kDraws = 10000;
  for (const json& one : golden.at("cases")) {
    const auto word = one.at("word").get<std::string>();
    const auto dropout = one.at("dropout").get<double>();
    std::map<std::string, int> counts;
    for (int seed = 0; seed < kDraws; ++seed)
      ++counts[split_of(*tokenizer,
                        tokenizer->encode_with_dropout(word, dropout, static_cast<uint64_t>(seed)))];
    int known = 0;
    for (const auto& [split, value] : one.at("splits").items()) {
      const auto probability = value.get<double>();
      const double deviation = std::sqrt(probability * (1 - probability) / kDraws);
      EXPECT_NEAR(counts[split] / double{kDraws}, probability, 4.5 * deviation + 1e-12)
          << word << " at " << dropout << ": " << split;
      known += counts[split];
    }
    EXPECT_EQ(known, kDraws) << word << " at " << dropout << ": splits that the algorithm cannot make";
  }
}

}  // namespace
}  // namespace hijack::retokenize_golden_test
