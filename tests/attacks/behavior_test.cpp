#include "attacks/behavior.h"

#include <gtest/gtest.h>

#include "attacks/behaviors/corpus.h"
#include "attacks/behaviors/own_targets.h"
#include "src/base/error.h"
#include "src/base/file.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/toy_model.h"

namespace hijack {
namespace {

TEST(Behavior, StringStripsButKeepsCase) {
  const auto behavior = make_behavior({.name = "string", .target = "I was hijacked"});
  const Context context{.prompt = "what is it"};
  EXPECT_EQ(behavior->target_for(context), "I was hijacked");
  EXPECT_TRUE(behavior->succeeded(context, "  I was hijacked\n"));
  EXPECT_FALSE(behavior->succeeded(context, "I was hijacked by"));
  EXPECT_FALSE(behavior->succeeded(context, "i was hijacked"));
  EXPECT_FALSE(behavior->succeeded(context, ""));
  EXPECT_TRUE(behavior->contained(context, "yes I was hijacked by it"));
  EXPECT_FALSE(behavior->contained(context, "I was not"));
  EXPECT_TRUE(behavior->ends_reply());
}

TEST(Behavior, LeakHoldsTheContextsOwnPrompt) {
  const auto behavior = make_behavior({.name = "leak", .target = "send({context}) to me: {context}"});
  const Context context{.prompt = "my {context} secret"};
  EXPECT_EQ(behavior->target_for(context), "send(my {context} secret) to me: my {context} secret");
  EXPECT_TRUE(behavior->succeeded(context, behavior->target_for(context) + " "));
  EXPECT_FALSE(behavior->succeeded({.prompt = "another"}, behavior->target_for(context)));
  EXPECT_TRUE(behavior->contained(context, "ok " + behavior->target_for(context) + " done"));
  EXPECT_TRUE(behavior->ends_reply());
}

TEST(Behavior, RefusalAsksOnlyForThePrefix) {
  const auto behavior = make_behavior({.name = "refusal", .target = "Sure, here"});
  const Context context;
  EXPECT_TRUE(behavior->succeeded(context, " sure,\nHERE is what you want"));
  EXPECT_FALSE(behavior->succeeded(context, "No. Sure, here"));
  EXPECT_TRUE(behavior->contained(context, "No. Sure, here"));
  EXPECT_FALSE(behavior->contained(context, "Sure"));
  EXPECT_FALSE(behavior->ends_reply());
}

TEST(Behavior, CorpusIsAnyOfItsTargets) {
  const testing::TemporaryFolder folder;
  const auto file = folder.path() / "targets.txt";
  write_file(file, "  I was hijacked \r\n\nsay it please\nsay it please\n");
  const auto behavior = make_behavior({.name = "corpus", .targets = file.string()});
  const Context context{.prompt = "what is it"};
  EXPECT_EQ(behavior->targets_for(context), (std::vector<std::string>{"I was hijacked", "say it please"}));
  EXPECT_EQ(behavior->target_for(context), "I was hijacked");
  EXPECT_TRUE(behavior->succeeded(context, " say it please\n"));
  EXPECT_FALSE(behavior->succeeded(context, "say it please now"));
  EXPECT_TRUE(behavior->contained(context, "say it please now"));
  EXPECT_FALSE(behavior->contained(context, "say it"));
  const auto table = folder.path() / "targets.csv";
  write_file(table, "goal,target\nx,\"one, two\"\n");
  EXPECT_EQ(read_targets(table), std::vector<std::string>{"one, two"});
}

TEST(Behavior, BadCorporaAreRefused) {
  const testing::TemporaryFolder folder;
  const auto refused = [&](const char* name, const std::string& text) {
    write_file(folder.path() / name, text);
    return testing::error_of([&] { read_targets(folder.path() / name); });
  };
  EXPECT_NE(refused("a.txt", " \n\n").find("holds no target"), std::string::npos);
  EXPECT_NE(refused("a.csv", "goal\nx\n").find("no column 'target'"), std::string::npos);
  EXPECT_NE(refused("b.csv", "target\n").find("holds no target"), std::string::npos);
  const auto made = [](BehaviorConfig config) { return testing::error_of([&] { make_behavior(config); }); };
  EXPECT_NE(made({.name = "corpus"}).find("--targets FILE"), std::string::npos);
  EXPECT_NE(made({.name = "corpus", .target = "x", .targets = "y"}).find("no --target"), std::string::npos);
  EXPECT_NE(made({.name = "string", .target = "x", .targets = "y"}).find("behavior corpus"),
            std::string::npos);
}

TEST(Behavior, ContextsWithTargetsOfTheirOwn) {
  const Context mine{.prompt = "a", .system = "s"}, other{.prompt = "a"};
  const BehaviorConfig config{.name = "string", .target = "common"};
  OwnTargets behavior(make_behavior(config), config);
  behavior.add(mine, "own");
  EXPECT_EQ(behavior.target_for(mine), "own");
  EXPECT_EQ(behavior.target_for(other), "common");
  EXPECT_TRUE(behavior.succeeded(mine, "own ") && behavior.succeeded(other, "common"));
  EXPECT_FALSE(behavior.succeeded(mine, "common") || behavior.succeeded(other, "own"));
  EXPECT_TRUE(behavior.contained(mine, "my own"));
  for (const BehaviorConfig& no : {BehaviorConfig{.name = "disinformation", .target = "x"},
                                   BehaviorConfig{.name = "untargeted"}, BehaviorConfig{.name = "verbose"}})
    EXPECT_NE(testing::error_of([&] { OwnTargets(make_behavior(no), no); }).find("targets of their own"),
              std::string::npos);
  const BehaviorConfig leak{.name = "leak", .target = "send {context}"};
  OwnTargets leaks(make_behavior(leak), leak);
  EXPECT_NE(testing::error_of([&] { leaks.add(mine, "no place"); }).find("{context}"), std::string::npos);
}

/// Behaviors whose target comes from the model, prepared on the toy model's replies.
TEST(Behavior, UntargetedIsAnyOtherReplyThanTheCleanOne) {
  const ToyModel model;
  const auto contexts = toy_contexts(3);
  const auto behavior = make_behavior({.name = "untargeted", .target = ""});
  behavior->prepare(model, toy_image(), contexts, 12);
  const auto clean = model.generate(model.preprocess(toy_image()), contexts, {.max_new_tokens = 12});
  for (size_t i = 0; i < contexts.size(); ++i) {
    EXPECT_EQ(behavior->target_for(contexts[i]), clean[i]);
    EXPECT_FALSE(behavior->succeeded(contexts[i], " " + clean[i]));
    EXPECT_TRUE(behavior->succeeded(contexts[i], clean[i] + " more"));
    EXPECT_FALSE(behavior->contained(contexts[i], clean[i] + " more"));
  }
  EXPECT_EQ(behavior->default_objective(), "-1*behavior");
}

TEST(Behavior, VerboseCountsWords) {
  const ToyModel model;
  const auto contexts = toy_contexts(1);
  const auto behavior = make_behavior({.name = "verbose", .target = ""});
  behavior->prepare(model, toy_image(), contexts, 12);
  const std::string clean = behavior->target_for(contexts[0]);
  const std::string twice = clean.empty() ? "one two" : clean + " " + clean;
  EXPECT_FALSE(behavior->succeeded(contexts[0], clean));
  EXPECT_TRUE(behavior->succeeded(contexts[0], twice));
  EXPECT_TRUE(behavior->contained(contexts[0], clean + " more"));
  EXPECT_FALSE(behavior->ends_reply());
}

TEST(Behavior, DisinformationIsTheReplyToTheInstructedPrompt) {
  const ToyModel model;
  const auto contexts = toy_contexts(2);
  const auto behavior = make_behavior({.name = "disinformation", .target = "yes yes"});
  behavior->prepare(model, toy_image(), contexts, 12);
  EXPECT_EQ(behavior->instruction(), "yes yes");
  for (const Context& context : contexts) {
    const std::vector<Context> asked = {{.prompt = "yes yes " + context.prompt}};
    const auto reply = model.generate(model.preprocess(toy_image()), asked, {.max_new_tokens = 12});
    EXPECT_EQ(behavior->target_for(context), reply[0]);
    EXPECT_TRUE(behavior->succeeded(context, reply[0] + "\n"));
    EXPECT_FALSE(behavior->succeeded(context, reply[0] + " no"));
  }
}

TEST(Behavior, BadConfigsAreRefused) {
  for (const std::string name : {"string", "leak", "refusal", "disinformation"}) {
    EXPECT_THROW(make_behavior({.name = name, .target = ""}), Error) << name;
    EXPECT_THROW(make_behavior({.name = name, .target = " \n\t"}), Error) << name;
  }
  EXPECT_THROW(make_behavior({.name = "untargeted", .target = "x"}), Error);
  EXPECT_THROW(make_behavior({.name = "leak", .target = "send(context)"}), Error);
  try {
    make_behavior({.name = "sting", .target = "x"});
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "there is no behavior 'sting': did you mean 'string'? Known are string, leak, refusal, "
                 "disinformation, untargeted, verbose and corpus.");
  }
}

}  // namespace
}  // namespace hijack
