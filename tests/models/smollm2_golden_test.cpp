// SmolLM2 and the eye before it against transformers: tests/golden/smollm2/make.py made the expectations,
// `make smollm2` makes the folders. Skipped where they are not there.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "models/load_model.h"
#include "src/base/file.h"
#include "src/base/image.h"

namespace hijack::smollm2_golden_test {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = HIJACK_SOURCE_DIR;
const fs::path kGolden = kRoot / "tests/golden/smollm2";
const fs::path kModels = kRoot / "build/models";

nlohmann::json cases(const char* file) {
  return nlohmann::json::parse(read_file(kGolden / file)).at("cases");
}

class SmolLm2 : public testing::Test {
 protected:
  static void need(const fs::path& file, const char* made_by = "make smollm2 makes it") {
    if (!fs::exists(file)) GTEST_SKIP() << file.string() << " is not there; " << made_by;
  }
};

TEST_F(SmolLm2, IdsOfAwkwardStrings) {
  ASSERT_NO_FATAL_FAILURE(need(kModels / "smollm2/config.json"));
  if (IsSkipped()) return;
  const auto tokenizer = Tokenizer::from_file(kModels / "smollm2/tokenizer.json");
  for (const auto& one : cases("strings.json")) {
    const std::string text = one.at("text");
    EXPECT_EQ(tokenizer->encode(text, false), one.at("ids").get<TokenIds>()) << text;
    EXPECT_EQ(tokenizer->decode(tokenizer->encode(text, false), false), text);
  }
}

TEST_F(SmolLm2, ScoresAndRepliesOfTheText) {
  ASSERT_NO_FATAL_FAILURE(need(kModels / "smollm2/config.json"));
  if (IsSkipped()) return;
  const auto model = load_language_model(kModels / "smollm2", {.dtype = "float32"});
  std::vector<Query> queries;
  std::vector<std::string> expected;
  for (const auto& one : cases("text.json")) {
    const std::string prompt = one.at("prompt");
    queries.push_back({.prompt = prompt});
    expected.push_back(one.at("reply"));
    const Tensor nll = model->prompt_nll(prompt),
                 wanted = at::tensor(one.at("nll").get<std::vector<float>>());
    ASSERT_EQ(nll.sizes(), wanted.sizes()) << prompt;
    if (nll.numel() > 0) {
      EXPECT_LE((nll - wanted).abs().max().item<double>(), 2e-4) << prompt;
    }
  }
  const auto replies = model->generate(queries, {.max_new_tokens = 24});
  for (size_t i = 0; i < queries.size(); ++i) EXPECT_EQ(replies[i].text, expected[i]) << queries[i].prompt;
}

TEST_F(SmolLm2, RepliesWithTheEye) {
  ASSERT_NO_FATAL_FAILURE(need(kModels / "smollm2-vision/config.json"));
  ASSERT_NO_FATAL_FAILURE(need(kGolden / "vision.json", "make.py beside it writes it once there is an eye"));
  if (IsSkipped()) return;
  const auto model = load_model(kModels / "smollm2-vision", {.dtype = "float32"});
  for (const auto& one : cases("vision.json")) {
    const Query query{.prompt = one.at("prompt")};
    const Tensor image = load_image(kRoot / "samples/images" / one.at("image").get<std::string>());
    const at::NoGradGuard no_gradients;
    const Pixels pixels = model->preprocess(image);
    EXPECT_EQ(model->input_ids(pixels, query), one.at("ids").get<TokenIds>()) << query.prompt;
    const TokenIds target = model->target_ids(one.at("target").get<std::string>());
    const Tensor logits = model->target_logits(pixels, {&query, 1}, {&target, 1}).front();
    const double loss = at::cross_entropy_loss(logits, at::tensor(target, at::kLong)).item<double>();
    EXPECT_NEAR(loss, one.at("loss").get<double>(), 1e-4 * loss) << query.prompt;
    EXPECT_EQ(model->generate(pixels, {&query, 1}, {.max_new_tokens = 24}).front().text,
              one.at("reply").get<std::string>())
        << query.prompt;
  }
}

}  // namespace
}  // namespace hijack::smollm2_golden_test
