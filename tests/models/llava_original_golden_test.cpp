// Folders as LLaVA's own code writes them, and towers beside them, against transformers with the same
// weights: tests/golden/llava_original/make.py made them and the expectations.
#include "models/families/llava_original.h"

#include <gtest/gtest.h>

#include "src/base/error.h"
#include "src/base/file.h"
#include "src/base/json.h"
#include "tests/support/expect_says.h"
#include "tests/support/family_golden.h"
#include "tests/support/temporary_folder.h"

namespace hijack::llava_original_golden_test {
namespace {

namespace fs = std::filesystem;
const fs::path kFolder = fs::path(HIJACK_SOURCE_DIR) / "tests/golden/llava_original";

class OriginalLlavaGolden : public testing::TestWithParam<const char*> {
 protected:
  static LoadOptions options() {
    LoadOptions options;
    if (GetParam() != std::string("llama2")) options.vision_tower = kFolder / "clip";
    return options;
  }
  FamilyGolden golden_{std::string("llava_original/") + GetParam(), options()};
};

TEST_P(OriginalLlavaGolden, IdsAndPixels) {
  golden_.expect_ids_and_pixels();
  golden_.expect_dialog();
}

TEST_P(OriginalLlavaGolden, LogitsAndGradients) {
  golden_.expect_logits_and_gradients();
}

TEST_P(OriginalLlavaGolden, BatchOfContexts) {
  golden_.expect_batch_gradient();
}

TEST_P(OriginalLlavaGolden, Replies) {
  golden_.expect_replies();
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, OriginalLlavaGolden, testing::Values("vicuna", "next", "llama2", "swapped"),
                         [](const auto& parameter) { return std::string(parameter.param); });

/// A copy of a folder, to be changed.
class OriginalLlava : public testing::Test {
 protected:
  OriginalLlava() { fs::copy(kFolder / "vicuna", folder_, fs::copy_options::recursive); }

  void set(const char* key, const nlohmann::json& value) const {
    auto config = read_json(folder_ / "config.json");
    config[key] = value;
    write_file(folder_ / "config.json", config.dump());
  }
  std::string why_not(const fs::path& tower = kFolder / "clip") const {
    return support::error_of([&] { load_model(folder_, {.vision_tower = tower}); });
  }
  std::string prompt() const {
    return load_model(folder_, {.device = "meta", .vision_tower = kFolder / "clip"})
        ->rendered({.prompt = "Who?"});
  }
  std::string origin() const {
    return load_model(folder_, {.device = "meta", .vision_tower = kFolder / "clip"})->template_origin();
  }

  const support::TemporaryFolder base_;
  const fs::path folder_ = base_.path() / "model";
};

TEST_F(OriginalLlava, TheTowerIsFoundOrAskedFor) {
  EXPECT_SAYS(why_not({}), "the vision tower 'openai/clip-vit-large-patch14-336'");
  EXPECT_SAYS(why_not({}), "name its folder with --vision-tower DIR");
  EXPECT_EQ(named_tower(folder_), std::nullopt);
  fs::copy(kFolder / "clip", base_.path() / "clip-vit-large-patch14-336");
  EXPECT_EQ(why_not({}), "");
  EXPECT_TRUE(fs::equivalent(*named_tower(folder_), base_.path() / "clip-vit-large-patch14-336"));
  set("mm_vision_tower", (kFolder / "clip").string());
  EXPECT_EQ(named_tower(folder_), kFolder / "clip");
  set("mm_hidden_size", 24);
  EXPECT_SAYS(why_not(), "the vision tower is 16 wide, but the model was made for one of 24");
}

TEST_F(OriginalLlava, TurnsAreThoseOfTheName) {
  EXPECT_EQ(origin(), "none in the folder; LLaVA v1 turns, by the name lmsys/vicuna-7b-v1.5");
  set("_name_or_path", "llava-llama-2-7b-chat");
  EXPECT_TRUE(prompt().starts_with("[INST] <<SYS>>\nYou are a helpful language")) << prompt();
  EXPECT_TRUE(prompt().ends_with("natural language.\n<</SYS>>\n\n<image>\nWho? [/INST]")) << prompt();
  set("_name_or_path", "LLaVA-7B-v0");
  EXPECT_TRUE(prompt().ends_with("questions.###Human: <image>\nWho?###Assistant:")) << prompt();
  set("_name_or_path", "llava-v1.6-mistral-7b");
  EXPECT_EQ(prompt(), "[INST] <image>\nWho? [/INST]");
  set("_name_or_path", "mine");
  EXPECT_EQ(origin(), "none in the folder; LLaVA v1 turns, assumed, as no name says which");
  set("mm_use_im_start_end", true);
  EXPECT_TRUE(prompt().ends_with("USER: <im_start><image><im_end>\nWho? ASSISTANT:")) << prompt();
  write_file(folder_ / "chat_template.jinja", "{{ messages[0]['content'] }}!");
  EXPECT_EQ(prompt(), "<im_start><image><im_end>\nWho?!");
  EXPECT_EQ(origin(), "the folder's own (chat_template.jinja)");
  write_file(folder_ / "chat_template.jinja", "<image>{{ messages[0]['content'][1]['text'] }}");
  EXPECT_EQ(prompt(), "<image>Who?");
}

TEST_F(OriginalLlava, WhatIsNotImplementedIsNamed) {
  for (const auto& [key, value] : {std::pair("mm_projector_type", "mlp3x_gelu"),
                                   {"image_aspect_ratio", "anyres_max_9"},
                                   {"mm_vision_select_feature", "slicefour_patch"},
                                   {"mm_resampler_type", "perceiver"},
                                   {"mm_patch_merge_type", "spatial_unpad"}}) {
    const auto before = read_file(folder_ / "config.json");
    set(key, value);
    EXPECT_SAYS(why_not(), key);
    EXPECT_SAYS(why_not(), "not supported");
    write_file(folder_ / "config.json", before);
  }
  fs::rename(folder_ / "tokenizer.json", folder_ / "tokenizer.model");
  EXPECT_SAYS(why_not(), "has its tokenizer as tokenizer.model only, which is not read; convert it once");
}

}  // namespace
}  // namespace hijack::llava_original_golden_test
