// Unigram tokenizers and sentencepiece's compiled rules: what is cut how, and files that nobody should trust.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "models/tokenizer.h"
#include "src/base/error.h"
#include "src/base/file.h"
#include "src/base/sha256.h"

namespace hijack::unigram_test {
namespace {

using nlohmann::json;

std::shared_ptr<const Tokenizer> made(const json& tokenizer) {
  return Tokenizer::from_json(tokenizer.dump(), "tokenizer.json");
}

std::string error_of(const json& tokenizer) {
  try {
    made(tokenizer);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

std::string error_on(const json& tokenizer, const std::string& text) {
  const auto read = made(tokenizer);
  try {
    read->encode(text, false);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

testing::AssertionResult mentions(const std::string& text, const std::string& part) {
  if (text.find(part) != text.npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "'" << text << "' does not mention '" << part << "'";
}

json scored(std::initializer_list<std::pair<const char*, double>> tokens) {
  json list = json::array();
  for (const auto& [token, score] : tokens) list.push_back({token, score});
  return list;
}

json small() {
  return {{"version", "1.0"},
          {"model",
           {{"type", "Unigram"},
            {"unk_id", 0},
            {"vocab", scored({{"<unk>", 0}, {"a", -2}, {"b", -2}, {"ab", -3}, {"bc", -1}, {"c", -9}})}}}};
}

/// A charsmap with the rules "a" -> "xy" and "b" -> "", by hand: the unit that a byte leads to has the byte
/// as its label, and what is `offset` away (by exclusive or) from it below it; its leaf holds the place of a
/// text.
std::string charsmap(uint32_t place_of_a = 0, uint32_t place_of_b = 3) {
  constexpr uint32_t kLeaf = 1 << 8, kOffset = 1 << 10;
  constexpr uint32_t kRoot = 0x100;  // its children are at kRoot ^ byte
  std::vector<uint32_t> units(0x200, 0xFF);
  units[0] = kRoot * kOffset;
  units[kRoot ^ 'a'] = 'a' | kLeaf | (('a' ^ 0x10) * kOffset);
  units[kRoot ^ 0x10] = place_of_a | uint32_t{1} << 31;
  units[kRoot ^ 'b'] = 'b' | kLeaf | (('b' ^ 0x11) * kOffset);
  units[kRoot ^ 0x11] = place_of_b | uint32_t{1} << 31;
  std::string bytes;
  const auto add = [&](uint32_t value) {
    for (int i = 0; i < 4; ++i) bytes += static_cast<char>(value >> 8 * i & 0xFF);
  };
  add(static_cast<uint32_t>(units.size() * 4));
  for (const uint32_t unit : units) add(unit);
  return bytes + std::string("xy\0\0\xC3\xA9\0", 7);
}

json with_rules(const std::string& bytes) {
  json tokenizer = small();
  tokenizer["model"]["vocab"] = scored(
      {{"<unk>", 0}, {"a", -2}, {"b", -2}, {"x", -2}, {"y", -2}, {"xy", -1}, {"c", -2}, {"\u00e9", -3}});
  tokenizer["normalizer"] = {{"type", "Precompiled"}, {"precompiled_charsmap", base64(bytes)}};
  return tokenizer;
}

TEST(Unigram, TakesTheLargestSumAndJoinsWhatIsUnknown) {
  const auto read = made(small());
  EXPECT_EQ(read->encode("abc", false), (TokenIds{1, 4})) << "a and bc, -3, before ab and c, -12";
  EXPECT_EQ(read->encode("ab", false), (TokenIds{3})) << "-3 before -4";
  const Encoding unknown = read->encode_with_offsets("a\u00e9zbc", false);
  EXPECT_EQ(unknown.ids, (TokenIds{1, 0, 4}));
  EXPECT_EQ(unknown.offsets[1], (std::pair<size_t, size_t>{1, 4}));
  EXPECT_EQ(read->decode(TokenIds{1, 4}, false), "a bc") << "no decoder: joined with spaces";
  json untyped = small();
  untyped["model"].erase("type");
  EXPECT_EQ(made(untyped)->encode("abc", false), (TokenIds{1, 4})) << "T5's first files name no type";
  EXPECT_THROW(read->encode_with_dropout("ab", 0.5, 1), Error);
}

TEST(Unigram, BytesStandForWhatIsUnknown) {
  json tokenizer = small();
  json& vocabulary = tokenizer["model"]["vocab"];
  vocabulary.push_back({"<0xC3>", 0});
  EXPECT_EQ(made(tokenizer)->encode("a\u00e9", false), (TokenIds{1, 0})) << "not asked for";
  tokenizer["model"]["byte_fallback"] = true;
  EXPECT_EQ(made(tokenizer)->encode("a\u00e9", false), (TokenIds{1, 0})) << "a byte has no token";
  vocabulary.push_back({"<0xA9>", 0});
  EXPECT_EQ(made(tokenizer)->encode("a\u00e9", false), (TokenIds{1, 6, 7}));
}

TEST(Unigram, TheLaterOfTwoEqualTokensCounts) {
  json tokenizer = small();
  tokenizer["model"]["vocab"].push_back({"ab", -20});
  const auto read = made(tokenizer);
  EXPECT_EQ(read->vocabulary_size(), 7);
  EXPECT_EQ(read->encode("ab", false), (TokenIds{1, 2})) << "the later score counts, too";
  EXPECT_EQ(read->id_to_token(3), "ab");
  EXPECT_EQ(read->id_to_token(6), "ab");
  EXPECT_EQ(read->token_to_id("ab"), 6);
  tokenizer["added_tokens"] = {{{"id", 7},
                                {"content", "<x>"},
                                {"single_word", false},
                                {"lstrip", false},
                                {"rstrip", false},
                                {"normalized", false},
                                {"special", true}}};
  EXPECT_EQ(made(tokenizer)->encode("<x>", false), TokenIds{7}) << "added tokens come after all ids";
}

TEST(Unigram, LongTextsTakeLittleTime) {
  const std::string text(1 << 20, 'a');
  EXPECT_EQ(made(small())->encode(text, false).size(), text.size());
}

TEST(Unigram, HostileFilesAreErrorsThatNameThePlace) {
  const auto changed = [](const std::string& pointer, const json& value) {
    json tokenizer = small();
    tokenizer[json::json_pointer(pointer)] = value;
    return error_of(tokenizer);
  };
  EXPECT_EQ(changed("/model/unk_id", nullptr), "no error");
  EXPECT_TRUE(mentions(changed("/model/unk_id", 6), "'unk_id' is 6, but the vocabulary has 6 tokens"));
  EXPECT_TRUE(mentions(changed("/model/unk_id", -1), "'unk_id' must be a count"));
  EXPECT_TRUE(mentions(changed("/model/unk_id", 1.5), "'unk_id' must be a count"));
  EXPECT_TRUE(mentions(changed("/model/byte_fallback", "yes"), "'byte_fallback' must be true or false"));
  EXPECT_TRUE(mentions(changed("/model/vocab", json::object()), "'vocab' must be an array"));
  EXPECT_TRUE(mentions(changed("/model/vocab/2", "b"), "vocab[2]: must be a token and its score"));
  EXPECT_TRUE(mentions(changed("/model/vocab/2", {"b"}), "vocab[2]"));
  EXPECT_TRUE(mentions(changed("/model/vocab/2", {"b", "c"}), "vocab[2]"));
  EXPECT_TRUE(mentions(changed("/model/vocab/2", json::array({1, -1})), "vocab[2]"));
  EXPECT_TRUE(
      mentions(changed("/model/vocab/2", json::array({std::string(1025, 'q'), -1})), "longer than 1 KiB"));
  EXPECT_EQ(changed("/model/vocab/2", json::array({std::string(1024, 'q'), -1})), "no error");
  EXPECT_TRUE(
      mentions(changed("/model", {{"vocab", json::array({})}, {"unk_id", nullptr}}), "vocabulary is empty"));
  json nameless = small();
  nameless["model"].erase("unk_id");
  EXPECT_EQ(error_on(nameless, "abc"), "no error") << "only where it is needed";
  EXPECT_TRUE(mentions(error_on(nameless, "abz"), "no unknown token (unk_id)"));
}

TEST(Charsmap, RulesRewriteAndOffsetsStay) {
  const auto read = made(with_rules(charsmap()));
  EXPECT_EQ(read->encode("ca", false), (TokenIds{6, 5}));
  EXPECT_EQ(read->encode("cbc", false), (TokenIds{6, 6})) << "b is nothing";
  const Encoding encoding = read->encode_with_offsets("bca", false);
  EXPECT_EQ(encoding.ids, (TokenIds{6, 5}));
  EXPECT_EQ(encoding.offsets[1], (std::pair<size_t, size_t>{2, 3}));
  EXPECT_EQ(read->encode("a\u0301", false), (TokenIds{5})) << "a short grapheme goes by its first character";
  EXPECT_EQ(made(with_rules(charsmap(4)))->encode("a", false), (TokenIds{7}));
  EXPECT_EQ(read->encode(std::string("a\0a", 3), false), (TokenIds{5, 0, 5})) << "NUL has no rule";
}

TEST(Charsmap, HostileOnesAreErrors) {
  const std::string good = charsmap();
  const auto place = [](const std::string& bytes, size_t at, unsigned char value) {
    std::string changed = bytes;
    changed[at] = static_cast<char>(value);
    return changed;
  };
  const auto refused = [](const std::string& bytes) { return error_of(with_rules(bytes)); };
  EXPECT_EQ(refused(good), "no error");
  EXPECT_TRUE(mentions(refused(""), "normalizer: the charsmap is cut off"));
  EXPECT_TRUE(mentions(refused(std::string(3, '\0')), "cut off"));
  EXPECT_TRUE(mentions(refused(std::string(8, '\0')), "its trie has 0 units"));
  EXPECT_TRUE(mentions(refused(std::string(4, '\xFF')), "there is room for 0"));
  EXPECT_TRUE(mentions(refused(good.substr(0, good.size() / 2)), "its trie has 512 units"));
  EXPECT_TRUE(mentions(refused(good + "\xFF"), "not UTF-8"));
  json tokenizer = with_rules(good);
  tokenizer["normalizer"]["precompiled_charsmap"] = "not base64!";
  EXPECT_TRUE(mentions(error_of(tokenizer), "'precompiled_charsmap' is not base64"));
  tokenizer["normalizer"]["precompiled_charsmap"] = nullptr;
  EXPECT_TRUE(mentions(error_of(tokenizer), "'precompiled_charsmap' must be a string"));
  // what leads out of the bytes is met by the text that goes there
  for (const std::string& bytes :
       {charsmap(8), charsmap(5), charsmap(0x7FFFFFFF), place(good, 4 + 3, 0x7F)}) {
    EXPECT_EQ(refused(bytes), "no error");
    EXPECT_TRUE(mentions(error_on(with_rules(bytes), "a"), "the charsmap is damaged"));
  }
  EXPECT_EQ(error_on(with_rules(charsmap(7)), "ca"), "no error") << "the end of the texts is an empty one";
}

TEST(Charsmap, CannotFillTheMemory) {
  std::string long_rule = charsmap();
  long_rule.resize(long_rule.size() - 7);
  json tokenizer = with_rules(long_rule + std::string(1 << 20, 'a'));
  EXPECT_TRUE(mentions(error_on(tokenizer, std::string(64, 'a')), "longer than 16 MiB"));
}

}  // namespace
}  // namespace hijack::unigram_test
