#include "models/network/capped_attention.h"

#include <torch/csrc/autograd/custom_function.h>

namespace hijack {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct Scores {
  Tensor slope;    // tanh of the capped scores
  Tensor weights;  // [N,G,L,L'], at least float32
};

Tensor widened(const Tensor& x) {
  return x.scalar_type() == at::kDouble ? x : x.to(at::kFloat);
}

/// Of one key-value head: query [N,G,L,d] with the G heads that share it, key [N,L',d].
Scores scores_of(const Tensor& query, const Tensor& key, const Tensor& mask, double scale, double cap) {
  const Tensor flat = query.flatten(1, 2);  // [N,G*L,d]
  Tensor slope = at::bmm(flat, key.transpose(1, 2)).mul_(scale / cap).tanh_();
  slope = slope.view({query.size(0), query.size(1), query.size(2), key.size(1)});
  Tensor capped = widened(slope * cap);
  if (mask.defined()) {
    if (mask.scalar_type() == at::kBool)
      capped.masked_fill_(mask.logical_not(), -INFINITY);
    else
      capped.add_(mask);
  }
  return {slope, capped.softmax(-1)};
}

struct CappedAttention : torch::autograd::Function<CappedAttention> {
  static Tensor forward(AutogradContext* context, const Tensor& query, const Tensor& key, const Tensor& value,
                        const std::optional<Tensor>& given_mask, double scale, double cap) {
    const Tensor mask = given_mask.value_or(Tensor());
    context->save_for_backward({query, key, value, mask});
    context->saved_data["scale"] = scale;
    context->saved_data["cap"] = cap;
    const int64_t group = query.size(1) / key.size(1);
    std::vector<Tensor> heads;
    for (int64_t k = 0; k < key.size(1); ++k) {
      const Tensor own = query.narrow(1, k * group, group);
      const Tensor weights =
          scores_of(own, key.select(1, k), mask, scale, cap).weights.to(query.scalar_type());
      heads.push_back(at::bmm(weights.flatten(1, 2), value.select(1, k)).view(own.sizes()));
    }
    return at::cat(heads, 1);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const Tensor &query = saved[0], &key = saved[1], &value = saved[2], &mask = saved[3];
    const double scale = context->saved_data["scale"].toDouble(), cap = context->saved_data["cap"].toDouble();
    const int64_t group = query.size(1) / key.size(1);
    std::vector<Tensor> to_query, to_key, to_value;
    for (int64_t k = 0; k < key.size(1); ++k) {
      const Tensor own = query.narrow(1, k * group, group), keys = key.select(1, k);
      const auto [slope, weights] = scores_of(own, keys, mask, scale, cap);
      const Tensor given = gradients[0].narrow(1, k * group, group).flatten(1, 2);  // [N,G*L,d]
      to_value.push_back(at::bmm(weights.to(given.scalar_type()).flatten(1, 2).transpose(1, 2), given));
      Tensor back = widened(at::bmm(given, value.select(1, k).transpose(1, 2)).view(weights.sizes()));
      back = weights * (back - (back * weights).sum(-1, /*keepdim=*/true));  // to the capped scores
      back = (back * (1 - widened(slope).square())).mul_(scale).flatten(1, 2).to(given.scalar_type());
      to_query.push_back(at::bmm(back, keys).view(own.sizes()));
      to_key.push_back(at::bmm(back.transpose(1, 2), own.flatten(1, 2)));
    }
    return {at::cat(to_query, 1), at::stack(to_key, 1), at::stack(to_value, 1), Tensor(), Tensor(), Tensor()};
  }
};

}  // namespace

Tensor capped_attention(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& mask,
                        double scale, double cap) {
  // an undefined tensor is no argument of a function with a backward pass, none is
  return CappedAttention::apply(query, key, value, mask.defined() ? std::optional(mask) : std::nullopt, scale,
                                cap);
}

}  // namespace hijack
