// Adapters that PEFT saved and merged (tests/golden/lora/make.py).
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "models/checkpoint/safetensors.h"
#include "models/load_model.h"
#include "src/base/json.h"

namespace hijack::lora_golden_test {
namespace {

namespace fs = std::filesystem;

TEST(LoraGolden, MergedLogitsAreThoseOfPeft) {
  const fs::path golden = fs::path(HIJACK_SOURCE_DIR) / "tests/golden", folder = golden / "llava/clip_gqa";
  const auto row = read_json(folder / "expected.json").at("cases").at(0);
  const auto key = row.at("key").get<std::string>();
  const Pixels pixels = {.values = load_safetensors(folder / "expected.safetensors")
                                       .at(key.substr(0, key.find('.')) + ".pixel_values")};
  const std::vector<Query> queries = {{.prompt = row.at("prompt").get<std::string>()}};
  const std::vector<TokenIds> targets = {row.at("target_ids").get<TokenIds>()};
  const TensorMap expected = load_safetensors(golden / "lora/expected.safetensors");
  const auto logits = [&](const LoadOptions& options) {
    return load_model(folder, options)->target_logits(pixels, queries, targets).at(0);
  };
  const Tensor base = logits({});
  for (const char* name : {"plain", "stabilized"}) {
    const Tensor merged = logits({.adapter = golden / "lora" / name}), wanted = expected.at(name);
    const double size = wanted.abs().max().item<double>();
    EXPECT_LT((merged - wanted).abs().max().item<double>(), 2e-5 * size) << name;
    EXPECT_GT((base - wanted).abs().max().item<double>(), 1e-2 * size) << name;
  }
}

}  // namespace
}  // namespace hijack::lora_golden_test
