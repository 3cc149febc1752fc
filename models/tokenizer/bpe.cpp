#include "models/tokenizer/bpe.h"

#include <queue>
#include <span>

#include "src/base/error.h"
#include "src/base/random.h"
#include "src/base/unicode.h"

namespace hijack::tokenizer {
namespace {

constexpr size_t kLongestCachedWord = 256;
constexpr size_t kCachedWordsPerShard = 4096;

// A candidate merge of the symbol at `position` with the next one.
struct Candidate {
  uint32_t rank, position, id;
};
struct Later {  // the queue's top is the lowest rank, and the leftmost of these
  bool operator()(const Candidate& a, const Candidate& b) const {
    return a.rank != b.rank ? a.rank > b.rank : a.position > b.position;
  }
};

constexpr int32_t kNone = -1;

/// The tokens of a word, of which neighbors are joined.
class Chain {
 public:
  explicit Chain(std::vector<WordToken> tokens) : tokens_(std::move(tokens)), links_(tokens_.size()) {
    const auto n = static_cast<int32_t>(tokens_.size());
    for (int32_t i = 0; i < n; ++i) links_[static_cast<size_t>(i)] = {i - 1, i + 1 < n ? i + 1 : kNone};
  }

  uint32_t id(int32_t at) const { return tokens_[static_cast<size_t>(at)].id; }
  int32_t previous(int32_t at) const { return links_[static_cast<size_t>(at)].previous; }
  /// kNone for the last one, and for one that is gone.
  int32_t next(int32_t at) const {
    const Links& here = links_[static_cast<size_t>(at)];
    return here.gone ? kNone : here.next;
  }
  /// `at` and the one behind it become one token, at `at`.
  void join(int32_t at, uint32_t id) {
    Links& here = links_[static_cast<size_t>(at)];
    Links& behind = links_[static_cast<size_t>(here.next)];
    WordToken& token = tokens_[static_cast<size_t>(at)];
    token = {id, token.begin, tokens_[static_cast<size_t>(here.next)].end};
    behind.gone = true;
    here.next = behind.next;
    if (here.next != kNone) links_[static_cast<size_t>(here.next)].previous = at;
  }
  std::vector<WordToken> left() const {
    std::vector<WordToken> kept;
    for (size_t i = 0; i < tokens_.size(); ++i)
      if (!links_[i].gone) kept.push_back(tokens_[i]);
    return kept;
  }

 private:
  struct Links {
    int32_t previous = kNone, next = kNone;
    bool gone = false;
  };
  std::vector<WordToken> tokens_;
  std::vector<Links> links_;
};

}  // namespace

const Bpe::Merge* Bpe::merge_of(uint32_t left, uint32_t right) const {
  const auto found = merges_.find(uint64_t{left} << 32 | right);
  return found == merges_.end() ? nullptr : &found->second;
}

void Bpe::encode(std::string_view word, std::vector<WordToken>& tokens) const {
  if (ignore_merges_) {
    if (const auto id = id_of(word)) {
      tokens.push_back({*id, 0, static_cast<uint32_t>(word.size())});
      return;
    }
  }
  if (word.size() > kLongestCachedWord) {
    const auto found = merged(characters(word), nullptr);
    tokens.insert(tokens.end(), found.begin(), found.end());
    return;
  }
  Shard& shard = cache_[StringHash{}(word) % kShards];
  {
    const std::lock_guard lock(shard.mutex);
    if (const auto known = shard.words.find(word); known != shard.words.end()) {
      tokens.insert(tokens.end(), known->second.begin(), known->second.end());
      return;
    }
  }
  auto found = merged(characters(word), nullptr);
  tokens.insert(tokens.end(), found.begin(), found.end());
  const std::lock_guard lock(shard.mutex);
  if (shard.words.size() >= kCachedWordsPerShard) shard.words.clear();
  shard.words.emplace(word, std::move(found));
}

void Bpe::encode_with_dropout(std::string_view word, double dropout, Random& random,
                              std::vector<WordToken>& tokens) const {
  Skip skip{dropout, random};
  const auto found = merged(characters(word), &skip);
  tokens.insert(tokens.end(), found.begin(), found.end());
}

bool Bpe::add_fallback_bytes(std::string_view character, uint32_t begin,
                             std::vector<WordToken>& tokens) const {
  for (const char c : character)
    if (!fallback_bytes_[static_cast<unsigned char>(c)]) return false;
  for (uint32_t i = 0; i < character.size(); ++i)
    tokens.push_back({*fallback_bytes_[static_cast<unsigned char>(character[i])], begin + i, begin + i + 1});
  return true;
}

std::vector<WordToken> Bpe::characters(std::string_view word) const {
  std::vector<WordToken> tokens;
  tokens.reserve(word.size());
  std::optional<WordToken> pending;  // unknown characters not yet written: they may be fused with the next
  for (size_t at = 0; at < word.size();) {
    const size_t length = unicode::decode(word, at).length;
    const std::string_view character = word.substr(at, length);
    const auto begin = static_cast<uint32_t>(at), end = static_cast<uint32_t>(at + length);
    at += length;
    const bool last = at == word.size() && !word_end_.empty();
    if (const auto id = last ? id_of(std::string(character) + word_end_) : id_of(character)) {
      if (pending) tokens.push_back(*pending);
      pending.reset();
      tokens.push_back({*id, begin, end});
      continue;
    }
    // Bytes go before a pending unknown, as in the original: it matters only where some byte tokens are
    // missing.
    if (byte_fallback_ && add_fallback_bytes(character, begin, tokens)) continue;
    if (unknown_token_.empty()) continue;
    if (!unknown_) throw Error("the tokenizer's unk_token '" + unknown_token_ + "' is not in its vocabulary");
    if (pending && fuse_unknown_) {
      pending->end = end;
    } else {
      if (pending) tokens.push_back(*pending);
      pending = WordToken{*unknown_, begin, end};
    }
  }
  if (pending) tokens.push_back(*pending);
  return tokens;
}

std::vector<WordToken> Bpe::merged(std::vector<WordToken> tokens, Skip* skip) const {
  const auto n = static_cast<int32_t>(tokens.size());
  if (n < 2) return tokens;
  Chain chain(std::move(tokens));
  std::priority_queue<Candidate, std::vector<Candidate>, Later> queue;
  std::vector<Candidate> skipped;
  const auto offer = [&](int32_t left, int32_t right) {
    if (left == kNone || right == kNone) return;
    if (const Merge* merge = merge_of(chain.id(left), chain.id(right)))
      queue.push({merge->rank, static_cast<uint32_t>(left), merge->id});
  };
  for (int32_t i = 1; i < n; ++i) offer(i - 1, i);
  while (!queue.empty()) {
    const Candidate top = queue.top();
    queue.pop();
    const auto at = static_cast<int32_t>(top.position);
    if (chain.next(at) == kNone) continue;
    const Merge* merge = merge_of(chain.id(at), chain.id(chain.next(at)));
    if (merge == nullptr || merge->id != top.id) continue;  // one side changed since it was offered
    // Only what is possible now is drawn for, as in the paper: a stale candidate that is not dropped would
    // give those that were another chance.
    if (skip != nullptr && skip->random.chance(skip->dropout)) {
      skipped.push_back(top);
      continue;
    }
    for (const Candidate& candidate : skipped) queue.push(candidate);
    skipped.clear();
    chain.join(at, top.id);
    offer(chain.previous(at), at);
    offer(at, chain.next(at));
  }
  return chain.left();
}

}  // namespace hijack::tokenizer
