#include "attacks/constraint.h"

#include <ATen/ATen.h>

#include <charconv>
#include <cmath>
#include <cstdio>

#include "src/base/error.h"
#include "src/base/image.h"
#include "src/base/nearest.h"

namespace hijack {
namespace {

constexpr double kLevels = 255;
constexpr int64_t kRowDim = 2;
constexpr int64_t kColumnDim = 3;

/// Whole lattice steps that fit into epsilon; 8/255 as a double must give exactly 8.
double lattice_steps(const LinfBall& ball) {
  return std::floor(ball.epsilon * kLevels + 1e-6);
}

Tensor inside(const Patch& patch, const Tensor& image) {
  return image.narrow(kRowDim, patch.top, patch.size).narrow(kColumnDim, patch.left, patch.size);
}

/// `origin` with `content` [N,3,size,size] in the patch.
Tensor with_patch(const Patch& patch, const Tensor& content, const Tensor& origin) {
  Tensor result = origin.clone();
  inside(patch, result).copy_(content);
  return result;
}

/// Levels 0..255 as floating-point numbers, which hold them exactly; and back.
Tensor levels(const Tensor& image) {
  return (image * kLevels).round().clamp(0, kLevels);
}
Tensor from_levels(const Tensor& values) {
  return from_bytes(values.to(at::kByte)).to(values.options());
}

Tensor uniform_like(const Tensor& image, Random& random) {
  return random.uniform_tensor(image.sizes(), 0, 1).to(image.options());
}

Tensor project_onto(const LinfBall& ball, const Tensor& image, const Tensor& origin) {
  const Tensor low = (origin - ball.epsilon).clamp_min(0);
  const Tensor high = (origin + ball.epsilon).clamp_max(1);
  return at::minimum(at::maximum(image, low), high);
}
Tensor project_onto(const Patch& patch, const Tensor& image, const Tensor& origin) {
  return with_patch(patch, inside(patch, image).clamp(0, 1), origin);
}
Tensor project_onto(const Box&, const Tensor& image, const Tensor&) {
  return image.clamp(0, 1);
}

Tensor lattice_onto(const LinfBall& ball, const Tensor& image, const Tensor& origin) {
  const double steps = lattice_steps(ball);
  const Tensor center = levels(origin);
  return from_levels(at::minimum(at::maximum(levels(image), center - steps), center + steps));
}
Tensor lattice_onto(const Patch& patch, const Tensor& image, const Tensor& origin) {
  return with_patch(patch, from_levels(levels(inside(patch, image))), origin);
}
Tensor lattice_onto(const Box&, const Tensor& image, const Tensor&) {
  return from_levels(levels(image));
}

Tensor point_in(const LinfBall& ball, const Tensor& origin, Random& random) {
  const Tensor low = (origin - ball.epsilon).clamp_min(0);
  const Tensor high = (origin + ball.epsilon).clamp_max(1);
  return low + uniform_like(origin, random) * (high - low);
}
Tensor point_in(const Patch& patch, const Tensor& origin, Random& random) {
  return with_patch(patch, uniform_like(inside(patch, origin), random), origin);
}
Tensor point_in(const Box&, const Tensor& origin, Random& random) {
  return uniform_like(origin, random);
}

Tensor noise_in(const LinfBall& ball, const Tensor& origin, Random& random) {
  const Tensor signs = (uniform_like(origin, random) < 0.5).to(origin.options()) * 2 - 1;
  return from_levels((levels(origin) + signs * lattice_steps(ball)).clamp(0, kLevels));
}
template <class Free>  // patch and box: any pixel value is allowed
Tensor noise_in(const Free& constraint, const Tensor& origin, Random& random) {
  return lattice_onto(constraint, point_in(constraint, origin, random), origin);
}

/// Differences [N,3,H,W] in steps of 1/255, zeroed where the constraint allows changes.
Tensor changes_outside(const Patch& patch, const Tensor& difference) {
  Tensor result = difference.clone();
  inside(patch, result).zero_();
  return result;
}
template <class Everywhere>
Tensor changes_outside(const Everywhere&, const Tensor& difference) {
  return at::zeros_like(difference);
}

double largest_difference(const LinfBall& ball) {
  return ball.epsilon * kLevels;
}
template <class Free>
double largest_difference(const Free&) {
  return kLevels;
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

std::string describe_one(const LinfBall& ball) {
  return "linf " + number(ball.epsilon * kLevels) + "/255";
}
std::string describe_one(const Patch& patch) {
  const std::string side = std::to_string(patch.size);
  return "patch " + side + "x" + side + " at row " + std::to_string(patch.top) + ", column " +
         std::to_string(patch.left);
}
std::string describe_one(const Box&) {
  return "box (unconstrained)";
}

Constraint make_linf(const ConstraintConfig& config, int64_t, int64_t) {
  return LinfBall{parse_epsilon(config.epsilon)};
}

Constraint make_patch(const ConstraintConfig& config, int64_t height, int64_t width) {
  const auto [size, top, left] = std::tuple(config.patch_size, config.patch_top, config.patch_left);
  if (size < 1)
    throw Error("patch_size is " + std::to_string(size) + ", but a patch has a side of at least 1 pixel.");
  // Written so that hostile sizes cannot overflow.
  if (size > std::min(height, width) || top < 0 || left < 0 || top > height - size || left > width - size)
    throw Error("the " + describe_one(Patch{size, top, left}) + " does not lie inside the model's input of " +
                std::to_string(width) + "x" + std::to_string(height) +
                " pixels: choose a smaller patch_size, or patch_top and patch_left that fit.");
  return Patch{size, top, left};
}

Constraint make_box(const ConstraintConfig&, int64_t, int64_t) {
  return Box{};
}

struct Entry {
  const char* name;
  Constraint (*make)(const ConstraintConfig&, int64_t height, int64_t width);
};
constexpr Entry kConstraints[] = {{"linf", make_linf}, {"patch", make_patch}, {"box", make_box}};

/// A plain decimal number: digits with at most one point. No sign, exponent, inf or nan.
std::optional<double> decimal(std::string_view text) {
  if (text.empty() || text.size() > 16 || text.find_first_not_of("0123456789.") != std::string_view::npos)
    return {};
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return {};
  return value;
}

}  // namespace

Tensor project(const Constraint& constraint, const Tensor& image, const Tensor& origin) {
  const at::NoGradGuard no_grad;
  return std::visit([&](const auto& one) { return project_onto(one, image, origin); }, constraint);
}

Tensor project_to_lattice(const Constraint& constraint, const Tensor& image, const Tensor& origin) {
  const at::NoGradGuard no_grad;
  return std::visit([&](const auto& one) { return lattice_onto(one, image, origin); }, constraint);
}

Tensor random_point(const Constraint& constraint, const Tensor& origin, Random& random) {
  const at::NoGradGuard no_grad;
  return std::visit([&](const auto& one) { return point_in(one, origin, random); }, constraint);
}

Tensor random_noise(const Constraint& constraint, const Tensor& origin, Random& random) {
  const at::NoGradGuard no_grad;
  return std::visit([&](const auto& one) { return noise_in(one, origin, random); }, constraint);
}

Budget measure_budget(const Constraint& constraint, const Tensor& image, const Tensor& origin) {
  const at::NoGradGuard no_grad;
  if (image.sizes() != origin.sizes())
    throw Error(
        "the image and its origin have different sizes, so the budget cannot be measured: use the origin "
        "that was saved beside the image.");
  constexpr double kTolerance = 1e-3;  // steps of 1/255: far above rounding in float32, far below one step
  const Tensor values = image.to(at::kDouble);
  const Tensor difference = (values - origin.to(at::kDouble)).abs() * kLevels;
  const bool in_range = values.ge(0).logical_and(values.le(1)).all().item<bool>();  // false for NaN, too
  const auto outside = [&](const auto& one) { return changes_outside(one, difference); };
  const Tensor moved = std::visit(outside, constraint).gt(kTolerance).any(1);  // [N,H,W]

  Budget budget;
  // float32 holds k/255 only to about 1e-5 of a step: a lattice image shall read 8, not 8.00001
  budget.max_difference_255 = std::round(difference.max().item<double>() * 1e4) / 1e4;
  budget.changed_outside = static_cast<double>(moved.sum().item<int64_t>());
  const double allowed = std::visit([](const auto& one) { return largest_difference(one); }, constraint);
  budget.respected =
      in_range && budget.changed_outside == 0 && budget.max_difference_255 <= allowed + kTolerance;
  return budget;
}

double radius(const Constraint& constraint) {
  const auto* ball = std::get_if<LinfBall>(&constraint);
  return ball ? ball->epsilon : 1.0;
}

std::string describe(const Constraint& constraint) {
  return std::visit([](const auto& one) { return describe_one(one); }, constraint) + " (model input space)";
}

Constraint make_constraint(const ConstraintConfig& config, int64_t height, int64_t width) {
  for (const Entry& entry : kConstraints)
    if (config.name == entry.name) return entry.make(config, height, width);
  throw Error(unknown_name("constraint", config.name, constraint_names()));
}

std::vector<std::string> constraint_names() {
  std::vector<std::string> names;
  for (const Entry& entry : kConstraints) names.emplace_back(entry.name);
  return names;
}

double parse_epsilon(const std::string& text) {
  constexpr std::string_view kUnit = "/255";
  const bool has_unit = text.ends_with(kUnit);
  const auto value = decimal(has_unit ? std::string_view(text).substr(0, text.size() - kUnit.size()) : text);
  if (has_unit && value && *value <= kLevels) return *value / kLevels;
  if (has_unit && value)
    throw Error("epsilon '" + text + "' is larger than the whole range: give at most 255/255.");
  if (value && *value <= kLevels)
    throw Error("epsilon '" + text + "' has no unit: write " +
                number(*value < 1 ? *value * kLevels : *value) + "/255.");
  throw Error("epsilon '" + text.substr(0, 64) +
              "' is not a radius: write a number from 0 to 255 with its unit, like 8/255.");
}

}  // namespace hijack
