#include "src/pocket/bpe_trainer.h"

#include "src/base/pch.h"
#include "src/base/random.h"
#include "src/base/unicode.h"
#include "src/pocket/canary.h"
#include "src/pocket/grammar.h"

namespace hijack {
namespace {

using Json = nlohmann::ordered_json;
using Pair = std::pair<std::string, std::string>;

/// A word as the pre-tokenizer cuts it, in byte-level characters, split into its present tokens.
struct Word {
  std::vector<std::string> tokens;
  int64_t count = 0;
};

std::string utf8(int code) {
  std::string text;
  unicode::append(text, static_cast<char32_t>(code));
  return text;
}

/// GPT-2's printable stand-in of every byte (Radford et al. 2019).
const std::array<std::string, 256>& byte_characters() {
  static const std::array<std::string, 256> table = [] {
    std::array<std::string, 256> made;
    int next = 256;
    for (int byte = 0; byte < 256; ++byte) {
      const bool printable = (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
      made[static_cast<size_t>(byte)] = utf8(printable ? byte : next++);
    }
    return made;
  }();
  return table;
}

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Runs of letters and runs of marks, each with the space before it: GPT-2's pattern on ASCII text. Digits
/// stand alone and never merge, so they are left out.
void count_pieces(std::string_view text, std::map<std::string, int64_t>& counts) {
  for (size_t at = 0; at < text.size();) {
    const size_t first = at;
    if (text[at] == ' ' && at + 1 < text.size()) ++at;
    if (text[at] == ' ' || text[at] == '\n' || is_digit(text[at])) {
      ++at;
      continue;
    }
    const bool letters = is_letter(text[at]);
    while (at < text.size() && text[at] != ' ' && text[at] != '\n' && !is_digit(text[at]) &&
           is_letter(text[at]) == letters)
      ++at;
    ++counts[std::string(text.substr(first, at - first))];
  }
}

std::map<std::string, int64_t> corpus_counts(uint64_t seed) {
  constexpr int64_t kExercises = 30'000;
  Random random = Random(seed).fork("tokenizer corpus");
  std::map<std::string, int64_t> counts;
  for (int64_t i = 0; i < kExercises; ++i) {
    const Scene scene = random_scene(random);
    const Exercise exercise = draw_exercise(i % 2 ? &scene : nullptr, random, Wording::kTrain);
    count_pieces(" USER:", counts);  // the normalizer puts a space before every text
    count_pieces(" " + exercise.prompt, counts);
    count_pieces(" ASSISTANT: " + exercise.answer, counts);
  }
  return counts;
}

Word make_word(const std::string& piece, int64_t count) {
  Word word{{}, count};
  for (const char c : piece) word.tokens.push_back(byte_characters()[static_cast<unsigned char>(c)]);
  return word;
}

/// The most frequent neighbors; ties go to the alphabetically first pair.
std::optional<Pair> best_pair(const std::vector<Word>& words) {
  std::map<Pair, int64_t> counts;
  for (const Word& word : words)
    for (size_t i = 1; i < word.tokens.size(); ++i)
      counts[{word.tokens[i - 1], word.tokens[i]}] += word.count;
  const auto best = std::max_element(counts.begin(), counts.end(),
                                     [](const auto& a, const auto& b) { return a.second < b.second; });
  if (best == counts.end()) return std::nullopt;
  return best->first;
}

void merge(std::vector<Word>& words, const Pair& pair) {
  for (Word& word : words)
    for (size_t i = 1; i < word.tokens.size(); ++i) {
      if (word.tokens[i - 1] != pair.first || word.tokens[i] != pair.second) continue;
      word.tokens[i - 1] += pair.second;
      word.tokens.erase(word.tokens.begin() + static_cast<int64_t>(i));
    }
}

/// Merges first the words that must be one token, then whatever the corpus has most of.
std::vector<Pair> train_merges(uint64_t seed, size_t wanted) {
  constexpr int64_t kRare = 3;
  std::vector<Word> forced, others;
  for (const std::string& word : pocket_vocabulary()) forced.push_back(make_word(" " + word, 1));
  for (const std::string word : {" USER", " ASSISTANT", "example", "mail", "canary"})
    forced.push_back(make_word(word, 1));
  for (const auto& [piece, count] : corpus_counts(seed))
    if (count >= kRare) others.push_back(make_word(piece, count));
  std::vector<Pair> merges;
  for (int phase = 0; phase < 2; ++phase)
    while (merges.size() < wanted) {
      const std::optional<Pair> pair = best_pair(phase == 0 ? forced : others);
      if (!pair) break;
      merge(forced, *pair);
      merge(others, *pair);
      merges.push_back(*pair);
    }
  TORCH_CHECK(!best_pair(forced), "the vocabulary is too small for the words of the grammar");
  TORCH_CHECK(merges.size() == wanted, "the corpus is too small for the vocabulary");
  return merges;
}

Json special_tokens() {
  Json tokens = Json::array();
  for (const char* content : {"<pad>", "<s>", "</s>", "<image>"})
    tokens.push_back({{"id", tokens.size()},
                      {"content", content},
                      {"single_word", false},
                      {"lstrip", false},
                      {"rstrip", false},
                      {"normalized", false},
                      {"special", true}});
  return tokens;
}

Json byte_level(bool add_prefix_space) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", add_prefix_space},
          {"trim_offsets", true},
          {"use_regex", true}};
}

Json sequence_part(const char* id) {
  return {{"Sequence", {{"id", id}, {"type_id", 0}}}};
}

Json post_processor() {
  const Json start = {{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}};
  Json json = {{"type", "TemplateProcessing"}};
  json["single"] = Json::array({start, sequence_part("A")});
  json["pair"] = Json::array({start, sequence_part("A"), start, sequence_part("B")});
  json["special_tokens"]["<s>"] = {
      {"id", "<s>"}, {"ids", Json::array({kBosToken})}, {"tokens", Json::array({"<s>"})}};
  return json;
}

Json bpe_model(const std::vector<Pair>& merges, const Json& specials) {
  Json vocabulary = Json::object(), list = Json::array();
  int64_t next = 0;
  for (const Json& token : specials) vocabulary[token["content"].get<std::string>()] = next++;
  for (const std::string& character : byte_characters()) vocabulary[character] = next++;
  for (const auto& [left, right] : merges) {
    vocabulary[left + right] = next++;
    list.push_back(left + " " + right);
  }
  TORCH_CHECK(next == kPocketVocabulary && vocabulary.size() == static_cast<size_t>(next),
              "a token was made twice");
  return {{"type", "BPE"},
          {"dropout", nullptr},
          {"unk_token", nullptr},
          {"continuing_subword_prefix", nullptr},
          {"end_of_word_suffix", nullptr},
          {"fuse_unk", false},
          {"byte_fallback", false},
          {"ignore_merges", false},
          {"vocab", vocabulary},
          {"merges", list}};
}

}  // namespace

