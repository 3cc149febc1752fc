#include "attacks/behavior.h"

#include <gtest/gtest.h>

#include "src/base/error.h"
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
                 "disinformation, untargeted and verbose.");
  }
}

}  // namespace
}  // namespace hijack
