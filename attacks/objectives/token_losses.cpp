#include "attacks/objectives/token_losses.h"
#include "src/base/tensor_math.h"
#include "src/base/upload.h"

namespace hijack {
namespace {

/// [sum T_i, V]
Tensor joined_logits(const std::vector<Tensor>& logits) {
  return at_least_float(logits.size() == 1 ? logits[0] : at::cat(logits));
}

/// values [sum T_i], one per token -> mean over contexts of the mean over tokens.
Tensor mean_of_means(const Tensor& values, const std::vector<Tensor>& logits) {
  std::vector<double> weights;
  for (const Tensor& one : logits)
    weights.insert(weights.end(), static_cast<size_t>(one.size(0)),
                   1.0 / static_cast<double>(one.size(0) * static_cast<int64_t>(logits.size())));
  return values.mul(constant_numbers(weights, values.options())).sum();
}

Tensor token_index(const std::vector<TokenIds>& targets, const Tensor& like) {
  std::vector<TokenId> ids;
  for (const TokenIds& target : targets) ids.insert(ids.end(), target.begin(), target.end());
  return constant_ids(ids, like.device()).unsqueeze(1);  // [sum T_i, 1]
}

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// scores [T,V], index [T,1] -> -log softmax at the index, [T]. Keeps the scores, which are there anyway, and
/// no second matrix of their size: the loss comes when a step holds the most memory.
struct NegativeLogLikelihood : torch::autograd::Function<NegativeLogLikelihood> {
  static Tensor forward(AutogradContext* context, const Tensor& scores, const Tensor& index) {
    context->save_for_backward({scores, index});
    return -scores.log_softmax(-1).gather(1, index).squeeze(1);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const Tensor &scores = saved[0], &index = saved[1], gradient = gradients[0].unsqueeze(1);
    Tensor back = scores.log_softmax(-1).exp_().mul_(gradient);
    return {back.scatter_add_(1, index, -gradient), Tensor()};
  }
};

}  // namespace

Tensor mean_cross_entropy(const std::vector<Tensor>& logits, const std::vector<TokenIds>& targets) {
  std::vector<Tensor> losses;
  for (size_t i = 0; i < logits.size(); ++i) {
    const Tensor scores = at_least_float(logits[i]);
    losses.push_back(NegativeLogLikelihood::apply(scores, token_index({targets[i]}, scores)));
  }
  return mean_of_means(at::cat(losses), logits);
}

Tensor mean_margin(const std::vector<Tensor>& logits, const std::vector<TokenIds>& targets, double margin) {
  const Tensor scores = joined_logits(logits);
  const Tensor index = token_index(targets, scores);
  const Tensor wanted = scores.gather(1, index).squeeze(1);
  const Tensor others = scores.scatter(1, index, -std::numeric_limits<double>::infinity()).amax(1);
  return mean_of_means((others - wanted + margin).clamp_min(0), logits);
}

Tensor mean_divergence(const std::vector<Tensor>& logits, const std::vector<Tensor>& wanted) {
  const Tensor student = joined_logits(logits).log_softmax(-1);
  const Tensor teacher = joined_logits(wanted).log_softmax(-1).to(student.device());
  return mean_of_means((teacher.exp() * (teacher - student)).sum(1), logits);
}

}  // namespace hijack