std::string train_pocket_tokenizer(uint64_t seed) {
  const Json specials = special_tokens();
  const auto merges = train_merges(seed, static_cast<size_t>(kPocketVocabulary) - specials.size() - 256);
  Json json = {{"version", "1.0"}, {"truncation", nullptr}, {"padding", nullptr}};
  json["added_tokens"] = specials;
  // Every word is read after a space, also the first one of a prompt or a reply, so that each is one token
  // wherever it stands; line breaks are read as spaces.
  json["normalizer"] = {{"type", "Sequence"}};
  json["normalizer"]["normalizers"] =
      Json::array({Json{{"type", "Prepend"}, {"prepend", " "}},
                   Json{{"type", "Replace"}, {"pattern", {{"Regex", "\\s+"}}}, {"content", " "}}});
  json["pre_tokenizer"] = {{"type", "Sequence"}};
  json["pre_tokenizer"]["pretokenizers"] =
      Json::array({Json{{"type", "Digits"}, {"individual_digits", true}}, byte_level(false)});
  json["post_processor"] = post_processor();
  json["decoder"] = {{"type", "Sequence"}};
  json["decoder"]["decoders"] =
      Json::array({byte_level(true), Json{{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}}});
  json["model"] = bpe_model(merges, specials);
  return json.dump(1) + "\n";
}

}  // namespace hijack
