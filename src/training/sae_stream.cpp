#include "src/training/sae_stream.h"

#include <ATen/ATen.h>

#include "src/base/error.h"
#include "src/base/file.h"
#include "src/base/image.h"
#include "src/base/random.h"
#include "src/base/sha256.h"
#include "src/base/tensor_math.h"

namespace hijack {
namespace {

constexpr size_t kTenthPart = 10;
constexpr size_t kContextsAtOnce = 8;  // that one image is asked in a row

bool is_held_out(size_t index) {
  return index % kTenthPart == kTenthPart - 1;
}

/// An image with some of the contexts.
struct Conversations {
  size_t image = 0;
  std::vector<Query> queries = {};
};

/// Images times blocks of contexts: those that are held out, or the others.
std::vector<Conversations> conversations_of(const StreamedModel& streamed, bool held_out) {
  std::vector<Query> queries;
  for (size_t i = 0; i < streamed.queries.size(); ++i)
    if (is_held_out(i) == held_out) queries.push_back(streamed.queries[i]);
  std::vector<Conversations> all;
  for (size_t image = 0; image < streamed.images.size(); ++image)
    for (size_t begin = 0; begin < queries.size(); begin += kContextsAtOnce) {
      const auto first = queries.begin() + static_cast<std::ptrdiff_t>(begin);
      const auto count = static_cast<std::ptrdiff_t>(std::min(kContextsAtOnce, queries.size() - begin));
      all.push_back({image, {first, first + count}});
    }
  return all;
}

Tensor image_of(const StreamedModel& streamed, size_t image) {
  return streamed.images[image].empty() ? Tensor() : load_image(streamed.images[image]);
}

class StreamedStates : public SaeStates {
 public:
  StreamedStates(const StreamedModel& streamed, int64_t batch, uint64_t seed)
      : streamed_(streamed), seed_(seed), steps_(std::max<int64_t>(streamed.buffer / batch, 1)) {
    if (streamed_.queries.size() < kTenthPart)
      throw Error("there are " + std::to_string(streamed_.queries.size()) +
                  " contexts; a tenth of them is held out, so give at least ten.");
    fill(0);
    check_enough_tokens(buffer_.size(0));
    first_ = buffer_;
    held_out_ = tokens_of_some(conversations_of(streamed_, true), true, nullptr);
    if (held_out_.size(0) == 0) held_out_ = first_;
    identity_ = identity_of(streamed_);
  }
  const ActivationSource& source() const override { return streamed_.source; }
  Tensor first() const override { return first_; }
  Tensor held_out() const override { return held_out_; }
  Tensor batch(int64_t step, int64_t size) override {
    if (!whole_ && step / steps_ != filled_) fill(step / steps_);
    return drawn_states(buffer_, seed_, step, size);
  }
  std::string identity() const override { return identity_; }

 private:
  static std::string identity_of(const StreamedModel& streamed) {
    std::string text = std::to_string(streamed.buffer) + " " + std::to_string(streamed.max_new_tokens);
    for (const auto& image : streamed.images) text += "\n" + (image.empty() ? "" : sha256_file(image));
    for (const Query& query : streamed.queries) text += "\n" + key_of(query);
    return sha256(text);
  }
  void fill(int64_t number) {
    std::vector<Conversations> order = conversations_of(streamed_, false);
    Random(seed_).fork("buffer", static_cast<uint64_t>(number)).shuffle(order);
    buffer_ = tokens_of_some(order, false, &whole_);
    filled_ = number;
  }

  /// Tokens of the conversations, as many as go into the buffer; whole: whether all of them did.
  Tensor tokens_of_some(const std::vector<Conversations>& order, bool held_out, bool* whole) const {
    std::vector<Tensor> parts = {at::zeros({0, streamed_.source.width})};
    int64_t tokens = 0;
    const ActivationRequest request{.hook = streamed_.source.hook,
                                    .tokens = streamed_.source.tokens,
                                    .max_new_tokens = streamed_.max_new_tokens};
    bool all = true;
    for (const Conversations& one : order) {
      if (tokens >= streamed_.buffer) all = false;
      if (!all) break;
      collect_activations(*streamed_.model, image_of(streamed_, one.image), one.queries, request, 0, 0,
                          [&](const ActivationRows& rows) {
                            const Tensor wanted = chosen(rows, held_out);
                            tokens += wanted.size(0);
                            parts.push_back(wanted);
                          });
    }
    const Tensor joined = at::cat(parts);
    if (joined.size(0) > streamed_.buffer) all = false;
    if (whole) *whole = all;
    return all ? joined : joined.narrow(0, 0, std::min(streamed_.buffer, joined.size(0))).clone();
  }

  /// Of an image's tokens, which are the same with every context, a tenth is held out by place.
  static Tensor chosen(const ActivationRows& rows, bool held_out) {
    std::vector<int64_t> wanted;
    const auto positions = rows.position.accessor<int64_t, 1>();
    for (int64_t t = 0; t < rows.size(); ++t)
      if (rows.kinds[static_cast<size_t>(t)] != TokenKind::kImage ||
          is_held_out(static_cast<size_t>(positions[t])) == held_out)
        wanted.push_back(t);
    return rows.states.to(at::kCPU, at::kFloat).index_select(0, at::tensor(wanted, at::kLong));
  }

  StreamedModel streamed_;
  std::string identity_;
  uint64_t seed_;
  int64_t steps_;  // with one buffer
  Tensor buffer_, first_, held_out_;
  int64_t filled_ = 0;
  bool whole_ = false;  // the buffer holds all there is
};

}  // namespace

std::unique_ptr<SaeStates> streamed_states(const StreamedModel& streamed, int64_t batch, uint64_t seed) {
  return std::make_unique<StreamedStates>(streamed, batch, seed);
}

PatchedLoss held_out_loss(const StreamedModel& streamed, const SparseAutoencoder& sae, size_t most) {
  const at::NoGradGuard no_gradients;
  PatchedLoss loss;
  std::map<size_t, size_t> asked;  // by image
  for (const Conversations& one : conversations_of(streamed, true)) {
    if (asked[one.image] >= most) continue;
    asked[one.image] += one.queries.size();
    const VisionLanguageModel& model = *streamed.model;
    const Pixels pixels = model.preprocess(on_device(image_of(streamed, one.image), model.device()));
    loss += patched_loss_of_replies(model, pixels, one.queries, std::max<int64_t>(streamed.max_new_tokens, 1),
                                    sae, tokens_of(sae));
  }
  return loss;
}

}  // namespace hijack
