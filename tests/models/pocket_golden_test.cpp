// The shipped model answers as the same folder does in transformers (tests/golden/pocket/make.py).
#include <gtest/gtest.h>

#include "models/load_model.h"
#include "src/base/image.h"
#include "src/base/json.h"

namespace hijack::pocket_golden_test {
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
    for (size_t i = 0; i < pair.second.size(); ++i) {
      EXPECT_EQ(replies.at(i).text, pair.second[i]) << image;
      EXPECT_FALSE(replies.at(i).cut) << image;
    }
  }
}

TEST(PocketGolden, SaysWhichRepliesWereCut) {
  const auto model = load_model(kRoot / "samples/pocket");
  const auto rows = read_json(kRoot / "tests/golden/pocket/replies.json");
  const auto row =
      *std::max_element(rows.begin(), rows.end(), [](const nlohmann::json& one, const nlohmann::json& other) {
        return one.at("reply").get<std::string>().size() < other.at("reply").get<std::string>().size();
      });
  const std::string whole = row.at("reply");
  const Query query{.prompt = row.at("prompt")};
  const Pixels pixels =
      model->preprocess(load_image(kRoot / "samples/images" / row.at("image").get<std::string>()));
  const auto tokens = static_cast<int64_t>(model->target_ids(whole).size());
  ASSERT_GT(tokens, 1);
  const auto asked = [&](int64_t longest) {
    return model->generate(pixels, {&query, 1}, {.max_new_tokens = longest}).at(0);
  };
  EXPECT_EQ(asked(tokens + 1), (Generated{whole, false})) << "with room for its end token";
  EXPECT_EQ(asked(tokens), (Generated{whole, true})) << "without";
  EXPECT_TRUE(asked(1).cut);
  EXPECT_LT(asked(1).text.size(), whole.size());
  EXPECT_EQ(asked(0), (Generated{"", true}));
  std::stop_source stop;
  stop.request_stop();
  EXPECT_TRUE(model->generate(pixels, {&query, 1}, {.stop = stop.get_token()}).at(0).cut);
  const auto alone = model->language_model()->generate({&query, 1}, {.max_new_tokens = 1}).at(0);
  EXPECT_TRUE(alone.cut);
}

TEST(PocketGolden, IsSmallEnoughToShip) {
  EXPECT_LE(std::filesystem::file_size(kRoot / "samples/pocket/model.safetensors"), uint64_t{20} << 20);
}

}  // namespace
}  // namespace hijack::pocket_golden_test
