#include "models/prefix/packed_suffixes.h"

#include "src/base/error.h"
#include "src/base/upload.h"

namespace hijack {
namespace {

// A pass of its own over the text before the image, at every call, pays from about this length on.
constexpr size_t kTextWorthKeeping = 16;
// Tokens are packed once when that spares at least one in so many: gathering ancestors costs, too.
constexpr size_t kSharedOneIn = 4;

/// Positions [A,end-begin] of the prompt's tokens.
Tensor positions_of(const Prompt& prompt, size_t begin, size_t end) {
  const auto first = static_cast<int64_t>(begin), last = static_cast<int64_t>(end);
  if (!prompt.positions.defined()) return at::arange(first, last, at::kLong).unsqueeze(0);
  return prompt.positions.narrow(1, first, last - first);
}

/// [A,L] as Decoder::forward takes it: [L], or [A,1,L].
Tensor for_decoder(const Tensor& positions, at::Device device) {
  return constant_ids(positions.size(0) == 1 ? positions.squeeze(0) : positions.unsqueeze(1), device);
}

KeyValues no_keys(const Decoder& decoder) {
  const auto& c = decoder.config();
  const Tensor none = at::zeros({1, c.kv_heads, 0, c.head_dim},
                                at::TensorOptions(decoder.key_dtype()).device(decoder.device()));
  const auto layers = static_cast<size_t>(c.layers);
  return {std::vector<Tensor>(layers, none.detach()), std::vector<Tensor>(layers, none.detach())};
}

/// The prompt's blocks among tokens [begin,end), cut at the end, counted from `origin`.
std::vector<TokenBlock> blocks_in(const Prompt& prompt, size_t begin, size_t end, size_t origin) {
  const auto first = static_cast<int64_t>(begin), last = static_cast<int64_t>(end);
  const auto zero = static_cast<int64_t>(origin);
  std::vector<TokenBlock> found;
  for (const TokenBlock& block : prompt.blocks)
    if (block.begin >= first && block.begin < last)
      found.push_back({block.begin - zero, std::min(block.end, last) - zero});
  return found;
}

/// Keys and values of tokens [0,end), where those of `past` are known; a row for each prompt.
KeyValues continue_prefixes(const Decoder& decoder, std::span<const Prompt* const> prompts, KeyValues past,
                            size_t end) {
  const auto begin = static_cast<size_t>(past.length());
  if (begin == end) return past;
  const Prompt& first = *prompts.front();
  CausalPlan plan(std::move(past), blocks_in(first, begin, end, 0));
  EmbeddedPart part = embed_prompt(decoder, first, begin, end);
  std::vector<Tensor> rows = {part.x};
  for (const Prompt* prompt : prompts.subspan(1))
    rows.push_back(embed_prompt(decoder, *prompt, begin, end).x);
  if (rows.size() > 1) part.x = at::cat(rows, 0);
  decoder.prefill({part.x, for_decoder(positions_of(first, begin, end), decoder.device()), part.deep,
                   kinds_of(first, begin, end)},
                  plan);
  return plan.kept();
}

KeyValues continue_prefix(const Decoder& decoder, const Prompt& prompt, KeyValues past, size_t end) {
  const Prompt* const one = &prompt;
  return continue_prefixes(decoder, {&one, 1}, std::move(past), end);
}

/// Tokens at the start of the prompt whose keys and values the memo may keep.
size_t constant_tokens(const Prompt& prompt, const PrefixMemo& memo) {
  if (prompt.image_places.empty()) return 0;
  if (memo.keeps(prompt.features)) return prompt.image_end();
  const size_t text = prompt.image_places.front();
  return text >= kTextWorthKeeping ? text : 0;
}

}  // namespace

void check_prompt(const Decoder& decoder, const Prompt& prompt, const TokenIds& target, size_t room) {
  const auto limit = static_cast<size_t>(decoder.config().max_positions);
  if (prompt.ids.size() + room > limit) {
    const std::string size = "a prompt of " + std::to_string(prompt.ids.size()) + " tokens";
    const std::string context = " the model's context of " + std::to_string(limit) + " tokens; shorten ";
    throw Error(target.empty() ? size + " leaves no room for a reply in" + context + "the prompt"
                               : size + " and a target of " + std::to_string(target.size()) + " do not fit" +
                                     context + "one of them");
  }
  // a tokenizer may know more tokens than the decoder has embeddings
  const auto check = [&](TokenId id) {
    if (id >= decoder.config().vocabulary)
      throw Error("token " + std::to_string(id) + " has no embedding in a decoder of " +
                  std::to_string(decoder.config().vocabulary) +
                  " tokens; remove what the tokenizer reads as that token from the text");
  };
  for (size_t i = 0; i < prompt.ids.size(); ++i)
    if (!std::binary_search(prompt.image_places.begin(), prompt.image_places.end(), i)) check(prompt.ids[i]);
  for (const TokenId id : target) check(id);
}

std::vector<TokenKind> kinds_of(const Prompt& prompt, size_t begin, size_t end) {
  std::vector<TokenKind> kinds(end - begin, TokenKind::kText);
  for (const size_t place : prompt.image_places)
    if (place >= begin && place < end) kinds[place - begin] = TokenKind::kImage;
  if (begin < end && end == prompt.ids.size()) kinds.back() = TokenKind::kLast;
  return kinds;
}

Tensor ids_tensor(std::span<const TokenId> ids, at::Device device) {
  return constant_ids(ids, device);
}

KeyValues run_prefix(const Decoder& decoder, const Prompt& prompt, size_t tokens, PrefixMemo* memo) {
  if (tokens == 0) return no_keys(decoder);
  const size_t constant = memo != nullptr ? constant_tokens(prompt, *memo) : 0;
  const bool shifted = prompt.shift.defined() && prompt.shift_begin < constant;
  if (constant == 0 || constant > tokens || shifted) return continue_prefix(decoder, prompt, {}, tokens);
  const TokenIds ids(prompt.ids.begin(), prompt.ids.begin() + static_cast<std::ptrdiff_t>(constant));
  const bool with_image = constant > prompt.image_places.front();
  KeyValues known =
      memo->prefix(ids, positions_of(prompt, 0, constant), with_image ? prompt.features : Tensor(),
                   [&] { return continue_prefix(decoder, prompt, {}, constant); });
  return continue_prefix(decoder, prompt, std::move(known), tokens);
}

KeyValues run_prefixes(const Decoder& decoder, std::span<const Prompt* const> prompts, size_t tokens,
                       PrefixMemo* memo) {
  const size_t text = prompts.front()->image_places.front();
  KeyValues known;
  if (memo != nullptr && text >= kTextWorthKeeping) {
    known = run_prefix(decoder, *prompts.front(), text, memo);
    for (auto* const all : {&known.keys, &known.values})
      for (Tensor& one : *all) one = one.expand({static_cast<int64_t>(prompts.size()), -1, -1, -1});
  }
  return continue_prefixes(decoder, prompts, std::move(known), tokens);
}

Tensor prompt_states(const Decoder& decoder, const Prompt& prompt, size_t end, int64_t layer) {
  check_prompt(decoder, prompt, {}, 0);
  PackedTokens tokens;
  tokens.runs = {0};
  tokens.blocks = blocks_in(prompt, 0, end, 0);
  for (size_t t = 0; t < end; ++t) tokens.parents.push_back(static_cast<int64_t>(t) - 1);
  const KeyValues none = no_keys(decoder);
  const EmbeddedPart part = embed_prompt(decoder, prompt, 0, end);
  SharedPrefixPlan plan(none, tokens);
  return decoder.blocks({part.x, for_decoder(positions_of(prompt, 0, end), decoder.device()), part.deep},
                        plan, layer);
}

namespace {

/// The suffixes of a group as plain ids, and the order in which they are packed.
class Suffixes {
 public:
  Suffixes(std::span<const Prompt> prompts, std::span<const TokenIds> targets, const PromptGroup& group)
      : order_(group.members.size()), shared_(group.members.size(), 0) {
    std::iota(order_.begin(), order_.end(), size_t{0});
    bool shifted = false;  // tokens that are equal and still mean something else
    for (const size_t i : group.members) {
      const auto prefix = static_cast<std::ptrdiff_t>(group.prefix);
      TokenIds ids(prompts[i].ids.begin() + prefix, prompts[i].ids.end());
      if (!targets.empty() && !targets[i].empty())
        ids.insert(ids.end(), targets[i].begin(), targets[i].end() - 1);
      tell_apart(prompts[i], group.prefix, ids);
      ids_.push_back(std::move(ids));
      prompts_.push_back(&prompts[i]);
      shifted = shifted || prompts[i].shift.defined();
    }
    if (!shifted) share(group.prefix);
  }

