// One length of replies for all that a trial asks, and what a cut reply may count for: real runs on models
// whose replies are given.
#include <gtest/gtest.h>

#include "src/experiment/evaluate/evaluate.h"
#include "src/experiment/run/prepared_behavior.h"
#include "tests/support/scripted_model.h"
#include "tests/support/toy_runs.h"

namespace hijack::reply_length_test {
namespace {

using support::error_of;

std::string words(int64_t count, const std::string& word = "dog") {
  std::string text;
  for (int64_t i = 0; i < count; ++i) text += (i == 0 ? "" : " ") + word;
  return text;
}

class ReplyLength : public ToyRuns {
 protected:
  ReplyLength() {
    // an objective that reads no replies: the toy's targets are at most 12 tokens long
    save_png(toy_image(9), root() / "other.png");
    config_.objective = {.formula = "features", .feature_image = (root() / "other.png").string()};
  }

  void say(ScriptedModel::Script script) {
    scripted_ = std::make_shared<ScriptedModel>(std::move(script));
    model_ = scripted_;
  }
  /// Whether a model was shown the photo itself.
  static bool clean(const Tensor& image) { return at::allclose(image, toy_image(), 0, 1e-3); }
  void expect_asked(int64_t longest) const {
    for (const int64_t asked : scripted_->longest_asked) EXPECT_EQ(asked, longest);
  }
  int64_t prepared_length() const {
    return prepare_behaviors(config_, contexts(), {model_}, toy_image()).reply_tokens;
  }
  ContextSet contexts() const { return read_contexts(config_.contexts); }

