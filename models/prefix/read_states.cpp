#include "models/prefix/read_states.h"

#include "models/prefix/packed_suffixes.h"
#include "src/base/upload.h"

namespace hijack {
namespace {

/// What one pass leaves at the hooks, of some of its tokens.
class StateReader {
 public:
  StateReader(std::span<const Hook> hooks, const std::vector<int64_t>& rows, at::Device device)
      : read_(std::make_shared<std::vector<Tensor>>(hooks.size())) {
    const Tensor wanted = constant_ids(rows, device);
    for (size_t h = 0; h < hooks.size(); ++h)
      changes_.push_back({hooks[h], [read = read_, h, wanted](const Tensor& states) {
                            (*read)[h] = states[0].index_select(0, wanted);
                            return states;
                          }});
  }
  const std::vector<StateChange>& changes() const { return changes_; }
  /// [n,D] for each hook
  const std::vector<Tensor>& read() const { return *read_; }

 private:
  std::shared_ptr<std::vector<Tensor>> read_;
  std::vector<StateChange> changes_;
};

/// Positions, ids and kinds of the chosen tokens.
TokenStates chosen_tokens(const Prompt& prompt, const TokenIds& reply, TokenChoice tokens) {
  TokenIds ids = prompt.ids;
  ids.insert(ids.end(), reply.begin(), reply.end());
  std::vector<TokenKind> kinds = kinds_of(prompt, 0, prompt.ids.size());
  kinds.resize(ids.size(), TokenKind::kReply);
  TokenStates found;
  for (size_t t = 0; t < ids.size(); ++t) {
    if (!is_chosen(kinds[t], tokens)) continue;
    found.positions.push_back(static_cast<int64_t>(t));
    found.ids.push_back(ids[t]);
    found.kinds.push_back(kinds[t]);
  }
  return found;
}

class StatePass {
 public:
  StatePass(const Decoder& decoder, std::span<const Prompt> prompts, std::span<const TokenIds> replies,
            std::span<const Hook> hooks, TokenChoice tokens, PrefixMemo* memo)
      : decoder_(decoder),
        prompts_(prompts),
        replies_(replies),
        hooks_(hooks),
        memo_(memo),
        found_(prompts.size()) {
    for (const Hook& hook : hooks) layers_ = std::max(layers_, hook.layer);
    for (size_t i = 0; i < prompts.size(); ++i) {
      check_prompt(decoder, prompts[i], reply(i), reply(i).size());
      found_[i] = chosen_tokens(prompts[i], reply(i), tokens);
    }
  }

  void read(const PromptGroup& group) {
    const std::vector<Tensor> shared = read_prefix(group);
    read_suffixes(group, shared);
  }
  std::vector<TokenStates> found() && { return std::move(found_); }

 private:
  const TokenIds& reply(size_t i) const {
    static const TokenIds none;
    return replies_.empty() ? none : replies_[i];
  }
  /// How many of the chosen tokens of a member stand in the group's prefix.
  size_t in_prefix(size_t member, const PromptGroup& group) const {
    const auto& positions = found_[member].positions;
    return static_cast<size_t>(
        std::lower_bound(positions.begin(), positions.end(), static_cast<int64_t>(group.prefix)) -
        positions.begin());
  }

  /// Keys and values of the prefix, and what the hooks show of it.
  std::vector<Tensor> read_prefix(const PromptGroup& group) {
    const size_t first = group.members.front(), count = in_prefix(first, group);
    if (count == 0) {
      prefix_ = run_prefix(decoder_, prompts_[first], group.prefix, memo_);
      return {};
    }
    const auto& positions = found_[first].positions;
    const StateReader reader(hooks_,
                             {positions.begin(), positions.begin() + static_cast<std::ptrdiff_t>(count)},
                             decoder_.device());
    prefix_ =
        run_prefix(decoder_.with_changes(reader.changes(), layers_), prompts_[first], group.prefix, nullptr);
    return reader.read();
  }

  void read_suffixes(const PromptGroup& group, const std::vector<Tensor>& shared) {
    std::vector<TokenIds> fed(replies_.begin(), replies_.end());
    for (TokenIds& ids : fed)
      if (!ids.empty()) ids.push_back(ids.back());  // the last one is not fed
    const PackedSuffixes packed(decoder_, prompts_, fed, group);
    std::vector<int64_t> rows, counts;
    for (size_t m = 0; m < group.members.size(); ++m) {
      const auto& positions = found_[group.members[m]].positions;
      const size_t begin = in_prefix(group.members[m], group);
      for (size_t k = begin; k < positions.size(); ++k)
        rows.push_back(packed.paths[m].at(static_cast<size_t>(positions[k]) - group.prefix));
      counts.push_back(static_cast<int64_t>(positions.size() - begin));
    }
    std::vector<Tensor> own;
    if (!rows.empty()) {
      const StateReader reader(hooks_, rows, decoder_.device());
      SharedPrefixPlan plan(prefix_, packed.tokens);
      decoder_.with_changes(reader.changes(), layers_).blocks(packed.input, plan, layers_);
      own = reader.read();
    }
    join(group, shared, own, counts);
  }

  void join(const PromptGroup& group, const std::vector<Tensor>& shared, const std::vector<Tensor>& own,
            const std::vector<int64_t>& counts) {
    for (size_t h = 0; h < hooks_.size(); ++h) {
      const auto parts = own.empty() ? std::vector<Tensor>() : own[h].split_with_sizes(counts, 0);
      for (size_t m = 0; m < group.members.size(); ++m) {
        auto& states = found_[group.members[m]].states;
        if (shared.empty() && parts.empty())
          states.push_back(prefix_.keys.at(0).new_zeros({0, decoder_.config().width}));
        else if (shared.empty())
          states.push_back(parts[m]);
        else
          states.push_back(parts.empty() ? shared[h] : at::cat({shared[h], parts[m]}));
      }
    }
  }

  const Decoder& decoder_;
  std::span<const Prompt> prompts_;
  std::span<const TokenIds> replies_;
  std::span<const Hook> hooks_;
  PrefixMemo* memo_;
  std::vector<TokenStates> found_;
  int64_t layers_ = 1;
  KeyValues prefix_;
};

}  // namespace

std::vector<TokenStates> shared_prefix_states(const Decoder& decoder, std::span<const Prompt> prompts,
                                              std::span<const TokenIds> replies, std::span<const Hook> hooks,
                                              TokenChoice tokens, PrefixMemo* memo) {
  TORCH_CHECK(replies.empty() || replies.size() == prompts.size(), "one reply per prompt, or none");
  for (const Hook& hook : hooks) check_hook(hook, decoder.config().layers);
  StatePass pass(decoder, prompts, replies, hooks, tokens, memo);
  for (const auto& group : group_by_prefix(prompts)) pass.read(group);
  return std::move(pass).found();
}

}  // namespace hijack