  const std::vector<size_t>& order() const { return order_; }
  /// Tokens at the start that member m has in common with the member packed before it.
  size_t shared(size_t m) const { return shared_[m]; }
  size_t length(size_t m) const { return ids_[m].size(); }

 private:
  /// Image tokens become numbers of their image, which no token has; a prompt's last token and the reply's
  /// are told from tokens of a longer prompt.
  void tell_apart(const Prompt& prompt, size_t prefix, TokenIds& ids) {
    constexpr TokenId kLastOf = TokenId{1} << 60, kReplyOf = TokenId{1} << 61;
    for (size_t t = prompt.ids.size() - prefix; t < ids.size(); ++t) ids[t] += kReplyOf;
    ids[prompt.ids.size() - prefix - 1] += kLastOf;
    if (prompt.image_end() <= prefix) return;
    const auto same = [&](const Tensor& features) { return features.is_same(prompt.features); };
    auto found = std::find_if(images_.begin(), images_.end(), same);
    if (found == images_.end()) found = images_.insert(images_.end(), prompt.features);
    const auto number = static_cast<TokenId>(found - images_.begin());
    for (const size_t place : prompt.image_places)
      if (place >= prefix) ids[place - prefix] = -1 - number;
  }

  void share(size_t prefix) {
    std::vector<size_t> sorted = order_, shared(order_.size(), 0);
    std::stable_sort(sorted.begin(), sorted.end(), [&](size_t a, size_t b) { return ids_[a] < ids_[b]; });
    size_t all = 0, spared = 0;
    for (size_t i = 0; i < sorted.size(); ++i) {
      const TokenIds& own = ids_[sorted[i]];
      all += own.size();
      if (i == 0) continue;
      const TokenIds& other = ids_[sorted[i - 1]];
      const auto differs = std::mismatch(own.begin(), own.end(), other.begin(), other.end()).first;
      const size_t same = prefix + static_cast<size_t>(differs - own.begin());
      const size_t uncut = uncut_tokens(*prompts_[sorted[i]], *prompts_[sorted[i - 1]], same);
      spared += shared[sorted[i]] = uncut - std::min(uncut, prefix);
    }
    if (spared * kSharedOneIn < all) return;
    order_ = std::move(sorted);
    shared_ = std::move(shared);
  }

