#include "models/network/shared_prefix_attention.h"

#include <torch/csrc/autograd/custom_function.h>

namespace hijack {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct HeldGroups : torch::CustomClassHolder {
  HeldGroups(std::vector<PackedGroup> given, std::optional<double> factor)
      : groups(std::move(given)), scale(factor) {}
  std::vector<PackedGroup> groups;
  std::optional<double> scale;
};

/// The kernel reads rows of the head width where they lie; only those must be dense.
Tensor dense_rows(const Tensor& x) {
  return x.stride(3) == 1 ? x : x.contiguous();
}

/// A group's tokens of x, [.,.,A+size,d].
Tensor seen_of(const Tensor& x, const PackedGroup& group, int64_t begin) {
  const Tensor own = x.narrow(2, begin, group.size);
  return group.before.defined() ? at::cat({x.index_select(2, group.before), own}, 2) : own;
}

std::optional<Tensor> mask_of(const PackedGroup& group) {
  return group.mask.defined() ? std::optional(group.mask) : std::nullopt;
}

/// out [N,H,n,d] and log-sum-exp lse [N,H,n] of a part take the other part in.
void join(const Tensor& out, Tensor lse, const Tensor& other_out, const Tensor& other_lse) {
  out.lerp_(other_out, (other_lse - lse).sigmoid_().unsqueeze(3));
  at::logaddexp_out(lse, lse, other_lse);
}

/// The gradient of a group's seen tokens, [.,.,A+size,d], is added to that of all.
void add_to_seen(const Tensor& all, const PackedGroup& group, int64_t begin, const Tensor& gradient) {
  const int64_t before = group.before.defined() ? group.before.size(0) : 0;
  if (before > 0) all.index_add_(2, group.before, gradient.narrow(2, 0, before));
  all.narrow(2, begin, group.size).add_(gradient.narrow(2, before, group.size));
}

struct SharedPrefixAttention : torch::autograd::Function<SharedPrefixAttention> {
  static Tensor forward(AutogradContext* context, const Tensor& query, const Tensor& key, const Tensor& value,
                        const Tensor& prefix_key, const Tensor& prefix_value,
                        const c10::intrusive_ptr<HeldGroups>& held) {
    const Tensor q = dense_rows(query), k = dense_rows(key), v = dense_rows(value),
                 pk = dense_rows(prefix_key), pv = dense_rows(prefix_value);
    auto [out, lse] = at::_scaled_dot_product_flash_attention_for_cpu(
        q, pk, pv, /*dropout_p=*/0.0, /*is_causal=*/false, std::nullopt, held->scale);
    int64_t begin = 0;
    for (const PackedGroup& group : held->groups) {
      const auto [own_out, own_lse] = at::_scaled_dot_product_flash_attention_for_cpu(
          q.narrow(2, begin, group.size), seen_of(k, group, begin), seen_of(v, group, begin),
          /*dropout_p=*/0.0, /*is_causal=*/!group.mask.defined(), mask_of(group), held->scale);
      join(out.narrow(2, begin, group.size), lse.narrow(2, begin, group.size), own_out, own_lse);
      begin += group.size;
    }
    TORCH_CHECK(begin == query.size(2), "every packed token is in one group");
    context->save_for_backward({q, k, v, pk, pv, out, lse});
    context->saved_data["groups"] = c10::IValue::make_capsule(held);
    return out;
  }

  /// A part's own backward pass gives the right share when it is told the joined output and log-sum-exp:
  /// exp(score - lse) is then the weight among all keys, and the row sum of gradient * output that of all.
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto held =
        c10::static_intrusive_pointer_cast<HeldGroups>(context->saved_data["groups"].toCapsule());
    const auto saved = context->get_saved_variables();
    const Tensor &q = saved[0], &k = saved[1], &v = saved[2], &out = saved[5], &lse = saved[6];
    const Tensor given = dense_rows(gradients[0]);
    const auto [to_query, to_prefix_key, to_prefix_value] =
        at::_scaled_dot_product_flash_attention_for_cpu_backward(given, q, saved[3], saved[4], out, lse,
                                                                 /*dropout_p=*/0.0, /*is_causal=*/false,
                                                                 std::nullopt, held->scale);
    const Tensor to_key = at::zeros_like(k), to_value = at::zeros_like(v);
    int64_t begin = 0;
    for (const PackedGroup& group : held->groups) {
      const auto own = [&](const Tensor& x) { return x.narrow(2, begin, group.size); };
      const auto [own_query, own_key, own_value] = at::_scaled_dot_product_flash_attention_for_cpu_backward(
          own(given), own(q), seen_of(k, group, begin), seen_of(v, group, begin), own(out), own(lse),
          /*dropout_p=*/0.0, /*is_causal=*/!group.mask.defined(), mask_of(group), held->scale);
      own(to_query).add_(own_query);
      add_to_seen(to_key, group, begin, own_key);
      add_to_seen(to_value, group, begin, own_value);
      begin += group.size;
    }
    return {to_query, to_key, to_value, to_prefix_key, to_prefix_value, Tensor()};
  }
};

}  // namespace

bool takes_shared_prefix(const Tensor& like) {
  return like.is_cpu() && like.element_size() >= 4;
}

Tensor shared_prefix_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                               const Tensor& prefix_key, const Tensor& prefix_value,
                               std::vector<PackedGroup> groups, std::optional<double> scale) {
  return SharedPrefixAttention::apply(query, key, value, prefix_key, prefix_value,
                                      c10::make_intrusive<HeldGroups>(std::move(groups), scale));
}

}  // namespace hijack
