// `--vision-tower`: another folder's tower in place of a model's own.
#include "models/families/tower_folder.h"

#include <gtest/gtest.h>

#include "models/load_model.h"
#include "src/base/error.h"
#include "src/base/file.h"
#include "src/base/json.h"
#include "tests/support/expect_says.h"
#include "tests/support/temporary_folder.h"

namespace hijack::tower_folder_test {
namespace {

namespace fs = std::filesystem;
const fs::path kGolden = fs::path(HIJACK_SOURCE_DIR) / "tests/golden";

/// A CLIP folder with the tower of a LLaVA, its names as `CLIPModel` of transformers 4 has them.
class TowerFolderTest : public testing::Test {
 protected:
  void SetUp() override {
    TensorMap tensors;
    for (const auto& [name, tensor] : load_safetensors(kModel / "model.safetensors"))
      if (const size_t at = name.find("vision_tower."); at != name.npos)
        tensors["vision_model." + name.substr(at + 13)] = tensor.clone();
    tensors["text_projection.weight"] = at::ones({2, 2});
    tensors["logit_scale"] = at::ones({});
    tensors["vision_model.embeddings.position_ids"] = at::arange(17).unsqueeze(0);
    write(tensors);
    const auto config = read_json(kModel / "config.json").at("vision_config");
    write_file(tower_ / "config.json",
               nlohmann::json{{"model_type", "clip"}, {"vision_config", config}}.dump());
    write_file(tower_ / "preprocessor_config.json",
               read_json(kModel / "processor_config.json").at("image_processor").dump());
  }

  void write(const TensorMap& tensors) const { save_safetensors(tensors, tower_ / "model.safetensors"); }

  Tensor features(const LoadOptions& options) const {
    const auto model = load_model(kModel, options);
    return model->image_features(model->preprocess(at::linspace(0, 1, 3 * 28 * 28).reshape({1, 3, 28, 28})));
  }

  std::string why_not(const fs::path& model) const {
    try {
      load_model(model, {.vision_tower = tower_});
    } catch (const Error& error) {
      return error.what();
    }
    return "loaded";
  }

  const fs::path kModel = kGolden / "llava/clip_gqa";
  const support::TemporaryFolder folder_;
  const fs::path tower_ = folder_.path();
};

TEST_F(TowerFolderTest, TheSameTowerChangesNothingAndAnotherOneDoes) {
  const Tensor own = features({});
  EXPECT_TRUE(at::equal(features({.vision_tower = tower_}), own));
  TensorMap tensors;
  for (const auto& [name, tensor] : load_safetensors(tower_ / "model.safetensors"))
    tensors[name] = tensor * 1.1;
  tensors.erase("vision_model.embeddings.position_ids");
  write(tensors);
  EXPECT_FALSE(at::allclose(features({.vision_tower = tower_}), own, 1e-3, 1e-3));
}

TEST_F(TowerFolderTest, WhatDoesNotFitIsOneSentence) {
  EXPECT_EQ(why_not(kModel), "loaded");
  EXPECT_SAYS(why_not(kGolden / "paligemma/small"), "takes no other vision tower; these do: llava,");
  auto config = read_json(tower_ / "config.json");
  config["vision_config"]["image_size"] = 21;
  write_file(tower_ / "config.json", config.dump());
  EXPECT_SAYS(why_not(kModel),
              "makes images of 28x28 pixels, but the vision tower of config.json takes 21x21");
  config["model_type"] = "bert";
  write_file(tower_ / "config.json", config.dump());
  EXPECT_SAYS(why_not(kModel), "model_type \"bert\" is no vision tower");
  fs::remove(tower_ / "config.json");
  EXPECT_SAYS(why_not(kModel), "a folder without config.json is read as open_clip writes it");
}

}  // namespace
}  // namespace hijack::tower_folder_test
