// The shipped model answers as the same folder does in transformers (tests/golden/pocket/make.py).
#include <gtest/gtest.h>

#include "models/load_model.h"
#include "src/base/image.h"
#include "src/base/json.h"

namespace hijack {
namespace {

const std::filesystem::path kRoot = HIJACK_SOURCE_DIR;

TEST(PocketGolden, RepliesEqualTransformers) {
  const auto model = load_model(kRoot / "samples/pocket");
  std::map<std::string, std::pair<std::vector<Query>, std::vector<std::string>>> asked;
  for (const auto& row : read_json(kRoot / "tests/golden/pocket/replies.json")) {
    auto& [queries, replies] = asked[row.at("image")];
    queries.push_back({.prompt = row.at("prompt")});
    replies.push_back(row.at("reply"));
  }
  ASSERT_FALSE(asked.empty());
  for (const auto& [image, pair] : asked) {
    const Tensor photo = load_image(kRoot / "samples/images" / image);
    const auto replies = model->generate(model->preprocess(photo), pair.first, {.max_new_tokens = 40});
    EXPECT_EQ(replies, pair.second) << image;
  }
}

TEST(PocketGolden, IsSmallEnoughToShip) {
  EXPECT_LE(std::filesystem::file_size(kRoot / "samples/pocket/model.safetensors"), uint64_t{20} << 20);
}

}  // namespace
}  // namespace hijack
