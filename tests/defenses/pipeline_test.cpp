#include "defenses/pipeline.h"

#include <gtest/gtest.h>

#include "defenses/kinds.h"
#include "tests/support/fake_language_model.h"

namespace hijack::pipeline_test {
namespace {

/// Appends a letter to the prompt.
class Append : public TextTransform {
 public:
  explicit Append(std::string letter) : letter_(std::move(letter)) {}
  std::string name() const override { return letter_; }
  std::vector<Rewritten> rewrite(std::span<const Query> queries) const override {
    std::vector<Rewritten> all;
    for (const Query& query : queries)
      all.push_back({.query = {.prompt = query.prompt + letter_}, .note = query.prompt});
    return all;
  }

 private:
  std::string letter_;
};

/// Rejects prompts of more than `longest` bytes.
class Longer : public TextDetector {
 public:
  explicit Longer(double longest) : longest_(longest) {}
  std::string name() const override { return "longer"; }
  double score(const Query& query) const override { return static_cast<double>(query.prompt.size()); }
  double threshold() const override { return longest_; }
  std::vector<Calibration> calibrations() const override { return {{.name = name(), .threshold = longest_}}; }

 private:
  double longest_;
};

class Halve : public ImageTransform {
 public:
  std::string name() const override { return "halve"; }
  Tensor apply(const Tensor& image, Random&) const override {
    ++calls;
    return image / 2;
  }
  mutable int calls = 0;
};

Submission prompt(const std::string& text) {
  return {.image = {}, .query = {.prompt = text}};
}

TEST(Pipeline, TheFirstStageIsTheOutermost) {
  const EchoResponder model;
  const Responder answer = protect(
      {std::make_shared<Append>("a"), std::make_shared<Append>("b"), std::make_shared<Append>("c")}, model);
  const std::vector<Reply> replies = answer({prompt("x")});
  EXPECT_EQ(model.seen->at(0).query.prompt, "xabc");
  ASSERT_EQ(replies.at(0).trace.size(), 3u);
  EXPECT_EQ(replies[0].trace[0].stage, "a");
  EXPECT_EQ(replies[0].trace[1].note, "xa");
  EXPECT_EQ(replies[0].trace[2].note, "xab");
}

TEST(Pipeline, OrderDecidesWhatADetectorSees) {
  const auto append = std::make_shared<Append>("a");
  const auto longer = std::make_shared<Longer>(1);
  const EchoResponder model;
  EXPECT_FALSE(protect({longer, append}, model)({prompt("x")}).at(0).rejected);
  const Reply rejected = protect({append, longer}, model)({prompt("x")}).at(0);
  EXPECT_TRUE(rejected.rejected);
  ASSERT_EQ(rejected.trace.size(), 2u);
  EXPECT_EQ(rejected.trace[0].stage, "a");
  EXPECT_TRUE(rejected.trace[1].rejected);
  EXPECT_EQ(model.seen->size(), 1u);
}

TEST(Pipeline, StagesBehindARejectionAreMissingInItsTraceOnly) {
  const Responder answer =
      protect({std::make_shared<Longer>(1), std::make_shared<Append>("a")}, EchoResponder());
  const std::vector<Reply> replies = answer({prompt("x"), prompt("xx"), prompt("y")});
  EXPECT_EQ(replies.at(0).text, "|xa|");
  EXPECT_EQ(replies.at(1).text, kRejectionText);
  EXPECT_EQ(replies.at(2).text, "|ya|");
  EXPECT_EQ(replies.at(0).trace.size(), 2u);
  EXPECT_EQ(replies.at(1).trace.size(), 1u);
}

TEST(Pipeline, WithoutDefensesItIsTheModel) {
  const std::vector<Reply> replies = protect({}, EchoResponder())({prompt("x")});
  EXPECT_EQ(replies.at(0).text, "|x|");
  EXPECT_TRUE(replies.at(0).trace.empty());
}

TEST(Pipeline, NamesAndCalibrations) {
  EXPECT_EQ(stack_name({}), "none");
  const DefenseStack stack = {std::make_shared<Longer>(3), std::make_shared<Append>("b")};
  EXPECT_EQ(stack_name(stack), "longer + b");
  ASSERT_EQ(stack_calibrations(stack).size(), 1u);
  EXPECT_EQ(stack_calibrations(stack)[0].threshold, 3);
}

TEST(Pipeline, SurrogatesAreChained) {
  const DefenseStack stack = {std::make_shared<Halve>(), std::make_shared<Append>("a"),
                              std::make_shared<Halve>()};
  const Tensor image = at::ones({1, 3, 2, 2}).requires_grad_(true);
  Random random(0);
  const Tensor value = stack_surrogate(stack, image, random);
  EXPECT_FLOAT_EQ(value.mean().item<float>(), 0.25f);
  EXPECT_FLOAT_EQ(torch::autograd::grad({value.sum()}, {image})[0].mean().item<float>(), 1)
      << "straight-through unless a transform has its own gradient";
}

TEST(ImageTransform, ChangesASharedImageOnceAndKeepsItShared) {
  const Halve halve;
  const Tensor image = at::ones({1, 3, 2, 2});
  const EchoResponder model;
  halve.answer({{.image = image, .query = {.prompt = "a"}}, {.image = image, .query = {.prompt = "b"}}},
               model);
  EXPECT_EQ(halve.calls, 1);
  EXPECT_TRUE(model.seen->at(0).image.is_same(model.seen->at(1).image));
}

}  // namespace
}  // namespace hijack::pipeline_test
