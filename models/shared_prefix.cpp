#include "models/shared_prefix.h"

#include <numeric>

#include "src/base/error.h"

namespace hijack {
namespace {

size_t common_prefix(const TokenIds& a, const TokenIds& b, size_t limit) {
  size_t n = 0;
  while (n < limit && n < a.size() && n < b.size() && a[n] == b[n]) ++n;
  return n;
}

void check_length(const Decoder& decoder, size_t prompt, size_t target) {
  const auto limit = static_cast<size_t>(decoder.config().max_positions);
  if (prompt + target > limit)
    throw Error("a prompt of " + std::to_string(prompt) + " tokens and a target of " +
                std::to_string(target) + " do not fit the model's context of " + std::to_string(limit) +
                " tokens; shorten one of them");
}

/// A tokenizer may know more tokens than the decoder has embeddings.
void check_ids(const Decoder& decoder, const Prompt& prompt, const TokenIds& target) {
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

Tensor ids_tensor(std::span<const TokenId> ids, at::Device device) {
  return at::tensor(std::vector<int64_t>(ids.begin(), ids.end()), at::kLong).to(device);
}

/// Positions [A,end-begin] of the prompt's tokens.
Tensor positions_of(const Prompt& prompt, size_t begin, size_t end) {
  const auto first = static_cast<int64_t>(begin), last = static_cast<int64_t>(end);
  if (!prompt.positions.defined()) return at::arange(first, last, at::kLong).unsqueeze(0);
  return prompt.positions.narrow(1, first, last - first);
}

/// [A,L] as Decoder::forward takes it: [L], or [A,1,L].
Tensor for_decoder(const Tensor& positions, at::Device device) {
  return (positions.size(0) == 1 ? positions.squeeze(0) : positions.unsqueeze(1)).to(device);
}

}  // namespace

int64_t Prompt::next_position() const {
  if (!positions.defined()) return static_cast<int64_t>(ids.size());
  return positions.max().item<int64_t>() + 1;
}

namespace {

/// Keys are shared only up to where shifts of the embeddings begin to differ.
size_t before_shifts(const Prompt& a, const Prompt& b) {
  size_t end = std::max(a.ids.size(), b.ids.size());
  if (a.shift.is_same(b.shift) && a.shift_begin == b.shift_begin) return end;
  for (const Prompt* one : {&a, &b})
    if (one->shift.defined()) end = std::min(end, one->shift_begin);
  return end;
}

}  // namespace

std::vector<PromptGroup> group_by_prefix(std::span<const Prompt> prompts) {
  std::vector<PromptGroup> groups;
  const auto head = [&](size_t i) {
    const size_t end = std::max<size_t>(prompts[i].image_end(), 1);
    return std::span(prompts[i].ids).first(std::min(end, prompts[i].ids.size()));
  };
  for (size_t i = 0; i < prompts.size(); ++i) {
    auto same = std::find_if(groups.begin(), groups.end(), [&](const PromptGroup& group) {
      if (prompts[i].bidirectional || prompts[group.members.front()].bidirectional)
        return prompts[i].bidirectional && prompts[group.members.front()].bidirectional;
      const auto other = head(group.members.front());
      return prompts[i].image_places == prompts[group.members.front()].image_places &&
             std::equal(head(i).begin(), head(i).end(), other.begin(), other.end());
    });
    if (same == groups.end()) {
      groups.push_back({{i}, prompts[i].bidirectional ? 0 : prompts[i].ids.size() - 1});
      continue;
    }
    const Prompt& first = prompts[same->members.front()];
    same->members.push_back(i);
    const size_t limit = std::min(same->prefix, before_shifts(first, prompts[i]));
    same->prefix = std::min(common_prefix(first.ids, prompts[i].ids, limit), prompts[i].ids.size() - 1);
  }
  return groups;
}

namespace {

/// text: embeddings [1,end-begin,D] of ids[begin, end).
Tensor with_shift(const Prompt& prompt, const Tensor& text, size_t begin, size_t end) {
  if (!prompt.shift.defined()) return text;
  const auto last = prompt.shift_begin + static_cast<size_t>(prompt.shift.size(0));
  const size_t from = std::clamp(prompt.shift_begin, begin, end), to = std::clamp(last, begin, end);
  if (from >= to) return text;
  const Tensor rows = prompt.shift.narrow(0, static_cast<int64_t>(from - prompt.shift_begin),
                                          static_cast<int64_t>(to - from));
  return text + at::constant_pad_nd(
                    rows, {0, 0, static_cast<int64_t>(from - begin), static_cast<int64_t>(end - to)});
}

}  // namespace

Tensor embed_prompt(const Decoder& decoder, const Prompt& prompt, const Tensor& features, size_t begin,
                    size_t end) {
  TokenIds ids(prompt.ids.begin() + static_cast<std::ptrdiff_t>(begin),
               prompt.ids.begin() + static_cast<std::ptrdiff_t>(end));
  const auto& places = prompt.image_places;
  const auto first = std::lower_bound(places.begin(), places.end(), begin);
  const auto last = std::lower_bound(first, places.end(), end);
  std::vector<int64_t> into;
  for (auto place = first; place != last; ++place) {
    into.push_back(static_cast<int64_t>(*place - begin));
    ids[*place - begin] = 0;  // an image token need not be in the embedding table
  }
  const Tensor text =
      with_shift(prompt, decoder.embed(ids_tensor(ids, decoder.device())).unsqueeze(0), begin, end);
  if (into.empty()) return text;
  if (features.size(1) != static_cast<int64_t>(places.size()))
    throw Error("the prompt has " + std::to_string(places.size()) + " image tokens, but the image gives " +
                std::to_string(features.size(1)) + "; remove image tokens from the text");
  const Tensor image = features.narrow(1, first - places.begin(), last - first).to(text.scalar_type());
  return text.index_copy(1, ids_tensor(into, decoder.device()), image);
}

namespace {

/// The packed suffixes of a group: what comes after the shared prefix, and optionally the target after it.
struct Packed {
  Tensor embeddings;             // [1, sum(lengths), D]
  Tensor positions;              // as Decoder::forward takes them
  std::vector<int64_t> lengths;  // per member
  std::vector<int64_t> blocks;   // per member: tokens that see each other
};

Packed pack_suffixes(const Decoder& decoder, std::span<const Prompt> prompts,
                     std::span<const TokenIds> targets, const PromptGroup& group, const Tensor& features) {
  Packed packed;
  std::vector<Tensor> parts, positions;  // positions [A,..]
  for (const size_t i : group.members) {
    const size_t prompt_end = prompts[i].ids.size();
    parts.push_back(embed_prompt(decoder, prompts[i], features, group.prefix, prompt_end));
    // the last target token predicts nothing that is asked for
    const size_t fed = targets.empty() || targets[i].empty() ? 0 : targets[i].size() - 1;
    if (fed > 0)
      parts.push_back(
          decoder.embed(ids_tensor(std::span(targets[i]).first(fed), decoder.device())).unsqueeze(0));
    const size_t length = prompt_end - group.prefix + fed;
    packed.lengths.push_back(static_cast<int64_t>(length));
    packed.blocks.push_back(prompts[i].bidirectional ? static_cast<int64_t>(prompt_end - group.prefix) : 0);
    const int64_t next = prompts[i].next_position();
    const Tensor own = positions_of(prompts[i], group.prefix, prompt_end);
    positions.push_back(own);
    positions.push_back(
        at::arange(next, next + static_cast<int64_t>(fed), at::kLong).expand({own.size(0), -1}));
  }
  packed.embeddings = at::cat(parts, 1);
  packed.positions = for_decoder(at::cat(positions, 1), decoder.device());
  return packed;
}

KeyValues run_prefix(const Decoder& decoder, const Prompt& prompt, size_t prefix, const Tensor& features) {
  if (prefix == 0) {
    const auto& c = decoder.config();
    const Tensor none = at::zeros({1, c.kv_heads, 0, c.head_dim},
                                  decoder.embed(ids_tensor(TokenIds{0}, decoder.device())).options());
    const auto layers = static_cast<size_t>(c.layers);
    return {std::vector<Tensor>(layers, none.detach()), std::vector<Tensor>(layers, none.detach())};
  }
  CausalPlan plan;
  const Tensor positions = for_decoder(positions_of(prompt, 0, prefix), decoder.device());
  decoder.forward(embed_prompt(decoder, prompt, features, 0, prefix), positions, plan);
  return plan.kept();
}

}  // namespace

std::vector<Tensor> shared_prefix_logits(const Decoder& decoder, std::span<const Prompt> prompts,
                                         std::span<const TokenIds> targets, const Tensor& features) {
  TORCH_CHECK(prompts.size() == targets.size(), "one target per prompt");
  for (size_t i = 0; i < prompts.size(); ++i) {
    check_length(decoder, prompts[i].ids.size(), targets[i].size());
    check_ids(decoder, prompts[i], targets[i]);
  }
  std::vector<Tensor> logits(prompts.size());
  for (const auto& group : group_by_prefix(prompts)) {
    const KeyValues prefix = run_prefix(decoder, prompts[group.members.front()], group.prefix, features);
    const Packed packed = pack_suffixes(decoder, prompts, targets, group, features);
    SharedPrefixPlan plan(prefix, packed.lengths, decoder.device(), packed.blocks);
    const Tensor hidden = decoder.forward(packed.embeddings, packed.positions, plan).squeeze(0);
    // logits only where a target token is predicted: the last T_i positions of each suffix
    std::vector<Tensor> rows;
    std::vector<int64_t> counts;
    int64_t end = 0;
    for (size_t m = 0; m < group.members.size(); ++m) {
      const auto count = static_cast<int64_t>(targets[group.members[m]].size());
      end += packed.lengths[m];
      rows.push_back(hidden.narrow(0, end - count, count));
      counts.push_back(count);
    }
    const auto parts = decoder.logits(at::cat(rows, 0)).split_with_sizes(counts, 0);
    for (size_t m = 0; m < group.members.size(); ++m) logits[group.members[m]] = parts[m];
  }
  return logits;
}

Tensor prompt_states(const Decoder& decoder, const Prompt& prompt, const Tensor& features, size_t end,
                     int64_t layer) {
  check_length(decoder, end, 0);
  check_ids(decoder, prompt, {});
  const Tensor x = embed_prompt(decoder, prompt, features, 0, end);
  const KeyValues none = run_prefix(decoder, prompt, 0, features);
  const auto length = static_cast<int64_t>(end);
  SharedPrefixPlan plan(none, {length}, decoder.device(), {prompt.bidirectional ? length : 0});
  return decoder.blocks(x, for_decoder(positions_of(prompt, 0, end), decoder.device()), plan, layer);
}

namespace {

/// Chooses the next token of each row; sampling draws come from a stream of the row's own.
class Sampler {
 public:
  Sampler(const GenerateOptions& options, const std::vector<size_t>& members) : options_(options) {
    for (const size_t i : members) streams_.push_back(Random(options.seed).fork("reply", i));
  }
  /// logits [N,V], rows: which original member each row is.
  std::vector<TokenId> next(const Tensor& logits, const std::vector<size_t>& rows) {
    std::vector<TokenId> ids(rows.size());
    if (options_.temperature <= 0) {
      const Tensor best = logits.argmax(-1).cpu();
      for (size_t i = 0; i < rows.size(); ++i) ids[i] = best.data_ptr<int64_t>()[i];
      return ids;
    }
    const auto sorted = (logits.cpu() / options_.temperature).softmax(-1).sort(-1, /*descending=*/true);
    const Tensor probability = std::get<0>(sorted).contiguous(), order = std::get<1>(sorted).contiguous();
    for (size_t i = 0; i < rows.size(); ++i) {
      const auto row = static_cast<int64_t>(i);
      ids[i] = draw(probability[row], order[row], streams_[rows[i]]);
    }
    return ids;
  }

