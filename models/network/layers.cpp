#include "models/network/layers.h"

#include "src/base/error.h"
#include "src/base/upload.h"

namespace hijack {

Linear::Linear(const ParameterSource& source, const std::string& name, int64_t in, int64_t out,
               bool with_bias)
    : Linear{source(name + ".weight", {out, in}),  // braces: the weight is read, and missed, first
             with_bias ? source(name + ".bias", {out}) : Tensor(), source.autocast} {}

Linear::Linear(const Tensor& given_weight, const Tensor& given_bias, bool with_autocast)
    : weight(given_weight), bias(given_bias), autocast(with_autocast) {
  if (!autocast) return;
  weight = weight.to(at::kBFloat16);
  if (bias.defined()) bias = bias.to(at::kBFloat16);
}

Linear Linear::rows(int64_t begin, int64_t count) const {
  return {weight.narrow(0, begin, count), bias.defined() ? bias.narrow(0, begin, count) : Tensor(), autocast};
}

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t kWidenedElements = 1 << 21;  // 8 MB in float32: stays in the cache

/// Calls use(first row, rows in float32) for the weight, a piece at a time.
template <class Use>
void widen_rows(const Tensor& weight, Use use) {
  const int64_t rows = weight.size(0);
  const int64_t step = std::clamp<int64_t>(kWidenedElements / weight.size(1), 1, rows);
  const Tensor buffer = at::empty({step, weight.size(1)}, weight.options().dtype(at::kFloat));
  for (int64_t first = 0; first < rows; first += step) {
    const int64_t count = std::min(step, rows - first);
    Tensor piece = buffer.narrow(0, 0, count);
    piece.copy_(weight.narrow(0, first, count));
    use(first, piece);
  }
}

struct WidenedLinear : torch::autograd::Function<WidenedLinear> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& weight,
                        const std::optional<Tensor>& bias) {
    context->save_for_backward({weight});
    const Tensor rows = x.reshape({-1, x.size(-1)});
    std::vector<int64_t> shape = x.sizes().vec();
    shape.back() = weight.size(0);
    Tensor out = at::empty(shape, x.options());  // not a view: callers add to it in place
    const Tensor flat = out.view({-1, weight.size(0)});
    widen_rows(weight, [&](int64_t first, const Tensor& piece) {
      Tensor part = flat.narrow(1, first, piece.size(0));
      at::mm_out(part, rows, piece.t());
    });
    if (bias) out.add_(*bias);
    return out;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const Tensor weight = context->get_saved_variables()[0];
    const Tensor rows = gradients[0].reshape({-1, weight.size(0)});
    Tensor out = at::empty({rows.size(0), weight.size(1)}, rows.options());
    widen_rows(weight, [&](int64_t first, const Tensor& piece) {
      out.addmm_(rows.narrow(1, first, piece.size(0)), piece, /*beta=*/first == 0 ? 0 : 1);
    });
    std::vector<int64_t> shape = gradients[0].sizes().vec();
    shape.back() = weight.size(1);
    return {out.view(shape), Tensor(), Tensor()};
  }
};

}  // namespace

Tensor Linear::operator()(const Tensor& x) const {
  const std::optional<Tensor> optional_bias = bias.defined() ? std::optional<Tensor>(bias) : std::nullopt;
  if (autocast) {
    const Tensor rounded = x.to(at::kBFloat16);
    if (computes_in(at::kBFloat16, x.device())) return at::linear(rounded, weight, optional_bias);
    return WidenedLinear::apply(rounded.to(at::kFloat), weight, optional_bias).to(at::kBFloat16);
  }
  if (x.scalar_type() == at::kFloat && is_narrow(weight.scalar_type()))
    return WidenedLinear::apply(x, weight, optional_bias);
  return at::linear(x, weight, optional_bias);
}

