// spiece.model, as sentencepiece writes it: what is read, and files that nobody should trust. That the pieces
// are sentencepiece's own is held by encoders_golden_test.cpp.
#include <gtest/gtest.h>

#include "models/encoders/canonical_text.h"
#include "models/tokenizer.h"
#include "src/base/error.h"
#include "src/base/file.h"
#include "tests/support/temporary_folder.h"

namespace hijack::sentence_piece_test {
namespace {

const std::string kSpace = "\u2581";

std::string varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes + static_cast<char>(value);
}
std::string number(int field, uint64_t value) {
  return varint(static_cast<uint64_t>(field) << 3) + varint(value);
}
std::string part(int field, const std::string& bytes) {
  return varint(static_cast<uint64_t>(field) << 3 | 2) + varint(bytes.size()) + bytes;
}
std::string piece(const std::string& text, float score, uint64_t kind = 1) {
  const auto bits = std::bit_cast<uint32_t>(score);
  std::string bytes;
  for (int i = 0; i < 4; ++i) bytes += static_cast<char>(bits >> 8 * i & 0xFF);
  return part(1, part(1, text) + varint(2 << 3 | 5) + bytes + number(3, kind));
}
std::string pieces() {
  return piece("<pad>", 0, 3) + piece("</s>", 0, 3) + piece("<unk>", 0, 2) + piece(kSpace, -2) +
         piece(kSpace + "a", -1) + piece("b", -3) + piece("a", -4) + piece("gone", -1, 5);
}

class SentencePiece : public testing::Test {
 protected:
  std::shared_ptr<const Tokenizer> read(const std::string& bytes) const {
    write_file(folder_.path() / "spiece.model", bytes);
    return Tokenizer::from_sentence_piece(folder_.path() / "spiece.model");
  }
  void expect_refused(const std::string& bytes, const std::string& words) const {
    const std::string said = support::error_of([&] { read(bytes); });
    EXPECT_NE(said.find("spiece.model"), std::string::npos) << said;
    EXPECT_NE(said.find(words), std::string::npos) << said;
  }
  support::TemporaryFolder folder_;
};

TEST_F(SentencePiece, IsReadWithAnEndBehindEachText) {
  const auto tokenizer = read(pieces());
  EXPECT_EQ(tokenizer->vocabulary_size(), 8);
  EXPECT_EQ(tokenizer->encode("ab  b ", true), (TokenIds{4, 5, 3, 5, 1}));
  EXPECT_EQ(tokenizer->encode("ab", false), (TokenIds{4, 5}));
  EXPECT_EQ(tokenizer->encode("", true), TokenIds{1});
  EXPECT_EQ(tokenizer->encode("azzb", true), (TokenIds{4, 2, 5, 1})) << "what is unknown is one";
  EXPECT_EQ(tokenizer->encode("a gonez", false), (TokenIds{4, 3, 2})) << "an unused piece is no text's";
  EXPECT_EQ(tokenizer->encode("a gone", false), (TokenIds{4, 3, 7}))
      << "but transformers looks what is unknown up by its text";
  EXPECT_EQ(tokenizer->decode(TokenIds{4, 5, 3, 5}, false), "ab b");
  EXPECT_EQ(tokenizer->token_to_id("</s>"), 1);
  const std::string bytes = pieces() + piece("<0x7A>", 0, 6) + part(2, number(35, 1));
  EXPECT_EQ(read(bytes)->encode("azz", false), (TokenIds{4, 8, 8})) << "byte fallback";
  // fields that nobody reads, of each wire type
  const std::string more =
      number(99, 7) + part(98, "x") + varint(97 << 3 | 5) + "abcd" + varint(96 << 3 | 1) + "abcdefgh";
  EXPECT_EQ(read(more + pieces() + more)->encode("ab", false), (TokenIds{4, 5}));
}

TEST_F(SentencePiece, HostileFilesAreErrors) {
  const std::string good = pieces();
  for (const size_t cut : {good.size() - 1, good.size() / 2 + 1, size_t{1}})
    expect_refused(good.substr(0, cut), "cut off");
  expect_refused("", "it has no pieces");
  expect_refused(std::string(64, '\xFF'), "cut off");
  expect_refused(varint(1 << 3 | 2) + varint(~uint64_t{0}) + "x", "cut off");
  expect_refused(varint(1 << 3 | 3) + "x", "cut off");
  expect_refused(part(1, varint(1 << 3 | 2) + varint(9) + "x"), "cut off");
  expect_refused(good + piece("\xFF", -1), "piece 8 is not UTF-8");
  expect_refused(good + piece("c", std::numeric_limits<float>::quiet_NaN()),
                 "piece 8 has a score that is no number");
  expect_refused(good + piece("c", std::numeric_limits<float>::infinity()), "piece 8 has a score");
  expect_refused(good + piece("<mine>", 0, 4), "piece 8 ('<mine>') was defined by a user");
  expect_refused(good + piece(std::string(2000, 'c'), 0), "longer than 1 KiB");
  expect_refused(good + part(2, number(3, 2)), "a BPE model is not read");
  expect_refused(good + part(2, number(3, 4)), "a model that is not Unigram");
  expect_refused(good + part(2, number(24, 1)), "white space as a suffix");
  expect_refused(good + part(3, number(4, 0)), "keeps white space");
  expect_refused(good + part(3, number(5, 0)), "keeps white space");
  expect_refused(good + part(3, part(2, "abc")), "the charsmap is cut off");
  expect_refused(piece("<unk>", 0, 2) + piece("a", -1), "no end piece");
  expect_refused(piece("</s>", 0, 3) + piece("a", -1), "no unknown piece");
  EXPECT_NO_THROW(read(good + part(2, number(3, 1)) + part(3, number(4, 1) + number(5, 1))));
}

TEST_F(SentencePiece, AFolderWithNothingElseIsToldHowToConvertIt) {
  write_file(folder_.path() / "spiece.model", pieces());
  const std::string said =
      support::error_of([&] { Tokenizer::from_file(folder_.path() / "tokenizer.json"); });
  EXPECT_NE(said.find("its tokenizer as spiece.model only"), std::string::npos) << said;
}

TEST(CanonicalText, IsSmallWithoutPunctuation) {
  const auto made = [](const std::string& text, bool lower = true, bool marked = false) {
    return canonical_text(text, lower, marked);
  };
  EXPECT_EQ(made("  A photo,\tof\u00a0a   \u2581Cat! "), "a photo of a cat");
  EXPECT_EQ(made("A photo, of a Cat!", false), "A photo of a Cat");
  EXPECT_EQ(made("don't stop--now [1]"), "dont stopnow 1");
  EXPECT_EQ(made("a - b"), "a b") << "the spaces around what goes are one";
  EXPECT_EQ(made("?!"), "");
  EXPECT_EQ(made("x\x1cy"), "x y") << "Python's white space has the separators of ASCII";
  EXPECT_EQ(made("\u0391\u03a3 \u0391\u03a3\u0391 \u03a3"), "\u03b1\u03c2 \u03b1\u03c3\u03b1 \u03c3");
  EXPECT_EQ(made("\u0130"), "i\u0307");
  EXPECT_EQ(made("a\xFF"), "a\uFFFD");
  EXPECT_EQ(made("|a", true, true), kSpace + "a");
  EXPECT_EQ(made("| a", true, true), kSpace + " a");
}

}  // namespace
}  // namespace hijack::sentence_piece_test