 private:
  TokenId draw(const Tensor& probability, const Tensor& order, Random& random) const {
    const float* p = probability.data_ptr<float>();
    const int64_t n = probability.size(0);
    int64_t kept = 0;
    double mass = 0;
    while (kept < n && (kept == 0 || mass < options_.top_p)) mass += p[kept++];
    double left = random.uniform() * mass;
    int64_t choice = 0;
    while (choice + 1 < kept && (left -= p[choice]) >= 0) ++choice;
    return order.data_ptr<int64_t>()[choice];
  }

  const GenerateOptions& options_;
  std::vector<Random> streams_;
};

/// The replies of one group while they grow.
class GroupDecoding {
 public:
  GroupDecoding(const PromptGroup& group, const Tokenizer& tokenizer, const TokenIds& stops,
                const GenerateOptions& options)
      : group_(group),
        tokenizer_(tokenizer),
        stops_(stops),
        options_(options),
        ids_(group.members.size()),
        shown_(group.members.size()),
        rows_(group.members.size()) {
    std::iota(rows_.begin(), rows_.end(), size_t{0});
  }

  /// Takes the chosen tokens; returns the rows that go on.
  std::vector<int64_t> accept(const std::vector<TokenId>& chosen) {
    std::vector<int64_t> on;
    std::vector<size_t> rows;
    last_.clear();
    for (size_t i = 0; i < rows_.size(); ++i) {
      if (std::find(stops_.begin(), stops_.end(), chosen[i]) != stops_.end()) continue;
      ids_[rows_[i]].push_back(chosen[i]);
      stream(rows_[i]);
      if (static_cast<int64_t>(ids_[rows_[i]].size()) >= options_.max_new_tokens) continue;
      on.push_back(static_cast<int64_t>(i));
      rows.push_back(rows_[i]);
      last_.push_back(chosen[i]);
    }
    rows_ = std::move(rows);
    return on;
  }