Tensor convolution(const Tensor& x, const Tensor& weight, const Tensor& bias, int64_t stride, bool autocast) {
  const auto convolved = [&](const auto& as) {
    return at::conv2d(as(x), as(weight), bias.defined() ? std::optional<Tensor>(as(bias)) : std::nullopt,
                      stride);
  };
  if (!autocast) return convolved([&](const Tensor& one) { return one.to(weight.scalar_type()); });
  if (computes_in(at::kBFloat16, x.device()))
    return convolved([](const Tensor& one) { return one.to(at::kBFloat16); });
  return convolved([](const Tensor& one) { return one.to(at::kBFloat16).to(at::kFloat); }).to(at::kBFloat16);
}

Tensor residual_sum(const Tensor& stream, Tensor added) {
  // in place it would have the type of what is added, which autocast leaves in bfloat16
  return added.scalar_type() == stream.scalar_type() ? added.add_(stream) : stream + added;
}

LayerNorm::LayerNorm(const ParameterSource& source, const std::string& name, int64_t width, double eps)
    : weight(source(name + ".weight", {width})), bias(source(name + ".bias", {width})), epsilon(eps) {}

Tensor LayerNorm::operator()(const Tensor& x) const {
  return at::layer_norm(x, {x.size(-1)}, weight, bias, epsilon);
}

RmsNorm::RmsNorm(const ParameterSource& source, const std::string& name, int64_t width, double eps,
                 bool add_one)
    : weight(source(name + ".weight", {width})), epsilon(eps), adds_one(add_one) {}

namespace {

/// x / rms(x) for rows of float32 [..,D]; keeps x and one number a row instead of each step's result.
struct Normalize : torch::autograd::Function<Normalize> {
  static Tensor forward(AutogradContext* context, const Tensor& x, double epsilon) {
    const auto width = static_cast<double>(x.size(-1));
    const Tensor norm = at::linalg_vector_norm(x, 2, at::IntArrayRef{-1}, /*keepdim=*/true);
    const Tensor scale = norm.square_().div_(width).add_(epsilon).rsqrt_();
    context->save_for_backward({x, scale});
    return x * scale;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const Tensor &x = saved[0], &scale = saved[1], &gradient = gradients[0];
    const Tensor along = (gradient * x).sum(-1, /*keepdim=*/true);
    const Tensor back = along.mul_(scale.pow(3)).div_(static_cast<double>(x.size(-1)));
    return {(gradient * scale).addcmul_(x, back, -1), Tensor()};
  }
};

}  // namespace

Tensor RmsNorm::operator()(const Tensor& x) const {
  const Tensor unit = Normalize::apply(x.to(at::kFloat), epsilon);
  if (adds_one) return (unit * (weight.to(at::kFloat) + 1)).to(x.scalar_type());
  return weight * unit.to(x.scalar_type());
}

Activation activation_from_name(const std::string& name) {
  if (name == "quick_gelu") return Activation::kQuickGelu;
  if (name == "gelu") return Activation::kGelu;
  if (name == "gelu_pytorch_tanh" || name == "gelu_new") return Activation::kGeluTanh;
  if (name == "silu" || name == "swish") return Activation::kSilu;
  throw Error("activation \"" + name +
              "\" in config.json is not supported; quick_gelu, gelu, gelu_pytorch_tanh and silu are");
}

namespace {

/// x sigmoid(1.702 x) is silu(1.702 x) / 1.702.
constexpr double kQuick = 1.702;

Tensor activate_backward(Activation activation, const Tensor& gradient, const Tensor& x) {
  switch (activation) {
    case Activation::kQuickGelu:
      return at::silu_backward(gradient, kQuick * x);
    case Activation::kGelu:
      return at::gelu_backward(gradient, x);
    case Activation::kGeluTanh:
      return at::gelu_backward(gradient, x, "tanh");
    case Activation::kSilu:
      return at::silu_backward(gradient, x);
  }
  TORCH_CHECK(false, "unknown activation");
}

/// Keeps the two factors and computes the activation again: a third less to keep than the product's own
/// graph.
struct Gate : torch::autograd::Function<Gate> {
  static Tensor forward(AutogradContext* context, const Tensor& gate, const Tensor& x, int64_t activation) {
    context->save_for_backward({gate, x});
    context->saved_data["activation"] = activation;
    return activate(static_cast<Activation>(activation), gate).mul_(x);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const Tensor &gate = saved[0], &x = saved[1], &gradient = gradients[0];
    const auto activation = static_cast<Activation>(context->saved_data["activation"].toInt());
    return {activate_backward(activation, gradient * x, gate), activate(activation, gate).mul_(gradient),
            Tensor()};
  }
};

}  // namespace