  std::shared_ptr<ScriptedModel> scripted_;
};

TEST_F(ReplyLength, AGivenOneThatIsTooShortIsRefusedWithBothNumbers) {
  config_.objective = {};
  for (const auto& behavior :
       {BehaviorConfig{"string", "I was hijacked"}, BehaviorConfig{"refusal", "sure it is"},
        BehaviorConfig{"leak", "{context}"}}) {
    config_.behavior = behavior;
    config_.max_new_tokens = 3;
    const std::string message = error_of([&] { begin("run"); });
    EXPECT_NE(message.find("--max-new-tokens 3"), std::string::npos) << message;
    EXPECT_NE(
        message.find("longest target has " + std::string(behavior.name == "leak" ? "6" : "3") + " tokens"),
        std::string::npos)
        << message;
    EXPECT_FALSE(std::filesystem::exists(root() / "run"));
  }
}

TEST_F(ReplyLength, AGivenOneDoesWhatItSaysEverywhere) {
  config_.objective = {};
  say([](const Tensor&, const Query&) { return words(4, "yes"); });
  config_.max_new_tokens = 4;
  const RunRecord run = finished("run");
  EXPECT_EQ(run.trials.at(0).reply_tokens, 4);
  for (const ReplyRow& row : run.replies) {
    EXPECT_EQ(row.reply, "yes yes yes yes");
    EXPECT_TRUE(row.cut) << "its end token is the fifth";
  }
  EvaluateConfig evaluate;
  evaluate.defense.defenses = {"median", "smoothvlm:copies=2", "jailguard:copies=2"};
  evaluate.utility = 3;
  evaluate.suffix.steps = 0;
  evaluate.suffix.tokens = 2;
  ASSERT_TRUE(evaluate_run(root() / "run", evaluate, {}, models()));
  expect_asked(4);
  std::set<std::string> cut, correct;
  for (const ReplyRow& row : read_run(root() / "run").replies) {
    if (row.cut) cut.insert(row.condition);
    EXPECT_FALSE(row.cut && row.correct);
  }
  EXPECT_TRUE(cut.contains("attack") && cut.contains("clean") && cut.contains("text_suffix"));
}

TEST_F(ReplyLength, WithoutOneTargetsFit) {
  say([](const Tensor&, const Query&) { return "yes"; });
  EXPECT_EQ(prepared_length(), 48);
  config_.behavior = {"string", words(60)};
  EXPECT_EQ(prepared_length(), 64) << "one for the end, three to spare";
  config_.behavior = {"refusal", words(60)};
  EXPECT_EQ(prepared_length(), 64);
}

TEST_F(ReplyLength, UntargetedSucceedsOnNoImageThatChangesNothing) {
  config_.behavior = {"untargeted", ""};
  say([](const Tensor&, const Query&) { return words(51) + " cat " + words(10); });
  const RunRecord run = finished("run");
  EXPECT_EQ(run.trials.at(0).reply_tokens, 48);
  for (const ReplyRow& row : run.replies) {
    EXPECT_TRUE(row.cut);
    EXPECT_FALSE(row.exact) << row.condition;
  }
  say([](const Tensor& image, const Query&) { return words(47) + (clean(image) ? " cat" : " dog cat"); });
  const RunRecord longer = finished("longer");  // neither text is known to the end
  EXPECT_EQ(longer.trials.at(0).success.at("test").exact, 5);
  EXPECT_EQ(longer.trials.at(0).controls.at("clean").exact, 0);
}

TEST_F(ReplyLength, DisinformationWithLongRepliesIsFollowedToTheirEnd) {
  config_.behavior = {"disinformation", "say yes"};
  say([](const Tensor& image, const Query& query) {
    return query.prompt.starts_with("say yes ") || !clean(image) ? words(100) : "no";
  });
  const RunRecord run = finished("run");
  EXPECT_EQ(run.trials.at(0).reply_tokens, 192);
  EXPECT_EQ(run.trials.at(0).success.at("test").exact, 5);
  EXPECT_EQ(run.trials.at(0).controls.at("clean").exact, 0);
  for (const ReplyRow& row : run.replies) EXPECT_FALSE(row.cut);
  config_.max_new_tokens = 50;
  RunFolder folder = begin("short");
  const std::string message = error_of([&] { go_on(folder); });
  EXPECT_NE(message.find("14 of 14 of the replies that are its targets"), std::string::npos) << message;
  EXPECT_NE(message.find("--max-new-tokens 50"), std::string::npos) << message;
  EXPECT_FALSE(std::filesystem::exists(root() / "short"));
}

TEST_F(ReplyLength, RepliesWithoutEndAreNoTargets) {
  say([](const Tensor&, const Query& query) {
    return words(query.prompt.ends_with("how many cat") ? 1000 : 3);
  });
  for (const auto& behavior : {BehaviorConfig{"disinformation", "say yes"}, BehaviorConfig{"verbose", ""}}) {
    config_.behavior = behavior;
    const std::string message = error_of([&] { prepared_length(); });
    EXPECT_NE(message.find("1 of 14"), std::string::npos) << message;
    EXPECT_NE(message.find("how many cat"), std::string::npos) << message;
    EXPECT_NE(message.find("cut at 512 tokens"), std::string::npos) << message;
    EXPECT_NE(message.find("--max-new-tokens"), std::string::npos) << message;
  }
  config_.behavior = {"untargeted", ""};
  EXPECT_EQ(prepared_length(), 48) << "which judges beginnings";
}

TEST_F(ReplyLength, VerboseHasRoomForTwiceTheCleanReply) {
  config_.behavior = {"verbose", ""};
  say([](const Tensor& image, const Query&) { return words(clean(image) ? 40 : 80); });
  const RunRecord run = finished("run");
  EXPECT_EQ(run.trials.at(0).reply_tokens, 2 * 40 + 2 + 3);
  EXPECT_EQ(run.trials.at(0).success.at("test").exact, 5);
  EXPECT_EQ(run.trials.at(0).controls.at("clean").exact, 0);
  config_.max_new_tokens = 60;
  const std::string message = error_of([&] { prepared_length(); });
  EXPECT_NE(message.find("--max-new-tokens 60"), std::string::npos) << message;
  EXPECT_NE(message.find("has 40 tokens"), std::string::npos) << message;
  EXPECT_NE(message.find("82"), std::string::npos) << message;
}

TEST_F(ReplyLength, IsOneForAllModels) {
  config_.behavior = {"verbose", ""};
  const auto brief = std::make_shared<ScriptedModel>([](const Tensor&, const Query&) { return words(2); });
  const auto chatty = std::make_shared<ScriptedModel>([](const Tensor&, const Query&) { return words(100); });
  for (const bool first : {true, false}) {
    const PreparedBehaviors prepared =
        first ? prepare_behaviors(config_, contexts(), {brief, chatty}, toy_image())
              : prepare_behaviors(config_, contexts(), {chatty, brief}, toy_image());
    EXPECT_EQ(prepared.reply_tokens, 2 * 100 + 2 + 3);
    EXPECT_EQ(prepared.of.at(first ? 0 : 1)->target_for(contexts().test[0]), words(2));
    EXPECT_EQ(prepared.of.at(first ? 1 : 0)->target_for(contexts().test[0]), words(100));
  }
}

TEST_F(ReplyLength, StopAtNeedsSuccessAndNoLowLoss) {
  std::string lines;
  for (const Context& context : toy_contexts(8))
    lines += nlohmann::json({{"prompt", context.prompt}, {"split", lines.size() < 300 ? "train" : "test"}})
                 .dump() +
             "\n";
  write_file(root() / "contexts.jsonl", lines);
  config_.behavior = {"untargeted", ""};
  config_.objective = {};
  config_.max_new_tokens = 6;
  config_.batch = 0;
  config_.stop_at = 1;
  say([](const Tensor&, const Query&) { return words(4); });
  std::set<double> shown;
  RunHooks hooks;
  hooks.on_step = [&](const TrialProgress& now) { shown.insert(now.success); };
  RunFolder folder = begin("run");
  ASSERT_TRUE(go_on(folder, hooks));
  EXPECT_EQ(read_run(root() / "run").trials.at(0).steps, 10);
  EXPECT_EQ(shown, std::set<double>{-1}) << "-loss is no success to show";
}

}  // namespace
}  // namespace hijack::reply_length_test