  const std::vector<size_t>& rows() const { return rows_; }
  const TokenIds& last() const { return last_; }
  std::string text(size_t member) const {
    // padded vocabularies: the head has rows that no token stands for; they print as nothing
    TokenIds known;
    std::copy_if(ids_[member].begin(), ids_[member].end(), std::back_inserter(known),
                 [&](TokenId id) { return id < tokenizer_.vocabulary_size(); });
    return tokenizer_.decode(known, /*skip_special_tokens=*/true);
  }

 private:
  void stream(size_t member) {
    if (!options_.on_text) return;
    const std::string now = text(member);
    auto& shown = shown_[member];
    // a half-decoded character ends in U+FFFD: wait for its other bytes
    if (now.size() <= shown || now.ends_with("\xEF\xBF\xBD")) return;
    options_.on_text(group_.members[member], std::string_view(now).substr(shown));
    shown = now.size();
  }

  const PromptGroup& group_;
  const Tokenizer& tokenizer_;
  const TokenIds& stops_;
  const GenerateOptions& options_;
  std::vector<TokenIds> ids_;
  std::vector<size_t> shown_;
  std::vector<size_t> rows_;
  TokenIds last_;
};

}  // namespace

std::vector<std::string> shared_prefix_generate(const Decoder& decoder, std::span<const Prompt> prompts,
                                                const Tensor& features, const Tokenizer& tokenizer,
                                                const TokenIds& stops, const GenerateOptions& options) {
  const at::NoGradGuard no_gradients;
  std::vector<std::string> replies(prompts.size());
  if (options.max_new_tokens < 1) return replies;
  for (const auto& prompt : prompts) {
    check_length(decoder, prompt.ids.size(), 1);
    check_ids(decoder, prompt, {});
  }
  for (const auto& group : group_by_prefix(prompts)) {
    const KeyValues prefix = run_prefix(decoder, prompts[group.members.front()], group.prefix, features);
    const Packed packed = pack_suffixes(decoder, prompts, {}, group, features);
    SharedPrefixPlan prefill(prefix, packed.lengths, decoder.device(), packed.blocks);
    const Tensor hidden = decoder.forward(packed.embeddings, packed.positions, prefill).squeeze(0);
    const Tensor ends = at::tensor(packed.lengths, at::kLong).cumsum(0).to(decoder.device()) - 1;
    Tensor last = hidden.index_select(0, ends);  // [N,D]

    const auto longest =
        static_cast<int64_t>(group.prefix) + *std::max_element(packed.lengths.begin(), packed.lengths.end());
    const int64_t room = std::min(options.max_new_tokens, decoder.config().max_positions - longest);
    std::vector<int64_t> next;
    for (const size_t i : group.members) next.push_back(prompts[i].next_position());
    CachePlan cache(prefix, prefill.kept(), packed.lengths, next, std::max<int64_t>(room, 1));
    Sampler sampler(options, group.members);
    GroupDecoding decoding(group, tokenizer, stops, options);
    for (int64_t step = 0; !options.stop.stop_requested(); ++step) {
      const size_t before = decoding.rows().size();
      const auto on = decoding.accept(sampler.next(decoder.logits(last), decoding.rows()));
      if (on.empty() || step >= room) break;
      if (on.size() < before) cache.keep(ids_tensor(on, decoder.device()));
      const Tensor x = decoder.embed(ids_tensor(decoding.last(), decoder.device())).unsqueeze(1);
      last = decoder.forward(x, cache.positions(), cache).squeeze(1);
      cache.advance();
    }
    for (size_t m = 0; m < group.members.size(); ++m) replies[group.members[m]] = decoding.text(m);
  }
  return replies;
}

}  // namespace hijack
