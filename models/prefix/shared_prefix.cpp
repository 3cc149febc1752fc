#include "models/prefix/shared_prefix.h"

#include <limits>

#include "models/prefix/packed_suffixes.h"
#include "src/base/error.h"
#include "src/base/upload.h"

namespace hijack {
namespace {

size_t common_prefix(const TokenIds& a, const TokenIds& b, size_t limit) {
  size_t n = 0;
  while (n < limit && n < a.size() && n < b.size() && a[n] == b[n]) ++n;
  return n;
}

}  // namespace

int64_t Prompt::next_position() const {
  if (!positions.defined()) return static_cast<int64_t>(ids.size());
  const Tensor all = positions.contiguous();
  const int64_t* const first = all.const_data_ptr<int64_t>();
  return *std::max_element(first, first + all.numel()) + 1;
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

/// Keys are shared only up to where blocks begin to differ.
size_t before_blocks(const Prompt& a, const Prompt& b) {
  const auto [one, other] = std::mismatch(a.blocks.begin(), a.blocks.end(), b.blocks.begin(), b.blocks.end());
  size_t end = std::numeric_limits<size_t>::max();  // what follows the prompts has no blocks
  if (one != a.blocks.end()) end = std::min(end, static_cast<size_t>(one->begin));
  if (other != b.blocks.end()) end = std::min(end, static_cast<size_t>(other->begin));
  return end;
}

/// As many of `prefix` tokens as leave no block in two parts.
size_t whole_blocks(const Prompt& prompt, size_t prefix) {
  for (const TokenBlock& block : prompt.blocks)
    if (static_cast<size_t>(block.begin) < prefix && prefix < static_cast<size_t>(block.end))
      return static_cast<size_t>(block.begin);
  return prefix;
}

/// Keys are shared only up to images that are not the same.
size_t before_features(const Prompt& a, const Prompt& b) {
  const size_t end = std::max(a.ids.size(), b.ids.size());
  return a.image_places.empty() || a.features.is_same(b.features) ? end : a.image_places.front();
}

}  // namespace

size_t uncut_tokens(const Prompt& a, const Prompt& b, size_t tokens) {
  return whole_blocks(a, std::min(tokens, before_blocks(a, b)));
}

std::vector<PromptGroup> group_by_prefix(std::span<const Prompt> prompts) {
  std::vector<PromptGroup> groups;
  const auto head = [&](size_t i) { return std::span(prompts[i].ids).first(prompts[i].image_end()); };
  for (size_t i = 0; i < prompts.size(); ++i) {
    auto same = std::find_if(groups.begin(), groups.end(), [&](const PromptGroup& group) {
      const auto other = head(group.members.front());
      return prompts[i].image_places == prompts[group.members.front()].image_places &&
             std::equal(head(i).begin(), head(i).end(), other.begin(), other.end());
    });
    if (same == groups.end()) {
      groups.push_back({{i}, whole_blocks(prompts[i], prompts[i].ids.size() - 1)});
      continue;
    }
    const Prompt& first = prompts[same->members.front()];
    same->members.push_back(i);
    const size_t limit = std::min({same->prefix, before_shifts(first, prompts[i]),
                                   before_blocks(first, prompts[i]), before_features(first, prompts[i])});
    const size_t prefix =
        std::min(common_prefix(first.ids, prompts[i].ids, limit), prompts[i].ids.size() - 1);
    same->prefix = whole_blocks(first, prefix);
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

EmbeddedPart embed_prompt(const Decoder& decoder, const Prompt& prompt, size_t begin, size_t end) {
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
  if (into.empty()) return {text};
  const Tensor& features = prompt.features;
  TORCH_CHECK(features.defined(), "a prompt with an image needs its features");
  if (features.size(1) != static_cast<int64_t>(places.size()))
    throw Error("the prompt has " + std::to_string(places.size()) + " image tokens, but the image gives " +
                std::to_string(features.size(1)) + "; remove image tokens from the text");
  const Tensor image = features.narrow(1, first - places.begin(), last - first).to(text.scalar_type());
  const Tensor where = constant_ids(into, decoder.device());
  const int64_t deep = image.size(0) - 1;
  return {text.index_copy(1, where, image.narrow(0, 0, 1)),
          deep > 0 ? DeepFeatures{where, image.narrow(0, 1, deep)} : DeepFeatures{}};
}

namespace {

bool alike_but_for_image(const Prompt& a, const Prompt& b) {
  const bool same_positions = a.positions.defined() && b.positions.defined()
                                  ? at::equal(a.positions, b.positions)
                                  : a.positions.defined() == b.positions.defined();
  return same_positions && a.ids == b.ids && a.image_places == b.image_places && a.blocks == b.blocks &&
         a.features.sizes() == b.features.sizes() && !b.shift.defined();
}

/// How many prompts each of several images has; 0 where they are not alike.
size_t prompts_of_each(std::span<const Prompt> prompts, std::span<const TokenIds> targets) {
  const Tensor& first = prompts.front().features;
  if (!first.defined() || first.size(0) != 1) return 0;  // what is added to states has no rows of its own
  const auto other = std::find_if(prompts.begin(), prompts.end(),
                                  [&](const Prompt& one) { return !one.features.is_same(first); });
  const auto each = static_cast<size_t>(other - prompts.begin());
  if (each == prompts.size() || prompts.size() % each != 0) return 0;
  for (size_t i = 0; i < prompts.size(); ++i) {
    const Prompt& same = prompts[i % each];
    if (!prompts[i].features.defined() || !alike_but_for_image(same, prompts[i]) ||
        !prompts[i].features.is_same(prompts[i - i % each].features) || targets[i] != targets[i % each])
      return 0;
  }
  return each;
}

/// Logits of prompts about several images, one image's after the other's, where all images are asked the same
/// with the same targets and nothing but their features differs (copies of a vote, draws of a step, attacks
/// side by side): passes with a row for each image, in which each is computed as it is alone. nullopt where
/// they are not so alike.
std::optional<std::vector<Tensor>> logits_of_alike_images(const Decoder& decoder,
                                                          std::span<const Prompt> prompts,
                                                          std::span<const TokenIds> targets,
                                                          PrefixMemo* memo) {
  const size_t each = prompts.empty() ? 0 : prompts_of_each(prompts, targets);
  if (each == 0) return std::nullopt;
  const auto asked = prompts.first(each);
  const auto groups = group_by_prefix(asked);
  if (groups.size() != 1 || groups[0].prefix < asked[0].image_end()) return std::nullopt;
  std::vector<const Prompt*> of_images;
  for (size_t i = 0; i < prompts.size(); i += each) of_images.push_back(&prompts[i]);
  const auto rows = static_cast<int64_t>(of_images.size());
  const KeyValues prefix = run_prefixes(decoder, of_images, groups[0].prefix, memo);
  const PackedSuffixes packed(decoder, asked, targets.first(each), groups[0]);
  DecoderInput input = packed.input;
  input.x = input.x.repeat({rows, 1, 1});  // [N,L,D]
  SharedPrefixPlan plan(prefix, packed.tokens);
  const auto [read, counts] = packed.read_by(targets.first(each));
  const Tensor hidden = decoder.forward(input, plan, constant_ids(read, decoder.device()));
  std::vector<Tensor> logits;
  for (const Tensor& of_image : decoder.logits(hidden).unbind(0))  // [N,R,V]
    for (Tensor& one : of_image.split_with_sizes(counts, 0)) logits.push_back(std::move(one));
  return logits;
}

}  // namespace

std::vector<Tensor> shared_prefix_logits(const Decoder& decoder, std::span<const Prompt> prompts,
                                         std::span<const TokenIds> targets, PrefixMemo* memo) {
  TORCH_CHECK(prompts.size() == targets.size(), "one target per prompt");
  for (size_t i = 0; i < prompts.size(); ++i)
    check_prompt(decoder, prompts[i], targets[i], targets[i].size());
  if (auto alike = logits_of_alike_images(decoder, prompts, targets, memo)) return *std::move(alike);
  std::vector<Tensor> logits(prompts.size());
  for (const auto& group : group_by_prefix(prompts)) {
    const KeyValues prefix = run_prefix(decoder, prompts[group.members.front()], group.prefix, memo);
    const PackedSuffixes packed(decoder, prompts, targets, group);
    SharedPrefixPlan plan(prefix, packed.tokens);
    std::vector<TokenIds> own;
    for (const size_t m : group.members) own.push_back(targets[m]);
    const auto [rows, counts] = packed.read_by(own);  // logits only where a target token is predicted
    const Tensor hidden = decoder.forward(packed.input, plan, constant_ids(rows, decoder.device()));
    const auto parts = decoder.logits(hidden.squeeze(0)).split_with_sizes(counts, 0);
    for (size_t m = 0; m < group.members.size(); ++m) logits[group.members[m]] = parts[m];
  }
  return logits;
}

}  // namespace hijack
