#include <numeric>

#include "models/prefix/growing_replies.h"
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

/// Lets the replies of one group grow to their ends; where nothing can be said, they stay as they are.
void grow(GrowingReplies& replies, const PromptGroup& group, const GenerateOptions& options,
          GroupDecoding& decoding) {
  Sampler sampler(options, group.members);
  for (int64_t step = 0; !options.stop.stop_requested(); ++step) {
    const Tensor logits = decoding.ruled(replies.logits());
    check_scores(logits, step + 1);
    const auto on = decoding.accept(sampler.next(logits, decoding.rows()));
    if (on.empty() || replies.room() <= 0) break;
    replies.read(on, decoding.last());
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
    grow(*begin_group(decoder, prompts, group, memo, options.max_new_tokens), group, options, decoding);
    for (size_t m = 0; m < group.members.size(); ++m) replies[group.members[m]] = decoding.said(m);
  }
  return replies;
}

std::vector<Generated> mixed_prefix_generate(const Decoder& decoder, std::span<const PromptBranch> branches,
                                             const Tokenizer& tokenizer, const ReplyRules& rules,
                                             const GenerateOptions& options, PrefixMemo* memo) {
  const at::NoGradGuard no_gradients;
  TORCH_CHECK(!branches.empty(), "a mixture needs a branch");
  const std::vector<Prompt>& first = branches.front().prompts;
  std::vector<Generated> replies(first.size(), {.text = {}, .cut = true});
  if (options.max_new_tokens < 1 || first.empty()) return replies;
  std::vector<std::unique_ptr<GrowingReplies>> parts;
  std::vector<double> weights;
  for (const PromptBranch& branch : branches) {
    TORCH_CHECK(branch.prompts.size() == first.size(), "one prompt of each branch per reply");
    for (const Prompt& prompt : branch.prompts) check_prompt(decoder, prompt, {}, /*room=*/1);
    parts.push_back(begin_replies(decoder, branch.prompts, memo, options.max_new_tokens));
    weights.push_back(branch.weight);
  }
  PromptGroup all;
  for (size_t i = 0; i < first.size(); ++i) all.members.push_back(i);
  GroupDecoding decoding(first, all, tokenizer, rules, options);
  grow(*mixed_replies(std::move(parts), std::move(weights)), all, options, decoding);
  for (size_t i = 0; i < first.size(); ++i) replies[i] = decoding.said(i);
  return replies;
}

}  // namespace hijack
