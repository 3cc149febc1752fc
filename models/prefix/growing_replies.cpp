#include "models/prefix/growing_replies.h"

#include "models/prefix/packed_suffixes.h"
#include "src/base/upload.h"

namespace hijack {
namespace {

class GroupReplies : public GrowingReplies {
 public:
  GroupReplies(const Decoder& decoder, std::span<const Prompt> prompts, const PromptGroup& group,
               PrefixMemo* memo, int64_t most)
      : decoder_(decoder), rows_(static_cast<int64_t>(group.members.size())) {
    const KeyValues prefix = run_prefix(decoder, prompts[group.members.front()], group.prefix, memo);
    const PackedSuffixes packed(decoder, prompts, {}, group);
    SharedPrefixPlan prefill(prefix, packed.tokens);
    std::vector<int64_t> ends, next;
    size_t longest = 0;
    for (const auto& path : packed.paths) {
      ends.push_back(path.back());
      longest = std::max(longest, path.size());
    }
    for (const size_t i : group.members) next.push_back(prompts[i].next_position());
    const Tensor read = constant_ids(ends, decoder.device());
    last_ = decoder.forward(packed.input, prefill, read).squeeze(0);
    const auto filled = static_cast<int64_t>(group.prefix + longest);
    room_ = std::min(most, decoder.config().max_positions - filled);
    cache_.emplace(prefix, prefill.kept(), packed.paths, next, std::max<int64_t>(room_, 1));
  }

  Tensor logits() const override { return decoder_.logits(last_); }
  int64_t room() const override { return room_; }
  void read(const std::vector<int64_t>& rows, const TokenIds& tokens) override {
    const auto count = static_cast<int64_t>(rows.size());
    if (count < rows_) cache_->keep(ids_tensor(rows, decoder_.device()));
    rows_ = count;
    const Tensor x = decoder_.embed(ids_tensor(tokens, decoder_.device())).unsqueeze(1);
    last_ = decoder_.forward({x, cache_->positions(), {}, {TokenKind::kReply}}, *cache_).squeeze(1);
    cache_->advance();
    --room_;
  }

 private:
  const Decoder& decoder_;
  int64_t rows_;
  Tensor last_;  // [N,D]
  int64_t room_ = 0;
  std::optional<CachePlan> cache_;
};

/// Groups side by side.
class SeveralGroups : public GrowingReplies {
 public:
  SeveralGroups(const Decoder& decoder, std::span<const Prompt> prompts, PrefixMemo* memo, int64_t most) {
    places_.resize(prompts.size());
    for (const PromptGroup& group : group_by_prefix(prompts)) {
      for (size_t m = 0; m < group.members.size(); ++m)
        places_[group.members[m]] = {parts_.size(), static_cast<int64_t>(m)};
      parts_.push_back(begin_group(decoder, prompts, group, memo, most));
    }
  }

  Tensor logits() const override {
    std::vector<Tensor> of_parts(parts_.size()), rows;
    for (const auto& [part, row] : places_) {
      if (!of_parts[part].defined()) of_parts[part] = parts_[part]->logits();
      rows.push_back(of_parts[part][row]);
    }
    return at::stack(rows);
  }
  int64_t room() const override {
    int64_t least = std::numeric_limits<int64_t>::max();
    for (const auto& [part, row] : places_) least = std::min(least, parts_[part]->room());
    return least;
  }
  void read(const std::vector<int64_t>& rows, const TokenIds& tokens) override {
    std::vector<std::vector<int64_t>> kept(parts_.size());
    std::vector<TokenIds> given(parts_.size());
    std::vector<Place> places;
    for (size_t i = 0; i < rows.size(); ++i) {
      const auto [part, row] = places_[static_cast<size_t>(rows[i])];
      places.push_back({part, static_cast<int64_t>(kept[part].size())});
      kept[part].push_back(row);
      given[part].push_back(tokens[i]);
    }
    places_ = std::move(places);
    for (size_t part = 0; part < parts_.size(); ++part)
      if (!kept[part].empty()) parts_[part]->read(kept[part], given[part]);
  }

 private:
  struct Place {
    size_t part = 0;
    int64_t row = 0;
  };
  std::vector<std::unique_ptr<GrowingReplies>> parts_;
  std::vector<Place> places_;  // of the replies that go on
};

class MixedReplies : public GrowingReplies {
 public:
  MixedReplies(std::vector<std::unique_ptr<GrowingReplies>> parts, std::vector<double> weights)
      : parts_(std::move(parts)), weights_(std::move(weights)) {
    TORCH_CHECK(!parts_.empty() && parts_.size() == weights_.size(), "one weight per part");
  }

  Tensor logits() const override {
    Tensor sum = weights_[0] * parts_[0]->logits();
    for (size_t i = 1; i < parts_.size(); ++i) sum = sum + weights_[i] * parts_[i]->logits();
    return sum;
  }
  int64_t room() const override {
    int64_t least = std::numeric_limits<int64_t>::max();
    for (const auto& part : parts_) least = std::min(least, part->room());
    return least;
  }
  void read(const std::vector<int64_t>& rows, const TokenIds& tokens) override {
    for (const auto& part : parts_) part->read(rows, tokens);
  }

 private:
  std::vector<std::unique_ptr<GrowingReplies>> parts_;
  std::vector<double> weights_;
};

}  // namespace

std::unique_ptr<GrowingReplies> begin_group(const Decoder& decoder, std::span<const Prompt> prompts,
                                            const PromptGroup& group, PrefixMemo* memo, int64_t most) {
  return std::make_unique<GroupReplies>(decoder, prompts, group, memo, most);
}

std::unique_ptr<GrowingReplies> begin_replies(const Decoder& decoder, std::span<const Prompt> prompts,
                                              PrefixMemo* memo, int64_t most) {
  return std::make_unique<SeveralGroups>(decoder, prompts, memo, most);
}

std::unique_ptr<GrowingReplies> mixed_replies(std::vector<std::unique_ptr<GrowingReplies>> parts,
                                              std::vector<double> weights) {
  return std::make_unique<MixedReplies>(std::move(parts), std::move(weights));
}

}  // namespace hijack
