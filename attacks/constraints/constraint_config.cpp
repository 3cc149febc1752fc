// The config of a constraint: names, units, ranges.
#include <charconv>

#include "attacks/constraint.h"
#include "attacks/constraints/lattice.h"
#include "attacks/constraints/regions.h"
#include "src/base/error.h"
#include "src/base/registry.h"

namespace hijack {
namespace {

constexpr double kLargestL2 = 1e4;  // more than the norm of any image of 16384 x 2000 pixels

int64_t at_least_one(const char* field, int64_t value) {
  if (value < 1)
    throw Error(std::string(field) + " is " + std::to_string(value) + ", but must be at least 1 pixel.");
  return value;
}

Constraint read_linf(const ConstraintConfig& config) {
  return LinfBall{parse_epsilon(config.epsilon)};
}
Constraint read_l2(const ConstraintConfig& config) {
  if (!(config.l2_radius >= 0 && config.l2_radius <= kLargestL2))
    throw Error(
        "l2_radius is " + short_number(config.l2_radius) +
        ", but must lie between 0 and 10000: it is the Euclidean norm of the change over the whole image, "
        "with pixel values from 0 to 1.");
  return L2Ball{config.l2_radius};
}
Constraint read_patch(const ConstraintConfig& config) {
  return Patch{at_least_one("patch_size", config.patch_size), config.patch_top, config.patch_left};
}
Constraint read_moving_patch(const ConstraintConfig& config) {
  return MovingPatch{at_least_one("patch_size", config.patch_size), config.patch_top, config.patch_left};
}
Constraint read_border(const ConstraintConfig& config) {
  return Border{at_least_one("border_width", config.border_width)};
}
Constraint read_mask_file(const ConstraintConfig& config) {
  return read_mask(config.mask);
}
Constraint read_box(const ConstraintConfig&) {
  return Box{};
}

std::string epsilon_part(const ConstraintConfig& config) {
  return "-" + config.epsilon.substr(0, config.epsilon.find('/'));
}
std::string l2_part(const ConstraintConfig& config) {
  return "-" + short_number(config.l2_radius);
}
std::string patch_part(const ConstraintConfig& config) {
  return "-" + std::to_string(config.patch_size);
}
std::string border_part(const ConstraintConfig& config) {
  return "-" + std::to_string(config.border_width);
}
std::string mask_part(const ConstraintConfig& config) {
  return "-" + std::filesystem::path(config.mask).stem().string();
}
std::string no_part(const ConstraintConfig&) {
  return "";
}

struct ConstraintKind {
  const char* name;
  Constraint (*read)(const ConstraintConfig&);
  std::string (*size)(const ConstraintConfig&);  ///< what the label adds to the name
};
const Registry<ConstraintKind> kConstraints("constraint", {{"linf", read_linf, epsilon_part},
                                                           {"l2", read_l2, l2_part},
                                                           {"patch", read_patch, patch_part},
                                                           {"moving_patch", read_moving_patch, patch_part},
                                                           {"border", read_border, border_part},
                                                           {"mask", read_mask_file, mask_part},
                                                           {"box", read_box, no_part}});

void check_one(const LinfBall&, int64_t, int64_t) {}
void check_one(const L2Ball&, int64_t, int64_t) {}
template <class Region>
void check_one(const Region& region, int64_t height, int64_t width) {
  check_region(region, height, width);
}

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

Constraint read_constraint(const ConstraintConfig& config) {
  return kConstraints.at(config.name).read(config);
}

void check_fits(const Constraint& constraint, int64_t height, int64_t width) {
  std::visit([&](const auto& one) { check_one(one, height, width); }, constraint);
}

Constraint make_constraint(const ConstraintConfig& config, int64_t height, int64_t width) {
  Constraint constraint = read_constraint(config);
  check_fits(constraint, height, width);
  return constraint;
}

std::vector<std::string> constraint_names() {
  return kConstraints.names();
}

std::string constraint_label(const ConstraintConfig& config) {
  return config.name + kConstraints.at(config.name).size(config);
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
                short_number(*value < 1 ? *value * kLevels : *value) + "/255.");
  throw Error("epsilon '" + text.substr(0, 64) +
              "' is not a radius: write a number from 0 to 255 with its unit, like 8/255.");
}

}  // namespace hijack
