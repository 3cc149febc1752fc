#include "attacks/constraint.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "src/base/error.h"
#include "src/base/image.h"
#include "tests/support/toy_model.h"

namespace hijack::constraint_test {
namespace {

/// A picture with values at both ends of the range, where clipping and rounding go wrong first.
Tensor hard_origin() {
  Tensor image = toy_image();
  image.select(2, 0).fill_(0);
  image.select(2, 1).fill_(1);
  return image;
}

/// Free where row + column is a multiple of 3.
Mask striped_mask() {
  const Tensor place = at::arange(16).view({1, 1, 16, 1}) + at::arange(16).view({1, 1, 1, 16});
  return {place.remainder(3).eq(0), "stripes.png"};
}

std::vector<Constraint> one_of_each() {
  return {LinfBall{8.0 / 255}, L2Ball{0.9},    Patch{6, 3, 1}, MovingPatch{6, 3, 1},
          Border{3},           striped_mask(), Box{}};
}

double steps_between(const Tensor& a, const Tensor& b) {
  return ((a - b).abs().max() * 255).item<double>();
}

std::string message_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Constraint, LatticeBallHoldsExactlyTheWholeSteps) {
  const Tensor origin = hard_origin();
  Random random(1);
  for (int k = 0; k <= 255; ++k) {
    const LinfBall ball{parse_epsilon(std::to_string(k) + "/255")};
    const Tensor far = origin + (random.uniform_tensor(origin.sizes(), 0, 1).round() * 2 - 1);
    const Tensor lattice = project_to_lattice(ball, far, origin);
    EXPECT_TRUE(on_lattice(lattice));
    EXPECT_NEAR(steps_between(lattice, origin), k, 1e-3) << k;
    EXPECT_TRUE(measure_budget(ball, lattice, origin).respected) << k;
  }
}

TEST(Constraint, LatticeRoundsTowardTheOriginWhereNearestLeavesTheBall) {
  const Tensor origin = toy_image();
  const LinfBall ball{7.9 /
                      255};  // the nearest lattice point of origin + 7.9/255 is 8 steps away: not allowed
  const Tensor edge = project(ball, origin + 1, origin);
  EXPECT_NEAR(steps_between(project_to_lattice(ball, edge, origin), origin), 7, 1e-3);
  const Tensor half = origin + 2.6 / 255;
  EXPECT_NEAR(steps_between(project_to_lattice(ball, half, origin), origin), 3, 1e-3);
}

TEST(Constraint, LatticePatchKeepsTheOriginOutsideExactly) {
  const Tensor origin = hard_origin();
  const Patch patch{5, 2, 9};
  const Tensor lattice = project_to_lattice(patch, at::rand_like(origin) * 3 - 1, origin);
  EXPECT_TRUE(on_lattice(lattice));
  const Tensor changed = lattice.ne(origin).any(1)[0];  // [H,W]
  EXPECT_GT(changed.sum().item<int64_t>(), 20);
  EXPECT_EQ(changed.sum().item<int64_t>(), changed.narrow(0, 2, 5).narrow(1, 9, 5).sum().item<int64_t>());
}

TEST(Constraint, ProjectionIsTheNearestPointAndStaysThere) {
  const Tensor origin = hard_origin();
  Random random(2);
  for (const Constraint& constraint : one_of_each()) {
    const Tensor image = random.uniform_tensor(origin.sizes(), -1, 2);
    const Tensor once = project(constraint, image, origin);
    EXPECT_TRUE(at::equal(project(constraint, once, origin), once)) << describe(constraint);
    EXPECT_TRUE(measure_budget(constraint, once, origin).respected) << describe(constraint);
    const double distance = (once - image).norm().item<double>();
    for (int i = 0; i < 20; ++i) {
      const Tensor other = random_point(constraint, origin, random);
      EXPECT_TRUE(measure_budget(constraint, other, origin).respected) << describe(constraint);
      EXPECT_GE((other - image).norm().item<double>(), distance) << describe(constraint);
    }
  }
}

TEST(Constraint, RandomNoiseUsesTheFullBudgetOnTheLattice) {
  const Tensor origin = hard_origin();
  for (const Constraint& constraint : one_of_each()) {
    Random random(3);
    Random again(3);
    const Tensor noise = random_noise(constraint, origin, random);
    EXPECT_TRUE(on_lattice(noise));
    EXPECT_TRUE(measure_budget(constraint, noise, origin).respected) << describe(constraint);
    EXPECT_TRUE(at::equal(noise, random_noise(constraint, origin, again)));
    EXPECT_FALSE(at::equal(noise, random_noise(constraint, origin, random)));
  }
  Random random(3);
  const Tensor middle = origin.slice(2, 2);  // away from 0 and 1 every pixel moves by exactly 8 steps
  const Tensor moved = (random_noise(LinfBall{8.0 / 255}, middle, random) - middle).abs() * 255;
  EXPECT_NEAR(moved.min().item<double>(), 8, 1e-3);
}

TEST(Constraint, L2ProjectionFillsTheBallWhereTheRangeCutsIt) {
  const Tensor origin = hard_origin();
  Random random(5);
  for (const double radius : {0.05, 1.0, 6.0}) {
    const L2Ball ball{radius};
    const Tensor image = origin + random.normal_tensor(origin.sizes());
    const Tensor nearest = project(ball, image, origin);
    EXPECT_NEAR((nearest - origin).norm().item<double>(), radius, 1e-5 * radius + 1e-6);
    EXPECT_TRUE(nearest.ge(0).logical_and(nearest.le(1)).all().item<bool>());
  }
  const Tensor inside = origin.clamp(0.1, 0.9);
  EXPECT_TRUE(at::equal(project(L2Ball{20}, inside, origin), inside));
  EXPECT_TRUE(at::equal(project(L2Ball{0}, inside, origin), origin));
  const Tensor batch = at::cat({origin + 1, inside});
  const Tensor both = project(L2Ball{2}, batch, at::cat({origin, origin}));
  EXPECT_TRUE(at::equal(both.narrow(0, 1, 1), inside)) << "images of a batch are projected one by one";
}

TEST(Constraint, L2LatticeStaysInsideAndNearTheSphere) {
  const Tensor origin = hard_origin();
  Random random(6);
  for (const double radius : {0.0, 0.003, 0.004, 0.1, 0.5, 1.0, 3.0, 8.0, 40.0}) {
    const L2Ball ball{radius};
    for (int i = 0; i < 5; ++i) {
      const Tensor far = origin + 0.5 * random.normal_tensor(origin.sizes());
      const Tensor lattice = project_to_lattice(ball, far, origin);
      const Budget budget = measure_budget(ball, lattice, origin);
      EXPECT_TRUE(on_lattice(lattice));
      EXPECT_TRUE(budget.respected) << radius << " measured " << budget.l2;
      EXPECT_LE(budget.l2, radius + 1e-6);
      EXPECT_GT(budget.l2, radius >= 1 && radius <= 8 ? 0.97 * radius : -1);
      EXPECT_TRUE(at::equal(project_to_lattice(ball, lattice, origin), lattice));
    }
    const Tensor noise = random_noise(ball, origin, random);
    EXPECT_TRUE(measure_budget(ball, noise, origin).respected) << radius;
    EXPECT_GT(measure_budget(ball, noise, origin).l2, radius >= 0.1 && radius <= 8 ? 0.85 * radius : -1)
        << radius;
  }
}

TEST(Constraint, BorderIsAFrame) {
  const Tensor origin = hard_origin();
  const Tensor lattice = project_to_lattice(Border{3}, 1 - origin, origin);
  EXPECT_TRUE(at::equal(lattice.slice(2, 3, 13).slice(3, 3, 13), origin.slice(2, 3, 13).slice(3, 3, 13)));
  EXPECT_EQ(lattice.ne(origin).any(1).sum().item<int64_t>(), 16 * 16 - 10 * 10);
  Tensor inner = origin.clone();
  inner[0][0][3][3] += 1.0 / 255;
  EXPECT_EQ(measure_budget(Border{3}, inner, origin).changed_outside, 1);
}

TEST(Constraint, MaskFreesWhatIsNotBlack) {
  const auto file = std::filesystem::path(testing::TempDir()) / "hijack_mask.png";
  Tensor picture = at::zeros({1, 3, 16, 16});
  picture[0][2][5][6] = 1.0 / 255;
  picture[0][0][7][8] = 1;
  save_png(picture, file);
  const ConstraintConfig config{.name = "mask", .mask = file.string()};
  const Constraint mask = make_constraint(config, 16, 16);
  const Tensor origin = toy_image();
  const Tensor changed = project(mask, 1 - origin, origin).ne(origin).any(1)[0];
  EXPECT_EQ(changed.sum().item<int64_t>(), 2);
  EXPECT_TRUE(changed[5][6].item<bool>() && changed[7][8].item<bool>());
  EXPECT_NE(describe(mask).find("hijack_mask.png with 2 free pixels of 256"), std::string::npos)
      << describe(mask);

  const std::string other = message_of([&] { make_constraint(config, 32, 16); });
  EXPECT_NE(other.find("16x16 pixels, but the attacked image 16x32"), std::string::npos) << other;
  save_png(at::zeros({1, 3, 16, 16}), file);
  EXPECT_NE(message_of([&] { make_constraint(config, 16, 16); }).find("black everywhere"), std::string::npos);
  std::ofstream(file) << "no picture";
  EXPECT_THROW(read_constraint(config), Error);
  std::filesystem::remove(file);
  EXPECT_NE(message_of([&] { read_constraint(config); }).find("no mask file"), std::string::npos);
  EXPECT_NE(message_of([&] { read_constraint({.name = "mask"}); }).find("name a PNG"), std::string::npos);
}

TEST(Constraint, BudgetIsMeasuredAndViolationsAreSeen) {
  const Tensor origin = toy_image();
  Tensor moved = origin.clone();
  moved[0][1][4][5] += 9.0 / 255;
  const Budget ball = measure_budget(LinfBall{8.0 / 255}, moved, origin);
  EXPECT_NEAR(ball.max_difference_255, 9, 1e-3);
  EXPECT_FALSE(ball.respected);
  EXPECT_TRUE(measure_budget(LinfBall{9.0 / 255}, moved, origin).respected);
  EXPECT_TRUE(measure_budget(Patch{2, 4, 4}, moved, origin).respected);
  const Budget outside = measure_budget(Patch{2, 0, 0}, moved, origin);
  EXPECT_EQ(outside.changed_outside, 1);
  EXPECT_FALSE(outside.respected);
  const Budget norm = measure_budget(L2Ball{0.03}, moved, origin);
  EXPECT_NEAR(norm.l2, 9.0 / 255, 1e-6);
  EXPECT_FALSE(norm.respected);
  EXPECT_TRUE(measure_budget(L2Ball{0.04}, moved, origin).respected);
  EXPECT_TRUE(measure_budget(striped_mask(), moved, origin).respected);  // row 4 + column 5 is a stripe
  EXPECT_FALSE(measure_budget(Box{}, origin + 1, origin).respected);
  EXPECT_FALSE(measure_budget(Box{}, origin * NAN, origin).respected);
  EXPECT_THROW(measure_budget(Box{}, origin.slice(2, 1), origin), Error);
}

TEST(Constraint, EpsilonNeedsItsUnit) {
  EXPECT_DOUBLE_EQ(parse_epsilon("8/255"), 8.0 / 255);
  EXPECT_DOUBLE_EQ(parse_epsilon("0.5/255"), 0.5 / 255);
  EXPECT_DOUBLE_EQ(parse_epsilon("0/255"), 0);
  EXPECT_DOUBLE_EQ(parse_epsilon("255/255"), 1);
  EXPECT_NE(message_of([] { parse_epsilon("8"); }).find("write 8/255"), std::string::npos);
  EXPECT_NE(message_of([] { parse_epsilon("0.03"); }).find("write 7.65/255"), std::string::npos);
  for (const char* bad : {"", "/255", "-8/255", "8/256", "3.1%", "nan/255", "inf/255", "1e2/255", "256/255",
                          "8 /255", "1.2.3/255", "0x8/255", "999999999999999999999999/255", "8/255 "})
    EXPECT_THROW(parse_epsilon(bad), Error) << bad;
}

TEST(Constraint, BadConfigsAreRefusedBySentence) {
  EXPECT_NE(message_of([] { make_constraint({.name = "lnif"}, 16, 16); }).find("'linf'"), std::string::npos);
  const auto patch = [](int64_t size, int64_t top, int64_t left) {
    return message_of([&] {
      make_constraint({.name = "patch", .patch_size = size, .patch_top = top, .patch_left = left}, 16, 16);
    });
  };
  EXPECT_EQ(patch(16, 0, 0), "no error");
  EXPECT_NE(patch(0, 0, 0).find("at least 1"), std::string::npos);
  constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();
  for (const auto& [size, top, left] : {std::tuple<int64_t, int64_t, int64_t>{17, 0, 0},
                                        {8, 9, 0},
                                        {8, 0, 9},
                                        {8, -1, 0},
                                        {8, 0, -1},
                                        {kHuge, 0, 0},
                                        {8, kHuge, 0},
                                        {8, 0, kHuge}})
    EXPECT_NE(patch(size, top, left).find("inside"), std::string::npos) << size << " " << top << " " << left;
}

TEST(Constraint, BordersAndRadiiOutOfRangeAreRefused) {
  const auto border = [](int64_t width) {
    return message_of([&] { make_constraint({.name = "border", .border_width = width}, 16, 16); });
  };
  EXPECT_EQ(border(7), "no error");
  EXPECT_NE(border(8).find("leaves nothing inside"), std::string::npos);
  EXPECT_NE(border(std::numeric_limits<int64_t>::max()).find("leaves nothing inside"), std::string::npos);
  EXPECT_NE(border(0).find("at least 1"), std::string::npos);
  for (const double radius : {-1.0, 1e5, double{NAN}})
    EXPECT_THROW(read_constraint({.name = "l2", .l2_radius = radius}), Error) << radius;
  EXPECT_THROW(make_constraint({.name = "moving_patch", .patch_size = 17}, 16, 16), Error);
  EXPECT_THROW(read_constraint({.epsilon = "256/255"}), Error);
}

TEST(Constraint, LabelsNameTheSize) {
  const auto label = [](const std::string& name) {
    return constraint_label({.name = name, .epsilon = "4/255", .l2_radius = 2.5, .mask = "a/face.png"});
  };
  EXPECT_EQ(label("linf"), "linf-4");
  EXPECT_EQ(label("l2"), "l2-2.5");
  EXPECT_EQ(label("moving_patch"), "moving_patch-24");
  EXPECT_EQ(label("border"), "border-4");
  EXPECT_EQ(label("mask"), "mask-face");
  EXPECT_EQ(label("box"), "box");
}

TEST(Constraint, DescribesItself) {
  for (const Constraint& constraint : one_of_each())
    EXPECT_NE(describe(constraint).find("(model input space)"), std::string::npos);
  EXPECT_EQ(describe(L2Ball{2.5}), "l2 2.5 (model input space)");
  EXPECT_EQ(describe(LinfBall{parse_epsilon("8/255")}), "linf 8/255 (model input space)");
  EXPECT_NE(describe(Patch{24, 1, 2}).find("24x24"), std::string::npos);
  EXPECT_EQ(radius(Box{}), 1);
  EXPECT_DOUBLE_EQ(radius(LinfBall{0.25}), 0.25);
}

}  // namespace
}  // namespace hijack::constraint_test
