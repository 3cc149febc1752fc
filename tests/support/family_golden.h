#pragma once
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "models/checkpoint/safetensors.h"
#include "models/load_model.h"

namespace hijack {

/// A checkpoint under tests/golden that a make.py with tests/golden/family.py made, and what transformers
/// said about it. The checks are gtest expectations; the largest differences are recorded as test properties
/// (--gtest_output=json shows them).
class FamilyGolden {
 public:
  /// folder: "qwen2_vl/small". options: how it is loaded, always in float32.
  explicit FamilyGolden(const std::string& folder, LoadOptions options = {});

  void expect_ids_and_pixels() const;
  void expect_logits_and_gradients() const;
  /// Two contexts on the first picture: the gradient of the sum of their losses, and the same logits.
  void expect_batch_gradient() const;
  void expect_replies() const;
  /// A system text and an earlier turn have the same ids.
  void expect_dialog() const;

  const VisionLanguageModel& model() const { return *model_; }

 private:
  struct Case {
    std::string key, picture, image, reply, target;
    Query query;
    TokenIds input_ids, target_ids;
    double loss = 0;
  };
  Pixels pixels_of(const Case& one) const;
  std::vector<Case> first_picture() const;

  std::filesystem::path folder_;
  std::shared_ptr<const VisionLanguageModel> model_;
  TensorMap expected_;
  std::vector<Case> cases_;
  nlohmann::json dialog_;
};

}  // namespace hijack
