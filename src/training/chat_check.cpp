#include "src/training/chat_check.h"

#include "models/prefix/shared_prefix.h"
#include "src/base/image.h"
#include "src/training/chat_prompts.h"

namespace hijack {
namespace {

constexpr int64_t kReplyTokens = 40;

Tensor image_in_turn(const std::vector<Tensor>& photos, int64_t turn, Random& random) {
  if (turn % 3 == 0 && !photos.empty()) return random.pick(photos);
  const Tensor bytes = turn % 3 == 1 ? random_texture(random) : render(random_scene(random), random);
  return from_bytes(bytes.unsqueeze(0));
}

/// logits [T,V], ids of T tokens -> sum of their negative log-likelihoods.
double nll_sum(const Tensor& logits, const TokenIds& ids) {
  return at::cross_entropy_loss(logits, at::tensor(ids, at::kLong).to(logits.device()), {},
                                at::Reduction::Sum)
      .item<double>();
}

}  // namespace

ChatCheck check_chat(const EyeModel& eye, const std::vector<Tensor>& photos, int64_t n, uint64_t seed) {
  const at::NoGradGuard no_gradients;
  Random random = Random(seed).fork("chat check");
  ChatCheck check;
  int64_t tokens = 0;
  for (const OwnReply& own : own_replies(eye, chat_prompts(ChatSplit::kHeldOut, n, seed), kReplyTokens)) {
    const Query query{.prompt = own.prompt};
    const Prompt text{eye.text_ids(query)};
    const Tensor without =
        shared_prefix_logits(eye.model->decoder(), std::span(&text, 1), std::span(&own.reply, 1), {}).front();
    const Tensor image = image_in_turn(photos, check.replies, random);
    const Tensor with =
        eye.model->target_logits(eye.model->preprocess(image), std::span(&query, 1), std::span(&own.reply, 1))
            .front();
    check.equal_first += with[0].argmax().item<int64_t>() == own.reply.front();
    check.nll_without += nll_sum(without, own.reply);
    check.nll_with += nll_sum(with, own.reply);
    tokens += static_cast<int64_t>(own.reply.size());
    ++check.replies;
  }
  check.nll_without /= static_cast<double>(std::max<int64_t>(tokens, 1));
  check.nll_with /= static_cast<double>(std::max<int64_t>(tokens, 1));
  return check;
}

}  // namespace hijack
