#include <numeric>

#include "models/prefix/packed_suffixes.h"
#include "models/prefix/sampler.h"
#include "models/prefix/scores.h"

namespace hijack {
namespace {

/// The replies of one group while they grow.
class GroupDecoding {
 public:
  GroupDecoding(std::span<const Prompt> prompts, const PromptGroup& group, const Tokenizer& tokenizer,
                const ReplyRules& rules, const GenerateOptions& options)
      : prompts_(prompts),
        group_(group),
        tokenizer_(tokenizer),
        rules_(rules),
        options_(options),
        ids_(group.members.size()),
        shown_(group.members.size()),
        rows_(group.members.size()) {
    std::iota(rows_.begin(), rows_.end(), size_t{0});
  }

  /// logits [N,V] of the rows, as the rules change them.
  Tensor ruled(const Tensor& logits) const {
    if (rules_.repetition_penalty == 1) return logits;
    std::vector<Tensor> changed;
    for (size_t i = 0; i < rows_.size(); ++i) {
      const TokenIds& prompt = prompts_[group_.members[rows_[i]]].ids;
      std::set<TokenId> seen(prompt.begin(), prompt.end());
      seen.insert(ids_[rows_[i]].begin(), ids_[rows_[i]].end());
      changed.push_back(
          penalize_repetition(logits[static_cast<int64_t>(i)], seen, rules_.repetition_penalty));
    }
    return at::stack(changed);
  }

  /// Takes the chosen tokens; returns the rows that go on.
  std::vector<int64_t> accept(const std::vector<TokenId>& chosen) {
    std::vector<int64_t> on;
    std::vector<size_t> rows;
    last_.clear();
    for (size_t i = 0; i < rows_.size(); ++i) {
      ids_[rows_[i]].push_back(chosen[i]);
      stream(rows_[i]);
      // the stop belongs to the reply, as in transformers; if it is a special token, the text hides it
      if (is_stop(chosen[i])) continue;
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
  Generated said(size_t member) const { return {text(member), !complete(member)}; }

 private:
  std::string text(size_t member) const {
    // padded vocabularies: the head has rows that no token stands for; they print as nothing
    TokenIds known;
    std::copy_if(ids_[member].begin(), ids_[member].end(), std::back_inserter(known),
                 [&](TokenId id) { return id < tokenizer_.vocabulary_size(); });
    return tokenizer_.decode(known, /*skip_special_tokens=*/true);
  }
  bool complete(size_t member) const {
    const TokenIds& ids = ids_[member];
    return !ids.empty() && is_stop(ids.back());
  }
  bool is_stop(TokenId id) const {
    return std::find(rules_.stops.begin(), rules_.stops.end(), id) != rules_.stops.end();
  }
  void stream(size_t member) {
    if (!options_.on_text) return;
    const std::string now = text(member);
    auto& shown = shown_[member];
    // a half-decoded character ends in U+FFFD: wait for its other bytes
    if (now.size() <= shown || now.ends_with("\xEF\xBF\xBD")) return;
    options_.on_text(group_.members[member], std::string_view(now).substr(shown));
    shown = now.size();
  }

  std::span<const Prompt> prompts_;
  const PromptGroup& group_;
  const Tokenizer& tokenizer_;
  const ReplyRules& rules_;
  const GenerateOptions& options_;
  std::vector<TokenIds> ids_;
  std::vector<size_t> shown_;
  std::vector<size_t> rows_;
  TokenIds last_;
};

/// Decodes one group; where nothing can be said, its replies stay as they are.
void decode_group(const Decoder& decoder, std::span<const Prompt> prompts, const PromptGroup& group,
                  PrefixMemo* memo, const GenerateOptions& options, GroupDecoding& decoding) {
  const KeyValues prefix = run_prefix(decoder, prompts[group.members.front()], group.prefix, memo);
  const PackedSuffixes packed(decoder, prompts, {}, group);
  SharedPrefixPlan prefill(prefix, packed.tokens, packed.input.x);
  std::vector<int64_t> ends, next;
  size_t longest = 0;
  for (const auto& path : packed.paths) {
    ends.push_back(path.back());
    longest = std::max(longest, path.size());
  }
  for (const size_t i : group.members) next.push_back(prompts[i].next_position());
  const Tensor read = at::tensor(ends, at::kLong).to(decoder.device());
  Tensor last = decoder.forward(packed.input, prefill, read).squeeze(0);  // [N,D]

  const auto filled = static_cast<int64_t>(group.prefix + longest);
  const int64_t room = std::min(options.max_new_tokens, decoder.config().max_positions - filled);
  CachePlan cache(prefix, prefill.kept(), packed.paths, next, std::max<int64_t>(room, 1));
  Sampler sampler(options, group.members);
  for (int64_t step = 0; !options.stop.stop_requested(); ++step) {
    const size_t before = decoding.rows().size();
    const Tensor logits = decoding.ruled(decoder.logits(last));
    check_scores(logits, step + 1);
    const auto on = decoding.accept(sampler.next(logits, decoding.rows()));
    if (on.empty() || step >= room) break;
    if (on.size() < before) cache.keep(ids_tensor(on, decoder.device()));
    const Tensor x = decoder.embed(ids_tensor(decoding.last(), decoder.device())).unsqueeze(1);
    last = decoder.forward({x, cache.positions(), {}, {TokenKind::kReply}}, cache).squeeze(1);
    cache.advance();
  }
}

}  // namespace

std::vector<Generated> shared_prefix_generate(const Decoder& decoder, std::span<const Prompt> prompts,
                                              const Tokenizer& tokenizer, const ReplyRules& rules,
                                              const GenerateOptions& options, PrefixMemo* memo) {
  const at::NoGradGuard no_gradients;
  std::vector<Generated> replies(prompts.size(), {.text = {}, .cut = true});
  if (options.max_new_tokens < 1) return replies;
  for (const auto& prompt : prompts) check_prompt(decoder, prompt, {}, /*room=*/1);
  for (const auto& group : group_by_prefix(prompts)) {
    GroupDecoding decoding(prompts, group, tokenizer, rules, options);
    decode_group(decoder, prompts, group, memo, options, decoding);
    for (size_t m = 0; m < group.members.size(); ++m) replies[group.members[m]] = decoding.said(m);
  }
  return replies;
}

}  // namespace hijack
