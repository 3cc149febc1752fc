// States inside of the decoder against transformers (tests/golden/states/make.py), in every family, and what
// changing them does.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "models/checkpoint/safetensors.h"
#include "models/load_model.h"
#include "models/state_hooks.h"
#include "src/base/file.h"
#include "src/base/image.h"
#include "src/base/tensor_math.h"
#include "tests/support/closeness.h"
#include "tests/support/temporary_folder.h"

namespace hijack::state_hooks_golden_test {
namespace {

const std::filesystem::path kStates = std::filesystem::path(HIJACK_SOURCE_DIR) / "tests/golden/states";

nlohmann::json golden_cases() {
  return nlohmann::json::parse(read_file(kStates / "cases.json"));
}

class StatesGolden : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const auto json = golden_cases();
    const auto& one = json.at("cases").at(GetParam());
    query_ = {.prompt = json.at("query").at("prompt")};
    ids_ = one.at("ids").get<TokenIds>();
    reply_ = one.at("reply").get<TokenIds>();
    model_ = load_model(kStates.parent_path() / one.at("folder").get<std::string>(), {.dtype = "float32"});
    const std::string image = one.at("image");
    image_ = image.empty() ? Tensor() : load_image(kStates / image);
    pixels_ = model_->preprocess(image_);
    golden_ = load_safetensors(kStates / (GetParam() + ".safetensors"));
  }
  const StateHooks& hooks() const { return state_hooks_of(*model_); }
  std::vector<TokenStates> states(const std::vector<Hook>& at, TokenChoice tokens,
                                  const std::vector<Query>& queries) const {
    const std::vector<TokenIds> replies(queries.size(), reply_);
    return hooks().states_at(pixels_, queries, replies, at, tokens);
  }
  std::vector<std::pair<Hook, std::string>> all_hooks() const {
    std::vector<std::pair<Hook, std::string>> all;
    for (const std::string& name : hook_point_names())
      for (int64_t layer = name == "residual" ? 0 : 1; layer <= hooks().layers(); ++layer)
        all.push_back({{hook_point_from_name(name), layer}, name + "." + std::to_string(layer)});
    return all;
  }

  Query query_;
  TokenIds ids_, reply_;
  std::shared_ptr<const VisionLanguageModel> model_;
  Tensor image_;
  Pixels pixels_;
  TensorMap golden_;
};

TEST_P(StatesGolden, EveryHookIsWhatTransformersComputes) {
  at::NoGradGuard no_gradients;
  std::vector<Hook> at;
  for (const auto& [hook, name] : all_hooks()) at.push_back(hook);
  size_t seen = 0;
  for (const std::string& choice : token_choice_names()) {
    // with another question, so that the prefix is shared
    const auto found = states(at, token_choice_from_name(choice), {query_, {.prompt = "What color is it?"}});
    const TokenStates& first = found.at(0);
    if (choice != "last" && choice != "all") seen += first.positions.size();
    if (first.positions.empty()) continue;
    const Tensor rows = at::tensor(first.positions, at::kLong);
    for (size_t h = 0; h < at.size(); ++h) {
      const auto& name = all_hooks()[h].second;
      ASSERT_EQ(first.states[h].size(0), rows.size(0)) << choice << name;
      EXPECT_LT(support::relative_error(first.states[h], golden_.at(name).index_select(0, rows)), 2e-5)
          << choice << name;
    }
  }
  EXPECT_EQ(seen, ids_.size() + reply_.size());
}

TEST_P(StatesGolden, LensOfTheLastLayerIsTheModelItself) {
  at::NoGradGuard no_gradients;
  const std::vector<Hook> last = {{HookPoint::kResidual, hooks().layers()}};
  const Tensor expected = golden_.at("logits")[0];
  const auto lens = hooks().lens_logits(states(last, TokenChoice::kLast, {query_}).at(0).states[0])[0];
  EXPECT_LT(support::relative_error(lens, expected), 2e-5);
}

TEST_P(StatesGolden, StatesLeadTheGradientToThePixels) {
  if (!image_.defined()) return;
  pixels_.values = pixels_.values.detach().requires_grad_(true);
  const std::vector<Hook> at = {{HookPoint::kResidual, 1}, {HookPoint::kMlp, 2}, {HookPoint::kAttention, 2}};
  // of all tokens: the last one may not see the image where windows slide
  const auto found = states(at, TokenChoice::kPrompt, {query_});
  for (const Tensor& states : found.at(0).states) {
    const Tensor gradient = torch::autograd::grad({states.square().sum()}, {pixels_.values}, {}, true)[0];
    EXPECT_GT(gradient.abs().max().item<double>(), 0);
  }
}

TEST_P(StatesGolden, ChangesReachLogitsAndReplies) {
  at::NoGradGuard no_gradients;
  const std::vector<Query> queries = {query_};
  const std::vector<TokenIds> targets = {reply_};
  const Tensor plain = model_->target_logits(pixels_, queries, targets).at(0);
  for (const auto& [hook, name] : all_hooks()) {
    const std::vector<StateChange> nothing = {{hook, [](const Tensor& states) { return states.clone(); }}};
    const Tensor same = hooks().changed_target_logits(pixels_, queries, targets, nothing).at(0);
    EXPECT_LT(support::relative_error(same, plain), 2e-5) << name;
    const std::vector<StateChange> other = {
        {hook, [](const Tensor& states) { return at::zeros_like(states); }}};
    const Tensor changed = hooks().changed_target_logits(pixels_, queries, targets, other).at(0);
    EXPECT_GT(support::relative_error(changed, plain), 1e-4) << name;
  }
  const GenerateOptions options{.max_new_tokens = 6};
  const std::vector<Hook> last = {{HookPoint::kResidual, hooks().layers()}};
  const std::vector<StateChange> flip = {{last[0], [](const Tensor& states) { return -states; }}};
  EXPECT_NE(hooks().changed_generate(pixels_, queries, options, flip),
            model_->generate(pixels_, queries, options));
  EXPECT_EQ(hooks().changed_generate(pixels_, queries, options, {}),
            model_->generate(pixels_, queries, options));
}

