#include "models/rope_scaling.h"

#include <ATen/ATen.h>

#include <numbers>

#include "models/config_json.h"
#include "src/base/error.h"

namespace hijack {
namespace {

Tensor llama3_frequencies(const Tensor& plain, const RopeScaling& scaling) {
  const auto positions = static_cast<double>(scaling.original_positions);
  const double longest = positions / scaling.low_factor, shortest = positions / scaling.high_factor;
  const Tensor wavelength = 2 * std::numbers::pi / plain;
  const Tensor low = wavelength > longest, high = wavelength < shortest;
  const Tensor stretched = at::where(low, plain / scaling.factor, plain);
  const Tensor ramp =
      (positions / wavelength - scaling.low_factor) / (scaling.high_factor - scaling.low_factor);
  const Tensor between = (1 - ramp) * stretched / scaling.factor + ramp * stretched;
  return at::where(at::logical_or(low, high), stretched, between);
}

}  // namespace

RopeScaling RopeScaling::from_json(const ConfigReader& parameters, int64_t max_positions) {
  const auto type = parameters.text("rope_type", parameters.text("type", "default"));
  RopeScaling scaling;
  if (type == "default") return scaling;
  if (type != "linear" && type != "llama3")
    throw Error("config.json: rope type \"" + type +
                "\" is not supported; \"default\", \"linear\" and \"llama3\" are");
  scaling.factor = parameters.number("factor", {});
  bool valid = scaling.factor >= 1;
  scaling.kind = Kind::kLinear;
  if (type == "llama3") {
    scaling.kind = Kind::kLlama3;
    scaling.low_factor = parameters.number("low_freq_factor", {});
    scaling.high_factor = parameters.number("high_freq_factor", {});
    scaling.original_positions = parameters.integer("original_max_position_embeddings", max_positions);
    valid = valid && scaling.low_factor > 0 && scaling.high_factor > scaling.low_factor;
  }
  if (!valid)
    throw Error(
        "config.json: a scaled rope needs a factor of at least 1, and llama3 a high_freq_factor above its "
        "low_freq_factor above 0");
  return scaling;
}

Tensor rotary_frequencies(int64_t head_dim, double theta, const RopeScaling& scaling) {
  const Tensor exponent = at::arange(0, head_dim, 2, at::kLong).to(at::kFloat) / head_dim;
  const Tensor plain = 1.0 / at::pow(at::scalar_tensor(theta, at::kFloat), exponent);
  switch (scaling.kind) {
    case RopeScaling::Kind::kNone:
      return plain;
    case RopeScaling::Kind::kLinear:
      return plain / scaling.factor;
    case RopeScaling::Kind::kLlama3:
      return llama3_frequencies(plain, scaling);
  }
  TORCH_CHECK(false, "unknown scaling");
}

}  // namespace hijack
