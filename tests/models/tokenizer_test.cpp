#include "models/tokenizer.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "models/tokenizer/round_trip.h"
#include "src/base/error.h"
#include "src/base/file.h"

namespace hijack::tokenizer_test {
namespace {

using nlohmann::json;

const std::filesystem::path kFolder = std::filesystem::path(HIJACK_SOURCE_DIR) / "tests/golden/tokenizer";

std::shared_ptr<const Tokenizer> load(const std::string& name) {
  return Tokenizer::from_file(kFolder / (name + ".json"));
}

// a, b, c and their merges ab, abc; "<x>" is added.
json small() {
  json tokenizer;
  tokenizer["version"] = "1.0";
  tokenizer["model"] = {{"type", "BPE"},
                        {"vocab", {{"a", 0}, {"b", 1}, {"c", 2}, {"ab", 3}, {"abc", 4}, {" ", 5}}},
                        {"merges", {"a b", "ab c"}}};
  tokenizer["added_tokens"] = {{{"id", 6},
                                {"content", "<x>"},
                                {"single_word", false},
                                {"lstrip", false},
                                {"rstrip", false},
                                {"normalized", false},
                                {"special", true}}};
  return tokenizer;
}

std::shared_ptr<const Tokenizer> make(const json& tokenizer) {
  return Tokenizer::from_json(tokenizer.dump(), "tokenizer.json");
}

std::string error_of(const std::string& text) {
  try {
    Tokenizer::from_json(text, "tokenizer.json");
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}
std::string error_of(const json& tokenizer) {
  return error_of(tokenizer.dump());
}

testing::AssertionResult mentions(const std::string& text, const std::string& part) {
  if (text.find(part) != text.npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "'" << text << "' does not mention '" << part << "'";
}

TEST(Tokenizer, MergesByRankAndFindsAddedTokens) {
  const auto tokenizer = make(small());
  EXPECT_EQ(tokenizer->encode("abcab<x>cab", true), (TokenIds{4, 3, 6, 2, 3}));
  EXPECT_EQ(tokenizer->decode(TokenIds{4, 6, 3}, false), "abc <x> ab");
  EXPECT_EQ(tokenizer->decode(TokenIds{4, 6, 3}, true), "abc ab");
  EXPECT_EQ(tokenizer->vocabulary_size(), 7);
  EXPECT_EQ(tokenizer->token_to_id("<x>"), 6);
  EXPECT_EQ(tokenizer->token_to_id("abc"), 4);
  EXPECT_EQ(tokenizer->token_to_id("d"), std::nullopt);
  EXPECT_EQ(tokenizer->id_to_token(6), "<x>");
  EXPECT_TRUE(tokenizer->is_special(6));
  EXPECT_FALSE(tokenizer->is_special(4));
  EXPECT_FALSE(tokenizer->is_special(99));
}

TEST(Tokenizer, UnknownIdsAreErrors) {
  const auto tokenizer = make(small());
  for (const TokenId id : {TokenId{-1}, TokenId{7}, TokenId{1} << 32}) {
    EXPECT_THROW(tokenizer->decode(TokenIds{id}, false), Error);
    EXPECT_THROW(tokenizer->id_to_token(id), Error);
  }
}

TEST(Tokenizer, OffsetsAreBytesOfTheInput) {
  const auto plain = make(small())->encode_with_offsets("ab<x>zabc", true);  // z has no token and vanishes
  EXPECT_EQ(plain.ids, (TokenIds{3, 6, 4}));
  EXPECT_EQ(plain.offsets, (std::vector<std::pair<size_t, size_t>>{{0, 2}, {2, 5}, {6, 9}}));

  // Prepend and Replace change lengths; every token's range holds what the token stands for.
  const std::string text = "the  dog <image>the caf\xC3\xA9";
  const auto llama = load("llama2");
  const Encoding encoding = llama->encode_with_offsets(text, true);
  EXPECT_EQ(encoding.offsets[0], (std::pair<size_t, size_t>{0, 0}));  // <s>
  size_t covered = 0;
  for (size_t i = 1; i < encoding.ids.size(); ++i) {
    EXPECT_LE(encoding.offsets[i].first,
              covered);  // no gaps; the prepended character shares its neighbor's bytes
    EXPECT_LE(encoding.offsets[i].second, text.size());
    covered = std::max(covered, encoding.offsets[i].second);
    if (encoding.ids[i] == *llama->token_to_id("<image>")) {
      EXPECT_EQ(encoding.offsets[i], (std::pair<size_t, size_t>{9, 16}));
    }
  }
  EXPECT_EQ(covered, text.size());
}

TEST(Tokenizer, CompositionKeepsTheWholeSource) {
  const Encoding encoding = load("qwen2")->encode_with_offsets("xe\xCC\x81y", false);  // e + U+0301
  for (const auto& [begin, end] : encoding.offsets)
    EXPECT_TRUE(begin != 1 || end >= 4) << begin << " " << end;
  EXPECT_EQ(encoding.offsets.back().second, 5U);
  EXPECT_EQ(load("qwen2")->encode("xe\xCC\x81y", false), load("qwen2")->encode("x\xC3\xA9y", false));
}

TEST(Tokenizer, IllFormedTextIsReplacedAndOffsetsAreTheOriginals) {
  const auto tokenizer = load("gpt2");
  // a stray byte, a truncated sequence, a surrogate (3 errors), an overlong form (2 errors)
  const std::string bad =
      "a\xFF"
      "b\xE2\x82"
      "c\xED\xA0\x80"
      "d\xC0\x80";
  const std::string fffd = "\xEF\xBF\xBD";
  const std::string clean = "a" + fffd + "b" + fffd + "c" + fffd + fffd + fffd + "d" + fffd + fffd;
  EXPECT_EQ(tokenizer->encode(bad, false), tokenizer->encode(clean, false));
  const Encoding encoding = tokenizer->encode_with_offsets(bad, false);
  EXPECT_EQ(encoding.offsets.back().second, bad.size());
}

TEST(Tokenizer, DropoutIsSeededAndDecodesToTheSameText) {
  const auto tokenizer = load("smollm2");
  const std::string text = "the quick brown fox doesn't mind; describe the image in detail";
  EXPECT_EQ(tokenizer->encode_with_dropout(text, 0, 1), tokenizer->encode(text, false));
  const TokenIds first = tokenizer->encode_with_dropout(text, 0.5, 1);
  EXPECT_EQ(first, tokenizer->encode_with_dropout(text, 0.5, 1));
  EXPECT_NE(first, tokenizer->encode_with_dropout(text, 0.5, 2));
  EXPECT_GT(first.size(), tokenizer->encode(text, false).size());
  EXPECT_EQ(tokenizer->decode(first, false), text);
  EXPECT_EQ(tokenizer->encode_with_dropout(text, 1, 3).size(), text.size());  // no merge at all: bytes
  EXPECT_THROW(tokenizer->encode_with_dropout(text, 1.5, 1), Error);
  EXPECT_THROW(tokenizer->encode_with_dropout(text, std::nan(""), 1), Error);
}

TEST(Tokenizer, RoundTripTellsStableIds) {
  const auto tokenizer = load("smollm2");
  EXPECT_TRUE(survives_round_trip(*tokenizer, tokenizer->encode("the dog", false)));
  EXPECT_TRUE(survives_round_trip(*tokenizer, {}));
  TokenIds letters;  // "the" spelled out: encoding it again merges
  for (const char* letter : {"t", "h", "e"}) letters.push_back(*tokenizer->token_to_id(letter));
  EXPECT_FALSE(survives_round_trip(*tokenizer, letters));
  EXPECT_FALSE(survives_round_trip(*tokenizer, {*tokenizer->token_to_id("\xC4\xA2")}));  // half a character
}

TEST(Tokenizer, ManyThreadsGetTheSameIds) {
  const auto tokenizer = load("qwen2");
  std::vector<std::string> texts;
  for (int i = 0; i < 500; ++i)
    texts.push_back("word" + std::to_string(i) + " the image number " + std::to_string(i * 7));
  std::vector<TokenIds> expected;
  for (const auto& text : texts) expected.push_back(load("qwen2")->encode(text, true));
  std::atomic<int> wrong = 0;
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (size_t i = 0; i < texts.size(); ++i) wrong += tokenizer->encode(texts[i], true) != expected[i];
    });
  threads.clear();
  EXPECT_EQ(wrong, 0);
}

TEST(Tokenizer, LongWordsTakeLittleTime) {  // quadratic merging would take minutes
  const auto tokenizer = load("llama2");
  const std::string text(1 << 20, 'a');
  EXPECT_EQ(tokenizer->decode(tokenizer->encode(text, false), false), text);
}

TEST(Tokenizer, UnsupportedComponentsAreNamed) {
  const std::vector<std::tuple<std::string, json, std::string>> cases = {
      {"normalizer", {{"type", "NFKD"}}, "unsupported component NFKD"},
      {"normalizer",
       {{"type", "Sequence"}, {"normalizers", {{{"type", "StripAccents"}}}}},
       "component StripAccents"},
      {"pre_tokenizer", {{"type", "Whitespace"}}, "unsupported component Whitespace"},
      {"post_processor", {{"type", "BertProcessing"}}, "unsupported component BertProcessing"},
      {"post_processor", {{"type", "RobertaProcessing"}}, "'add_prefix_space' is missing"},
      {"decoder", {{"type", "CTC"}}, "unsupported component CTC"},
      {"decoder", {{"type", "WordPiece"}, {"prefix", "##"}}, "'cleanup' is missing"},
      {"model", {{"type", "WordLevel"}}, "unsupported component WordLevel"},
      {"version", "2.0", "unsupported component version"},
      {"normalizer",
       {{"type", "Replace"}, {"pattern", {{"Regex", "x*"}}}, {"content", "y"}},
       "unsupported component Replace of an empty match"},
  };
  for (const auto& [key, component, message] : cases) {
    json tokenizer = small();
    tokenizer[key] = component;
    EXPECT_TRUE(mentions(error_of(tokenizer), message));
    EXPECT_TRUE(mentions(error_of(tokenizer), "tokenizer.json"));
  }
  const char* affix = "continuing_subword_prefix";
  json tokenizer = small();
  tokenizer["model"][affix] = "";
  EXPECT_EQ(error_of(tokenizer), "no error");
  tokenizer["model"][affix] = "##";
  EXPECT_TRUE(mentions(error_of(tokenizer), affix));
}

TEST(Tokenizer, TheLastCharacterOfAWordMayBeATokenOfItsOwn) {  // CLIP's "</w>"
  json tokenizer = {
      {"version", "1.0"},
      {"normalizer", {{"type", "Lowercase"}}},
      {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
      {"post_processor",
       {{"type", "RobertaProcessing"},
        {"cls", {"[", 5}},
        {"sep", {"]", 6}},
        {"trim_offsets", false},
        {"add_prefix_space", false}}},
      {"model",
       {{"type", "BPE"},
        {"end_of_word_suffix", "$"},
        {"merges", json::array({json::array({"a", "b$"})})},
        {"vocab", {{"a", 0}, {"b", 1}, {"a$", 2}, {"b$", 3}, {"ab$", 4}, {"[", 5}, {"]", 6}}}}}};
  const auto read = Tokenizer::from_json(tokenizer.dump(), "tokenizer.json");
  EXPECT_EQ(read->encode("AB abb A", true), (TokenIds{5, 4, 0, 1, 3, 2, 6}));
  EXPECT_EQ(read->encode("ab", false), TokenIds{4});
  tokenizer["post_processor"]["sep"] = {"]", 60};
  EXPECT_TRUE(mentions(error_of(tokenizer), "is in no vocabulary"));
  tokenizer["model"]["end_of_word_suffix"] = 3;
  EXPECT_TRUE(mentions(error_of(tokenizer), "end_of_word_suffix"));
}

TEST(Tokenizer, WordPieceTakesTheLongestAndKeepsOffsets) {
  json tokenizer = {
      {"version", "1.0"},
      {"normalizer",
       {{"type", "BertNormalizer"},
        {"clean_text", true},
        {"handle_chinese_chars", true},
        {"strip_accents", nullptr},
        {"lowercase", true}}},
      {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
      {"decoder", {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}}},
      {"model",
       {{"type", "WordPiece"},
        {"unk_token", "?"},
        {"continuing_subword_prefix", "##"},
        {"max_input_chars_per_word", 5},
        {"vocab", {{"?", 0}, {"ete", 1}, {"e", 2}, {"##t", 3}, {"##es", 4}, {"!", 5}, {"##x", 6}}}}}};
  const auto read = [&] { return Tokenizer::from_json(tokenizer.dump(), "tokenizer.json"); };
  EXPECT_EQ(read()->encode("ete etes ET", true),
            (TokenIds{1, 0, 2, 3}));  // the longest first, without return
  EXPECT_EQ(read()->encode("\u00c9T!", true), (TokenIds{2, 3, 5}));
  const std::pair<size_t, size_t> first{0, 2}, second{2, 3}, third{3, 4};
  EXPECT_EQ(read()->encode_with_offsets("\u00c9T!", true).offsets, (std::vector{first, second, third}));
  EXPECT_EQ(read()->encode("eteseteses", true), TokenIds{0});  // too long
  EXPECT_EQ(read()->encode("et\u4e2d", true), (TokenIds{2, 3, 0}));
  EXPECT_EQ(read()->decode(TokenIds{2, 3, 5}, false), "et!");
  EXPECT_THROW(read()->encode_with_dropout("et", 0.5, 1), Error);
  tokenizer["model"]["unk_token"] = "none";
  EXPECT_THROW(read()->encode("zzz", true), Error);  // only where it is needed
  tokenizer["model"].erase("unk_token");
  EXPECT_THROW(read(), Error);
}

TEST(Tokenizer, HostileFilesAreErrorsThatNameThePlace) {
  EXPECT_TRUE(mentions(error_of(std::string(10000, '[')), "nested deeper"));
  EXPECT_TRUE(mentions(error_of(std::string("{\"model\": ")), "not valid JSON: it ends in the middle"));
  EXPECT_EQ(error_of(std::string("{\"\xFF")).find('\xFF'),
            std::string::npos);  // messages are well-formed UTF-8
  EXPECT_TRUE(mentions(error_of(std::string("[1]")), "expected an object"));
  const auto changed = [](const std::string& pointer, const json& value) {
    json tokenizer = small();
    tokenizer[json::json_pointer(pointer)] = value;
    return error_of(tokenizer);
  };
  EXPECT_TRUE(mentions(changed("/model/vocab/c", 1), "same id 1"));
  EXPECT_TRUE(mentions(changed("/model/vocab/c", -1), "vocab['c']"));
  EXPECT_TRUE(mentions(changed("/model/vocab/c", 1LL << 40), "vocab['c']"));
  EXPECT_TRUE(mentions(changed("/model/vocab/c", 1.5), "vocab['c']"));
  EXPECT_TRUE(mentions(changed("/model/merges/1", "ab d"), "merges[1]: 'd' is not"));
  EXPECT_TRUE(mentions(changed("/model/merges/1", "b c"), "merges[1]: 'bc' is not"));
  EXPECT_TRUE(mentions(changed("/model/merges/1", "ab"), "merges[1]"));
  EXPECT_TRUE(mentions(changed("/model/merges/1", json::array({"ab", "c"})), "mixed"));
  EXPECT_TRUE(mentions(changed("/model/merges", 3), "'merges' must be an array"));
  EXPECT_TRUE(mentions(changed("/added_tokens/0/id", 4), "added_tokens[0]"));
  EXPECT_TRUE(mentions(changed("/added_tokens/0/id", 9), "gives it 6"));
  EXPECT_TRUE(mentions(changed("/added_tokens/0/special", "yes"), "'special' must be true or false"));
  EXPECT_TRUE(mentions(changed("/added_tokens/1", small()["added_tokens"][0]), "is there twice"));
  json second = small()["added_tokens"][0];
  second["content"] = "<y>";
  EXPECT_TRUE(mentions(changed("/added_tokens/1", second), "has the id 6 of '<x>'"));
}

TEST(Tokenizer, HostilePatternsAreErrors) {
  const auto with_split = [](const std::string& expression) {
    json tokenizer = small();
    tokenizer["pre_tokenizer"] = {
        {"type", "Split"}, {"pattern", {{"Regex", expression}}}, {"behavior", "Isolated"}, {"invert", false}};
    return tokenizer;
  };
  for (const char* expression :
       {"(",        "[a",      "a{2,1}", "(*ACCEPT)",    "(?R)",   "(a)\\1",  "[[:alpha:]]",
        "[a&&b]",   "a{1,2}+", "\\h",    "\\p{Nope}",    "\\u00E", "\\uD800", "(?<n>a)",
        "(?x:a b)", "\\C",     "\\K",    "(?i:\\p{Lu})", "[\\W]",  "a\\"})
    EXPECT_NE(error_of(with_split(expression)), "no error") << expression;
  EXPECT_THROW(make(with_split("(a+)+$"))->encode(std::string(40, 'a') + "b", false), Error);
  EXPECT_EQ(make(with_split("(?:a|b|c)*?c"))->encode("abcabc", false), (TokenIds{4, 4}));
  EXPECT_EQ(make(with_split("[\\u0061-\\u0063]*?\\u0063"))->encode("abcabc", false), (TokenIds{4, 4}));
}

TEST(Tokenizer, AReplacementCannotFillTheMemory) {
  json tokenizer = small();
  const json blow_up = {
      {"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", std::string(1000, 'a')}};
  tokenizer["normalizer"] = {{"type", "Sequence"},
                             {"normalizers", json::array({blow_up, blow_up, blow_up, blow_up})}};
  EXPECT_THROW(make(tokenizer)->encode("a", false), Error);
  tokenizer["normalizer"] = nullptr;
  tokenizer["decoder"] = {{"type", "Sequence"},
                          {"decoders", json::array({blow_up, blow_up, blow_up, blow_up})}};
  EXPECT_THROW(make(tokenizer)->decode(TokenIds{0}, false), Error);
}

TEST(Tokenizer, TemplatesMustKnowTheirTokens) {
  json tokenizer = small();
  tokenizer["post_processor"] = {
      {"type", "TemplateProcessing"},
      {"single",
       {{{"SpecialToken", {{"id", "<x>"}, {"type_id", 0}}}}, {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}}},
      {"pair", json::array()},
      {"special_tokens", {{"<x>", {{"id", "<x>"}, {"ids", {6, 0}}, {"tokens", {"<x>", "a"}}}}}}};
  EXPECT_EQ(make(tokenizer)->encode("ab", true), (TokenIds{6, 0, 3}));
  EXPECT_EQ(make(tokenizer)->encode("ab", false), (TokenIds{3}));
  tokenizer["post_processor"]["special_tokens"]["<x>"]["ids"] = {77};
  EXPECT_TRUE(mentions(error_of(tokenizer), "77"));
  tokenizer["post_processor"]["special_tokens"] = json::object();
  EXPECT_TRUE(mentions(error_of(tokenizer), "special_tokens"));
}

}  // namespace
}  // namespace hijack::tokenizer_test
