// Replies by combined logits (decoding.h), against their definition: whole prompts scored anew for each
// token.
#include <gtest/gtest.h>

#include "models/decoding.h"
#include "models/load_model.h"
#include "models/state_hooks.h"
#include "src/base/error.h"
#include "src/base/image.h"
#include "tests/support/toy_model.h"

namespace hijack::weighted_decoding_test {
namespace {

const std::filesystem::path kRoot = HIJACK_SOURCE_DIR;
constexpr int64_t kTokens = 7;

std::shared_ptr<const VisionLanguageModel> model_of(const std::string& golden) {
  return load_model(kRoot / "tests/golden" / golden, {.dtype = "float32"});
}

Query careful(const Query& query) {
  Query other = query;
  other.prompt = "be careful " + query.prompt;
  return other;
}

/// l_careful + alpha (l_careful - l)
Decoding contrast(double alpha) {
  Decoding decoding;
  decoding.split(-alpha, 1 + alpha, careful);
  return decoding;
}

const std::vector<Query> kQueries = {{.prompt = "what is it"}, {.prompt = "a b c d e"}, {.prompt = "why"}};

/// Greedy replies as token ids, each token from the scores of whole prompts.
std::vector<TokenIds> slow_replies(const VisionLanguageModel& model,
                                   const std::function<Tensor(const Query&, const TokenIds&)>& logits) {
  const at::NoGradGuard no_gradients;
  const TokenIds end = model.end_of_reply();
  std::vector<TokenIds> all;
  for (const Query& query : kQueries) {
    TokenIds said;
    for (int64_t t = 0; t < kTokens; ++t) {
      TokenIds next = said;
      next.push_back(0);  // logits of a target predict its tokens, whatever the last is
      said.push_back(logits(query, next)[t].argmax().item<int64_t>());
      if (!end.empty() && said.back() == end.front()) break;
    }
    all.push_back(said);
  }
  return all;
}

std::vector<std::string> texts(const VisionLanguageModel& model, const std::vector<TokenIds>& replies) {
  std::vector<std::string> all;
  for (TokenIds ids : replies) {
    // padded vocabularies: rows of the head that no token stands for
    std::erase_if(ids, [&](TokenId id) { return id >= model.tokenizer().vocabulary_size(); });
    all.push_back(model.tokenizer().decode(ids, true));
  }
  return all;
}

std::vector<std::string> texts(const std::vector<Generated>& replies) {
  std::vector<std::string> all;
  for (const Generated& one : replies) all.push_back(one.text);
  return all;
}

class DecodingOf : public testing::TestWithParam<std::string> {
 protected:
  DecodingOf()
      : model_(model_of(GetParam())),
        pixels_(model_->preprocess(load_image(kRoot / "samples/images/chelsea.png"))) {}
  Tensor score(const Query& query, const TokenIds& target) const {
    return model_->target_logits(pixels_, {&query, 1}, {&target, 1}).front();
  }

  std::shared_ptr<const VisionLanguageModel> model_;
  Pixels pixels_;
};

TEST_P(DecodingOf, RepliesAreThoseOfTheCombinedLogits) {
  const auto combined = [&](const Query& query, const TokenIds& target) {
    const Tensor with = score(careful(query), target), without = score(query, target);
    return with + 2.0 * (with - without);
  };
  const auto mixed = with_decoding(model_, contrast(2));
  const auto replies = mixed->generate(pixels_, kQueries, {.max_new_tokens = kTokens});
  EXPECT_EQ(texts(replies), texts(*model_, slow_replies(*model_, combined)));
  EXPECT_NE(texts(replies), texts(model_->generate(pixels_, kQueries, {.max_new_tokens = kTokens})))
      << "two equal replies show nothing";
}

TEST_P(DecodingOf, LogitsOfTargetsAreCombined) {
  const TokenIds target = model_->target_ids("abc");
  const auto mixed = with_decoding(model_, contrast(4));
  const std::vector<TokenIds> targets(kQueries.size(), target);
  const auto logits = mixed->target_logits(pixels_, kQueries, targets);
  for (size_t i = 0; i < kQueries.size(); ++i) {
    const Tensor with = score(careful(kQueries[i]), target), without = score(kQueries[i], target);
    const Tensor wanted = with + 4.0 * (with - without);
    EXPECT_LT((logits[i] - wanted).abs().max().item<double>(), 1e-4 * wanted.abs().max().item<double>());
  }
}

TEST_P(DecodingOf, WithoutContrastItIsTheOtherWording) {
  const auto mixed = with_decoding(model_, contrast(0));
  std::vector<Query> worded;
  for (const Query& query : kQueries) worded.push_back(careful(query));
  EXPECT_EQ(mixed->generate(pixels_, kQueries, {.max_new_tokens = kTokens}),
            model_->generate(pixels_, worded, {.max_new_tokens = kTokens}));
  EXPECT_EQ(mixed->language_model()->generate(kQueries, {.max_new_tokens = kTokens}),
            model_->language_model()->generate(worded, {.max_new_tokens = kTokens}));
}

TEST_P(DecodingOf, StatesAreChangedInAllBranches) {
  Decoding decoding = contrast(1);
  const Tensor added = at::linspace(-1, 1, state_hooks_of(*model_).width());
  decoding.changes.push_back({{HookPoint::kResidual, 1}, [added](const Tensor& h) { return h + added; }});
  const auto combined = [&](const Query& query, const TokenIds& target) {
    const auto changed = [&](const Query& asked) {
      return state_hooks_of(*model_)
          .changed_target_logits(pixels_, {&asked, 1}, {&target, 1}, decoding.changes)
          .front();
    };
    const Tensor with = changed(careful(query));
    return with + (with - changed(query));
  };
  EXPECT_EQ(texts(with_decoding(model_, decoding)->generate(pixels_, kQueries, {.max_new_tokens = kTokens})),
            texts(*model_, slow_replies(*model_, combined)));
}

std::string family_name(const testing::TestParamInfo<std::string>& row) {
  std::string name = row.param;
  std::replace(name.begin(), name.end(), '/', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Families, DecodingOf,
                         testing::Values("llava/siglip", "llava/clip_gqa", "qwen2_vl/small"), family_name);

TEST(Decoding, APlainOneLeavesTheModelAlone) {
  const auto model = model_of("llava/siglip");
  EXPECT_EQ(with_decoding(model, {}), model);
  Decoding same;
  same.split(1, 0, careful);
  EXPECT_EQ(with_decoding(model, same), model);
}

TEST(Decoding, SplitsTwice) {
  Decoding decoding;
  decoding.split(-1, 2, careful);
  decoding.split(-3, 4, careful);
  double sum = 0;
  std::vector<std::string> asked;
  for (const DecodingBranch& branch : decoding.branches) {
    sum += branch.weight;
    asked.push_back(branch.asked ? branch.asked({.prompt = "x"}).prompt : "x");
  }
  EXPECT_DOUBLE_EQ(sum, 1);
  EXPECT_EQ(asked,
            (std::vector<std::string>{"be careful be careful x", "be careful x", "be careful x", "x"}));
}

TEST(Decoding, WhatCannotBeChangedIsNamed) {
  EXPECT_THROW(with_decoding(std::make_shared<ToyModel>(), contrast(1)), Error);
  Decoding decoding;
  decoding.changes.push_back({{HookPoint::kResidual, 99}, [](const Tensor& h) { return h; }});
  EXPECT_THROW(with_decoding(model_of("llava/siglip"), decoding), Error);
}

}  // namespace
}  // namespace hijack::weighted_decoding_test
