// --dtype autocast against transformers under torch.autocast("cpu", torch.bfloat16):
// tests/golden/autocast/make.py wrote the expectations, of tiny checkpoints of other goldens.
#include <ATen/Version.h>
#include <gtest/gtest.h>

#include "models/checkpoint/parameter_source.h"
#include "models/checkpoint/safetensors.h"
#include "models/load_model.h"
#include "src/base/file.h"
#include "src/base/image.h"

namespace hijack::autocast_golden_test {
namespace {

const std::filesystem::path kGolden = std::filesystem::path(HIJACK_SOURCE_DIR) / "tests/golden";

/// |a - b| / |b|, over all numbers.
double distance(const Tensor& a, const Tensor& b) {
  return ((a - b).norm() / b.norm()).item<double>();
}

void record(const char* what, double value) {
  std::ostringstream text;
  text << value;
  ::testing::Test::RecordProperty(what, text.str());
}

struct Step {
  Tensor logits, gradient;
};

Step step_of(const std::filesystem::path& folder, const nlohmann::json& row, const std::string& dtype) {
  const auto model = load_model(folder, {.dtype = dtype});
  Pixels pixels = model->preprocess(load_image(kGolden / "llava" / row.at("image").get<std::string>()));
  pixels.values = pixels.values.detach().requires_grad_(true);
  const auto target = row.at("target_ids").get<TokenIds>();
  const Tensor logits = model->target_logits(pixels, std::vector<Query>{{.prompt = row.at("prompt")}},
                                             std::vector<TokenIds>{target})[0];
  const Tensor loss = at::cross_entropy_loss(logits, at::tensor(target, at::kLong));
  return {logits.detach(), torch::autograd::grad({loss}, {pixels.values})[0]};
}

/// Whether this machine multiplies as the one that the expectations are of: vectors, but no bfloat16
/// instructions. Others sum in another order, and numbers fall to other sides of their roundings.
bool computes_alike() {
  return at::get_cpu_capability() != "DEFAULT" && !computes_in(at::kBFloat16, at::kCPU);
}

class AutocastGolden : public testing::TestWithParam<const char*> {};

// bfloat16 has 8 significant bits, so each rounding is off by up to 2^-9 = 0.002 of a number, and a pass of
// these checkpoints makes some forty of them: 0.014 to 0.055 in the logits, 0.05 to 0.18 in gradients. Both
// computations round at the same places, so the logits of idefics3 and mistral3 are equal; where a number
// falls to the other side of a rounding (quick GELU is x sigmoid(1.702 x) there and silu(1.702 x) / 1.702
// here) the roundings behind it differ, too. Measured: up to 0.011 and 0.08 apart, at most 0.42 of what
// either is from float32.
TEST_P(AutocastGolden, IsNearerToTransformersThanToFloat32) {
  const std::string name = GetParam();
  const TensorMap expected = load_safetensors(kGolden / "autocast/expected.safetensors");
  const auto json = nlohmann::json::parse(read_file(kGolden / name / "expected.json"));
  const auto& row = json.at("cases").at(0);
  const Step ours = step_of(kGolden / name, row, "autocast"), exact = step_of(kGolden / name, row, "float32");
  EXPECT_EQ(ours.logits.scalar_type(), at::kFloat);
  EXPECT_EQ(ours.gradient.scalar_type(), at::kFloat);
  const auto compare = [&](const std::string& what, const Tensor& own, const Tensor& wide, double most) {
    const Tensor& theirs = expected.at(name + "." + what);
    ASSERT_EQ(own.sizes(), theirs.sizes());
    const double apart = distance(own, theirs),
                 rounding = std::min(distance(own, wide), distance(theirs, wide));
    const double wider = computes_alike() ? 1 : 4;
    EXPECT_LT(apart, wider * 0.5 * rounding) << what;
    EXPECT_LT(apart, wider * most) << what;
    record((what + "_apart").c_str(), apart);
    record((what + "_from_float32").c_str(), rounding);
  };
  compare("logits", ours.logits, exact.logits, 0.015);
  compare("gradient", ours.gradient, exact.gradient, 0.1);
}

INSTANTIATE_TEST_SUITE_P(Families, AutocastGolden,
                         testing::Values("llava/clip_gqa", "idefics3/one_view", "internvl/small",
                                         "mistral3/small"));

}  // namespace
}  // namespace hijack::autocast_golden_test