  std::vector<TokenIds> ids_;
  std::vector<const Prompt*> prompts_;
  std::vector<Tensor> images_;
  std::vector<size_t> order_, shared_;
};

/// The embeddings of packed tokens, piece by piece.
class PackedParts {
 public:
  /// places [A,..]
  void add(const EmbeddedPart& part, const Tensor& places, const std::vector<TokenKind>& kinds) {
    if (part.deep.places.defined()) {
      deep_places_.push_back(part.deep.places + length_);
      deep_.push_back(part.deep.added);
    }
    length_ += part.x.size(1);
    parts_.push_back(part.x);
    places_.push_back(places);
    kinds_.insert(kinds_.end(), kinds.begin(), kinds.end());
  }
  DecoderInput joined(at::Device device) const {
    DecoderInput input{at::cat(parts_, 1), for_decoder(at::cat(places_, 1), device), {}, kinds_};
    if (!deep_.empty()) input.deep = {at::cat(deep_places_), at::cat(deep_, 1)};
    return input;
  }

 private:
  std::vector<Tensor> parts_, places_, deep_, deep_places_;
  std::vector<TokenKind> kinds_;
  int64_t length_ = 0;
};

}  // namespace

PackedSuffixes::PackedSuffixes(const Decoder& decoder, std::span<const Prompt> prompts,
                               std::span<const TokenIds> targets, const PromptGroup& group)
    : paths(group.members.size()) {
  const Suffixes suffixes(prompts, targets, group);
  PackedParts parts;
  const std::vector<int64_t>* previous = nullptr;
  for (const size_t m : suffixes.order()) {
    const size_t i = group.members[m], prompt_end = prompts[i].ids.size();
    const size_t shared = suffixes.shared(m), length = suffixes.length(m), end = group.prefix + length;
    auto& path = paths[m];
    if (shared > 0) path.assign(previous->begin(), previous->begin() + static_cast<std::ptrdiff_t>(shared));
    previous = &path;
    if (shared == length) continue;
    tokens.runs.push_back(tokens.size());
    const size_t from = group.prefix + shared;  // first token of its own
    for (const TokenBlock& block : blocks_in(prompts[i], from, prompt_end, from))
      tokens.blocks.push_back({tokens.size() + block.begin, tokens.size() + block.end});
    for (size_t t = shared; t < length; ++t) {
      tokens.parents.push_back(path.empty() ? -1 : path.back());
      path.push_back(tokens.size() - 1);
    }
    const int64_t axes = prompts[i].positions.defined() ? prompts[i].positions.size(0) : 1;
    if (from < prompt_end)
      parts.add(embed_prompt(decoder, prompts[i], from, prompt_end),
                positions_of(prompts[i], from, prompt_end), kinds_of(prompts[i], from, prompt_end));
    const size_t fed = std::max(from, prompt_end);
    if (fed == end) continue;
    const auto begin = static_cast<int64_t>(fed - prompt_end), last = static_cast<int64_t>(end - prompt_end);
    const int64_t next = prompts[i].next_position();
    const auto target = std::span(targets[i]).subspan(fed - prompt_end, end - fed);
    parts.add({decoder.embed(ids_tensor(target, decoder.device())).unsqueeze(0)},
              at::arange(next + begin, next + last, at::kLong).expand({axes, -1}),
              std::vector<TokenKind>(end - fed, TokenKind::kReply));
  }
  input = parts.joined(decoder.device());
}

std::pair<std::vector<int64_t>, std::vector<int64_t>> PackedSuffixes::read_by(
    std::span<const TokenIds> targets_of_members) const {
  std::vector<int64_t> rows, counts;  // the last T_i tokens of each path
  for (size_t m = 0; m < paths.size(); ++m) {
    const auto count = static_cast<std::ptrdiff_t>(targets_of_members[m].size());
    rows.insert(rows.end(), paths[m].end() - count, paths[m].end());
    counts.push_back(count);
  }
  return {rows, counts};
}

}  // namespace hijack