Tensor gated(Activation activation, const Tensor& gate, const Tensor& x) {
  return Gate::apply(gate, x, static_cast<int64_t>(activation));
}

Tensor activate(Activation activation, const Tensor& x) {
  switch (activation) {
    case Activation::kQuickGelu:
      return at::silu(kQuick * x) / kQuick;
    case Activation::kGelu:
      return at::gelu(x);
    case Activation::kGeluTanh:
      return at::gelu(x, "tanh");
    case Activation::kSilu:
      return at::silu(x);
  }
  TORCH_CHECK(false, "unknown activation");
}

Rotary rotary(const Tensor& positions, const Tensor& frequencies, at::IntArrayRef axes) {
  const Tensor batched = positions.dim() == 1 ? positions.unsqueeze(0) : positions;  // [..,N,L]
  Tensor angle = batched.to(at::kFloat).unsqueeze(-1) * frequencies;                 // [..,N,L,d/2]
  if (angle.dim() == 4) {
    TORCH_CHECK(static_cast<int64_t>(axes.size()) == angle.size(-1), "one axis for each frequency");
    const Tensor which = constant_ids(std::span(axes.data(), axes.size()), angle.device());
    angle = angle.gather(0, which.expand({1, angle.size(1), angle.size(2), -1})).squeeze(0);
  }
  const Tensor both = at::cat({angle, angle}, -1).unsqueeze(1);  // [N,1,L,d]
  return {both.cos(), both.sin()};
}

namespace {

/// The two halves of the channels that turn, as pairs; `way` 1, or -1 for back.
Tensor turn_halves(const Tensor& x, const Tensor& cosine, const Tensor& sine, int way) {
  const int64_t turning = cosine.size(-1), half = turning / 2, still = x.size(-1) - turning;
  Tensor out = at::empty_like(x);
  if (still > 0) out.narrow(-1, turning, still).copy_(x.narrow(-1, turning, still));
  const auto part = [&](const Tensor& of, int64_t which) { return of.narrow(-1, which * half, half); };
  for (const int64_t which : {0, 1}) {
    Tensor to = part(out, which);
    at::mul_out(to, part(x, which), part(cosine, which));
    to.addcmul_(part(x, 1 - which), part(sine, which), which == 0 ? -way : way);
  }
  return out;
}

/// A turn needs nothing of x to be turned back.
struct HalvesTurn : torch::autograd::Function<HalvesTurn> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& cosine, const Tensor& sine) {
    context->save_for_backward({cosine, sine});
    return turn_halves(x, cosine, sine, 1);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    return {turn_halves(gradients[0], saved[0], saved[1], -1), Tensor(), Tensor()};
  }
};

}  // namespace

Tensor apply_rotary(const Tensor& x, const Rotary& rotary, bool autocast) {
  if (autocast) return apply_rotary(x.to(at::kFloat), rotary).to(at::kBFloat16);
  return HalvesTurn::apply(x, rotary.cosine.to(x.scalar_type()), rotary.sine.to(x.scalar_type()));
}

Tensor split_heads(const Tensor& x, int64_t heads) {
  return x.unflatten(-1, {heads, -1}).transpose(1, 2);
}

Tensor merge_heads(const Tensor& x) {
  return x.transpose(1, 2).flatten(2);
}

}  // namespace hijack