/// What a change of the chosen tokens is shown, pass by pass [.,D].
Tensor shown_to(const StateHooks& hooks, const Hook& hook, TokenChoice tokens,
                const std::function<void(std::span<const StateChange>)>& pass) {
  std::vector<Tensor> shown;
  const std::vector<StateChange> changes = {{hook,
                                             [&](const Tensor& states) {
                                               shown.push_back(states.flatten(0, 1));
                                               return states;
                                             },
                                             tokens}};
  pass(changes);
  return shown.empty() ? at::zeros({0, hooks.width()}) : at::cat(shown);
}

TEST_P(StatesGolden, ChangesTouchTheChosenTokensAlone) {
  at::NoGradGuard no_gradients;
  const std::vector<Query> queries = {query_};
  const std::vector<TokenIds> targets = {reply_};
  for (const Hook& hook : {Hook{HookPoint::kResidual, 1}, Hook{HookPoint::kMlp, 2}})
    for (const std::string& name : token_choice_names()) {
      const TokenChoice tokens = token_choice_from_name(name);
      Tensor expected = states({hook}, tokens, queries).at(0).states[0];
      if (tokens == TokenChoice::kReply || tokens == TokenChoice::kAll)
        expected = expected.narrow(0, 0, expected.size(0) - 1);  // not fed
      const Tensor scored = shown_to(hooks(), hook, tokens, [&](auto changes) {
        hooks().changed_target_logits(pixels_, queries, targets, changes);
      });
      ASSERT_EQ(scored.sizes(), expected.sizes()) << name;
      if (expected.size(0) == 0) continue;
      EXPECT_LT(support::relative_error(scored, expected), 2e-5) << name;
      const Tensor said = shown_to(hooks(), hook, tokens, [&](auto changes) {
        hooks().changed_generate(pixels_, queries, {.max_new_tokens = 3}, changes);
      });
      if (tokens == TokenChoice::kReply) {
        EXPECT_LE(said.size(0), 2);
      } else if (tokens != TokenChoice::kAll) {
        EXPECT_EQ(said.sizes(), expected.sizes()) << name;
      }
    }
}

TEST_P(StatesGolden, GradientsGoThroughChangesOfTheReply) {
  const Hook hook{HookPoint::kResidual, 1};
  const std::vector<TokenIds> targets = {reply_};
  const Tensor added = at::zeros({hooks().width()}).requires_grad_(true);
  const auto loss = [&](const Tensor& shift) {
    const std::vector<StateChange> changes = {
        {hook, [&](const Tensor& states) { return states + shift; }, TokenChoice::kReply}};
    const Tensor logits =
        hooks().changed_target_logits(pixels_, std::vector<Query>{query_}, targets, changes)[0];
    return at::cross_entropy_loss(logits, at::tensor(reply_, at::kLong));
  };
  const Tensor gradient = torch::autograd::grad({loss(added)}, {added})[0];
  at::NoGradGuard no_gradients;
  const Tensor direction = gradient / gradient.norm();
  constexpr double kStep = 1e-2;
  const double slope = (loss(direction * kStep) - loss(direction * -kStep)).item<double>() / (2 * kStep);
  EXPECT_NEAR(slope / gradient.norm().item<double>(), 1, 2e-2);
}

TEST_P(StatesGolden, LayersThatAreNotThereAreNamed) {
  const int64_t layers = hooks().layers();
  for (const Hook& hook :
       {Hook{HookPoint::kResidual, layers + 1}, Hook{HookPoint::kMlp, 0}, Hook{HookPoint::kAttention, -1}}) {
    const std::vector<Hook> at = {hook};
    const std::string said = support::error_of([&] { states(at, TokenChoice::kLast, {query_}); });
    EXPECT_NE(said.find("layer " + std::to_string(hook.layer)), std::string::npos) << said;
    EXPECT_NE(said.find(std::to_string(layers)), std::string::npos) << said;
    const std::vector<StateChange> changes = {{hook, [](const Tensor& states) { return states; }}};
    EXPECT_EQ(said, support::error_of(
                        [&] { hooks().changed_generate(pixels_, std::vector<Query>{query_}, {}, changes); }));
  }
}

std::vector<std::string> names_of_cases() {
  std::vector<std::string> names;
  const nlohmann::json all = golden_cases();
  for (const auto& [name, one] : all.at("cases").items()) names.push_back(name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, StatesGolden, testing::ValuesIn(names_of_cases()),
                         [](const auto& parameter) { return parameter.param; });

TEST(StateHooks, NamesAreTold) {
  EXPECT_NE(support::error_of([] { hook_point_from_name("residul"); }).find("residual"), std::string::npos);
  EXPECT_NE(support::error_of([] { token_choice_from_name("replies"); }).find("reply"), std::string::npos);
}

}  // namespace
}  // namespace hijack::state_hooks_golden_test
