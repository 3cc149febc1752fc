#include "models/network/rope_scaling.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numbers>

#include "models/checkpoint/config_json.h"
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

/// The channel pair that turns `turns` times over the original positions.
double channel_of(double turns, int64_t head_dim, double theta, const RopeScaling& scaling) {
  const double wavelength = static_cast<double>(scaling.original_positions) / turns;
  return static_cast<double>(head_dim) * std::log(wavelength / (2 * std::numbers::pi)) /
         (2 * std::log(theta));
}

Tensor yarn_frequencies(const Tensor& plain, int64_t head_dim, double theta, const RopeScaling& scaling) {
  double first = channel_of(scaling.fast, head_dim, theta, scaling);
  double last = channel_of(scaling.slow, head_dim, theta, scaling);
  if (scaling.whole_channels) {
    first = std::floor(first);
    last = std::ceil(last);
  }
  first = std::max(first, 0.0);
  last = std::min(last, static_cast<double>(head_dim - 1));
  if (first == last) last += 0.001;
  const Tensor ramp =
      ((at::arange(head_dim / 2, at::kFloat) - first) / (last - first)).clamp(0, 1);  // 1: stretched
  return plain / scaling.factor * ramp + plain * (1 - ramp);
}

double length_for(double factor, double scale) {
  return factor <= 1 ? 1 : 0.1 * scale * std::log(factor) + 1;
}

void read_yarn(const ConfigReader& parameters, int64_t max_positions, RopeScaling& scaling) {
  const auto positive = [&](const char* key, double otherwise) {
    const double value = parameters.number(key, otherwise);
    return value == 0 ? otherwise : value;
  };
  scaling.kind = RopeScaling::Kind::kYarn;
  scaling.original_positions = parameters.integer("original_max_position_embeddings", max_positions);
  scaling.factor = parameters.number(
      "factor", static_cast<double>(max_positions) / static_cast<double>(scaling.original_positions));
  scaling.fast = positive("beta_fast", 32);
  scaling.slow = positive("beta_slow", 1);
  scaling.whole_channels = parameters.flag("truncate", true);
  const double scale = parameters.number("mscale", 0), all = parameters.number("mscale_all_dim", 0);
  const bool both = scale != 0 && all != 0;
  scaling.attention_factor = parameters.number(
      "attention_factor", both ? length_for(scaling.factor, scale) / length_for(scaling.factor, all)
                               : length_for(scaling.factor, 1));
  if (scaling.fast <= 0 || scaling.slow <= 0 || scaling.attention_factor <= 0)
    throw Error("config.json: beta_fast, beta_slow and attention_factor of a yarn rope must be positive");
}

std::vector<double> read_factors(const ConfigReader& parameters, const char* key) {
  const auto fail = [&] {
    throw Error("config.json: a longrope needs " + std::string(key) + ", a list of positive numbers");
  };
  if (!parameters.has(key) || !parameters.raw(key).is_array() || parameters.raw(key).size() > 4096) fail();
  std::vector<double> factors;
  for (const auto& factor : parameters.raw(key)) {
    if (!factor.is_number() || !(factor.get<double>() > 0) || !std::isfinite(factor.get<double>())) fail();
    factors.push_back(factor.get<double>());
  }
  return factors;
}

void read_long(const ConfigReader& parameters, int64_t max_positions, RopeScaling& scaling) {
  scaling.kind = RopeScaling::Kind::kLong;
  scaling.short_factors = read_factors(parameters, "short_factor");
  read_factors(parameters, "long_factor");
  scaling.original_positions = parameters.integer("original_max_position_embeddings", {});
  const auto original = static_cast<double>(scaling.original_positions);
  const double factor = parameters.number("factor", static_cast<double>(max_positions) / original);
  const bool longer = factor > 1 && original > 1;
  scaling.attention_factor = parameters.number(
      "attention_factor", longer ? std::sqrt(1 + std::log(factor) / std::log(original)) : 1);
  if (scaling.attention_factor <= 0)
    throw Error("config.json: attention_factor of a longrope must be positive");
}

Tensor long_frequencies(const Tensor& plain, const RopeScaling& scaling) {
  if (static_cast<int64_t>(scaling.short_factors.size()) != plain.size(0))
    throw Error("config.json: short_factor of a longrope has " +
                std::to_string(scaling.short_factors.size()) + " numbers, but a head turns by " +
                std::to_string(plain.size(0)));
  return plain / at::tensor(scaling.short_factors, at::kFloat);
}

}  // namespace

RopeScaling RopeScaling::from_json(const ConfigReader& parameters, int64_t max_positions) {
  const auto type = parameters.text("rope_type", parameters.text("type", "default"));
  RopeScaling scaling;
  if (type == "default") return scaling;
  if (type != "linear" && type != "llama3" && type != "yarn" && type != "dynamic" && type != "longrope")
    throw Error("config.json: rope type \"" + type.substr(0, 50) +
                "\" is not supported; \"default\", \"linear\", \"dynamic\", \"yarn\", \"longrope\" and "
                "\"llama3\" are");
  if (parameters.number("partial_rotary_factor", 1) != 1)
    throw Error("config.json: partial_rotary_factor is not supported; only whole heads turn");
  if (type == "yarn") {
    read_yarn(parameters, max_positions, scaling);
  } else if (type == "longrope") {
    read_long(parameters, max_positions, scaling);
  } else {
    scaling.factor = parameters.number("factor", {});
  }
  bool valid = scaling.factor >= 1;
  if (type == "linear") scaling.kind = Kind::kLinear;
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

double axial_rope_theta(const ConfigReader& read) {
  double theta = read.number("rope_theta", 10000.0);
  if (read.has("rope_parameters") && read.raw("rope_parameters").is_object()) {
    const ConfigReader rope(read.raw("rope_parameters"), "vision_config.rope_parameters");
    const auto type = rope.text("rope_type", rope.text("type", "axial"));
    if (type != "axial" && type != "default")
      throw Error("config.json: rope type \"" + type + "\" of the vision tower is not supported; axial is");
    theta = rope.number("rope_theta", theta);
  }
  if (theta <= 0) throw Error("config.json: rope_theta of the vision tower must be positive");
  return theta;
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
    case RopeScaling::Kind::kYarn:
      return yarn_frequencies(plain, head_dim, theta, scaling);
    case RopeScaling::Kind::kLong:
      return long_frequencies(plain, scaling);
  }
  TORCH_CHECK(false, "unknown scaling");
}

}  // namespace hijack
