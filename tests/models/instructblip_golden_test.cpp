// InstructBLIP against transformers: tests/golden/instructblip/make.py made the checkpoints and the
// expectations.
#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "models/families/image_prompt_model.h"
#include "models/load_model.h"
#include "src/base/error.h"
#include "src/base/file.h"
#include "src/base/image.h"
#include "tests/support/expect_says.h"
#include "tests/support/family_golden.h"

namespace hijack::instructblip_golden_test {
namespace {

namespace fs = std::filesystem;
const fs::path kGolden = fs::path(HIJACK_SOURCE_DIR) / "tests/golden";

class InstructBlipGolden : public testing::TestWithParam<const char*> {
 protected:
  FamilyGolden golden_{std::string("instructblip/") + GetParam()};
};

TEST_P(InstructBlipGolden, IdsAndPixels) {
  golden_.expect_ids_and_pixels();
}

TEST_P(InstructBlipGolden, LogitsAndGradients) {
  golden_.expect_logits_and_gradients();
}

TEST_P(InstructBlipGolden, BatchOfContexts) {
  golden_.expect_batch_gradient();
}

TEST_P(InstructBlipGolden, Replies) {
  golden_.expect_replies();
}

TEST_P(InstructBlipGolden, Dialog) {
  golden_.expect_dialog();
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, InstructBlipGolden, testing::Values("small", "hub_bf16"),
                         [](const auto& parameter) { return std::string(parameter.param); });

TEST(InstructBlip, TheImageFollowsTheQuestion) {
  const auto loaded = load_model(kGolden / "instructblip/small", {.dtype = "float32"});
  const auto model = std::dynamic_pointer_cast<const ImagePromptModel>(loaded);
  ASSERT_TRUE(model->image_follows_question());
  const Pixels pixels = model->preprocess(load_image(kGolden / "qwen2_vl/images/wide.png"));
  EXPECT_EQ(model->image_features(pixels).size(1), 5);
  for (const int64_t layer : {0, 1})
    EXPECT_EQ(model->image_states(pixels, layer).sizes(), model->image_features(pixels).sizes()) << layer;
  // the same begin of the text, another question: what follows differs from the first token on
  const std::vector<Query> queries = {{.prompt = "cat"}, {.prompt = "cat on a mat"}};
  const std::vector<TokenIds> targets(2, model->target_ids("it"));
  const auto together = model->target_logits(pixels, queries, targets);
  for (size_t i = 0; i < 2; ++i) {
    const auto alone = model->target_logits(pixels, std::span(&queries[i], 1), std::span(&targets[i], 1));
    EXPECT_LT((together[i] - alone[0]).abs().max().item<double>(), 1e-4);
  }
  EXPECT_SAYS(
      [&] {
        try {
          model->input_ids(pixels, {.prompt = "<image>"});
        } catch (const Error& error) {
          return std::string(error.what());
        }
        return std::string("taken");
      }(),
      "image token");
}

/// A copy of a golden checkpoint that `change` damages.
std::string why_not(const std::function<void(const fs::path&)>& change) {
  const fs::path folder =
      fs::path(testing::TempDir()) / ("hijack_instructblip_" + std::to_string(::getpid()));
  fs::remove_all(folder);
  fs::copy(kGolden / "instructblip/small", folder, fs::copy_options::recursive);
  change(folder);
  std::string said = "loaded";
  try {
    const auto model = load_model(folder);
    const std::vector<Query> query = {{.prompt = std::string(300, '!')}};
    model->generate(model->preprocess(at::full({1, 3, 30, 30}, 0.5)), query, {.max_new_tokens = 1});
  } catch (const Error& error) {
    said = error.what();
  }
  fs::remove_all(folder);
  return said;
}

std::string with_config(const std::function<void(nlohmann::json&)>& change) {
  return why_not([&](const fs::path& folder) {
    auto config = nlohmann::json::parse(read_file(folder / "config.json"));
    change(config);
    write_file(folder / "config.json", config.dump());
  });
}

TEST(InstructBlip, WhatDoesNotFitIsNamed) {
  using json = nlohmann::json;
  EXPECT_SAYS(with_config([](json&) {}), "a question of 302 tokens does not fit the Q-Former's 64");
  EXPECT_SAYS(with_config([](json& c) { c["text_config"]["model_type"] = "t5"; }), "t5 (Flan-T5)");
  EXPECT_SAYS(with_config([](json& c) { c["text_config"]["model_type"] = "opt"; }), "not \"opt\"");
  EXPECT_SAYS(with_config([](json& c) { c["qformer_config"]["num_attention_heads"] = 5; }), "multiple");
  EXPECT_SAYS(with_config([](json& c) { c["qformer_config"]["cross_attention_frequency"] = 1; }),
              "crossattention");
  EXPECT_SAYS(with_config([](json& c) { c["qformer_config"]["vocab_size"] = 100; }),
              "more tokens than the Q-Former's vocabulary of 100");
  EXPECT_SAYS(with_config([](json& c) { c["vision_config"]["hidden_size"] = 32; }), "vision_model.");
  EXPECT_SAYS(why_not([](const fs::path& folder) { fs::remove_all(folder / "qformer_tokenizer"); }),
              "lacks qformer_tokenizer/tokenizer.json");
  EXPECT_SAYS(why_not([](const fs::path& folder) {
                fs::copy(kGolden / "llava/clip_gqa/model.safetensors", folder / "model.safetensors",
                         fs::copy_options::overwrite_existing);
              }),
              "lacks the tensor vision_model.");
}

}  // namespace
}  // namespace hijack::instructblip_golden_test
