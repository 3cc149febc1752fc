#include "tests/support/family_golden.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "src/base/file.h"
#include "src/base/image.h"
#include "tests/support/closeness.h"

namespace hijack {
namespace {

void record(const char* what, double value) {
  std::ostringstream text;
  text << value;
  ::testing::Test::RecordProperty(what, text.str());
}

LoadOptions in_float32(LoadOptions options) {
  options.dtype = "float32";
  return options;
}

}  // namespace

FamilyGolden::FamilyGolden(const std::string& folder, LoadOptions options)
    : folder_(std::filesystem::path(HIJACK_SOURCE_DIR) / "tests/golden" / folder),
      model_(load_model(folder_, in_float32(std::move(options)))),
      expected_(load_safetensors(folder_ / "expected.safetensors")) {
  const auto json = nlohmann::json::parse(read_file(folder_ / "expected.json"));
  dialog_ = json.value("dialog", nlohmann::json());
  for (const auto& row : json.at("cases")) {
    const auto key = row.at("key").get<std::string>();
    cases_.push_back({.key = key,
                      .picture = key.substr(0, key.find('.')),
                      .image = row.at("image"),
                      .reply = row.at("reply"),
                      .target = row.at("target"),
                      .query = {.prompt = row.at("prompt")},
                      .input_ids = row.at("input_ids"),
                      .target_ids = row.at("target_ids"),
                      .loss = row.at("loss")});
  }
}

Pixels FamilyGolden::pixels_of(const Case& one) const {
  Pixels pixels = model_->preprocess(load_image(folder_.parent_path() / one.image));
  pixels.values = pixels.values.detach().requires_grad_(true);
  return pixels;
}

std::vector<FamilyGolden::Case> FamilyGolden::first_picture() const {
  std::vector<Case> found;
  for (const auto& one : cases_)
    if (one.picture == cases_.front().picture) found.push_back(one);
  return found;
}

void FamilyGolden::expect_ids_and_pixels() const {
  double worst = 0;
  ASSERT_FALSE(cases_.empty());
  for (const auto& one : cases_) {
    const Pixels pixels = pixels_of(one);
    EXPECT_EQ(model_->input_ids(pixels, one.query), one.input_ids) << one.key;
    EXPECT_EQ(model_->target_ids(one.target), one.target_ids) << one.key;
    const Tensor& expected = expected_.at(one.picture + ".pixel_values");
    ASSERT_EQ(pixels.values.sizes(), expected.sizes()) << one.key;
    worst = std::max(worst, support::largest_difference(pixels.values, expected));
  }
  EXPECT_LE(worst, 1e-5);
  record("pixels", worst);
}

void FamilyGolden::expect_logits_and_gradients() const {
  double worst_logits = 0, worst_gradient = 0;
  for (const auto& one : cases_) {
    const Pixels pixels = pixels_of(one);
    const Tensor logits =
        model_->target_logits(pixels, std::vector<Query>{one.query}, std::vector<TokenIds>{one.target_ids})
            .at(0);
    if (const auto known = expected_.find(one.key + ".target_logits"); known != expected_.end()) {
      ASSERT_EQ(logits.sizes(), known->second.sizes());
      EXPECT_LE(support::relative_error(logits, known->second), 2e-5) << one.key;
      worst_logits = std::max(worst_logits, support::relative_error(logits, known->second));
    }
    const Tensor loss = support::mean_loss(logits, one.target_ids);
    EXPECT_NEAR(loss.item<double>(), one.loss, 1e-4) << one.key;
    const auto known = expected_.find(one.key + ".pixel_gradient");
    if (known == expected_.end()) continue;
    loss.backward();
    EXPECT_GT(support::cosine(pixels.values.grad(), known->second), 0.9999) << one.key;
    EXPECT_LE(support::relative_error(pixels.values.grad(), known->second), 1e-4) << one.key;
    worst_gradient = std::max(worst_gradient, support::relative_error(pixels.values.grad(), known->second));
  }
  record("logits", worst_logits);
  record("gradient", worst_gradient);
}

void FamilyGolden::expect_batch_gradient() const {
  const auto cases = first_picture();
  ASSERT_EQ(cases.size(), 2u);
  const Pixels pixels = pixels_of(cases[0]);
  const auto logits = model_->target_logits(pixels, std::vector<Query>{cases[0].query, cases[1].query},
                                            std::vector<TokenIds>{cases[0].target_ids, cases[1].target_ids});
  (support::mean_loss(logits[0], cases[0].target_ids) + support::mean_loss(logits[1], cases[1].target_ids))
      .backward();
  const Tensor& expected = expected_.at(cases[0].picture + ".batch_gradient");
  EXPECT_GT(support::cosine(pixels.values.grad(), expected), 0.9999);
  EXPECT_LE(support::relative_error(pixels.values.grad(), expected), 1e-4);
  for (size_t i = 0; i < cases.size(); ++i)
    EXPECT_LE(support::relative_error(logits[i], expected_.at(cases[i].key + ".target_logits")), 2e-5)
        << cases[i].key;
}

void FamilyGolden::expect_dialog() const {
  ASSERT_TRUE(dialog_.is_object());
  Query query{.prompt = dialog_.at("prompt"), .system = dialog_.at("system")};
  for (const auto& turn : dialog_.at("earlier"))
    query.earlier.push_back({turn.at("user"), turn.at("assistant")});
  EXPECT_EQ(model_->input_ids(pixels_of(cases_.front()), query), dialog_.at("input_ids").get<TokenIds>());
}

void FamilyGolden::expect_replies() const {
  for (const auto& one : cases_)
    EXPECT_EQ(
        model_->generate(pixels_of(one), std::vector<Query>{one.query}, {.max_new_tokens = 12}).at(0).text,
        one.reply)
        << one.key;
  const auto cases = first_picture();
  std::vector<Query> queries;
  for (const auto& one : cases) queries.push_back(one.query);
  const auto replies = model_->generate(pixels_of(cases[0]), queries, {.max_new_tokens = 12});
  ASSERT_EQ(replies.size(), cases.size());
  for (size_t i = 0; i < cases.size(); ++i)
    EXPECT_EQ(replies[i].text, cases[i].reply) << "batch " << cases[i].key;
}

}  // namespace hijack
