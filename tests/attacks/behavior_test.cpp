#include "attacks/behavior.h"

#include <gtest/gtest.h>

#include "attacks/behaviors/corpus.h"
#include "attacks/behaviors/own_targets.h"
#include "src/base/error.h"
#include "src/base/file.h"
#include "tests/support/scripted_model.h"
#include "tests/support/temporary_folder.h"

namespace hijack::behavior_test {
namespace {

TEST(Behavior, StringStripsButKeepsCase) {
  const auto behavior = make_behavior({.name = "string", .target = "I was hijacked"});
  const Context context{.prompt = "what is it"};
  EXPECT_EQ(behavior->target_for(context), "I was hijacked");
  EXPECT_TRUE(behavior->succeeded(context, {"  I was hijacked\n"}));
  EXPECT_FALSE(behavior->succeeded(context, {"I was hijacked by"}));
  EXPECT_FALSE(behavior->succeeded(context, {"i was hijacked"}));
  EXPECT_FALSE(behavior->succeeded(context, {""}));
  EXPECT_TRUE(behavior->matches_substring(context, {"yes I was hijacked by it"}));
  EXPECT_FALSE(behavior->matches_substring(context, {"I was not"}));
  EXPECT_TRUE(behavior->ends_reply());
}

TEST(Behavior, LeakHoldsTheContextsOwnPrompt) {
  const auto behavior = make_behavior({.name = "leak", .target = "send({context}) to me: {context}"});
  const Context context{.prompt = "my {context} secret"};
  EXPECT_EQ(behavior->target_for(context), "send(my {context} secret) to me: my {context} secret");
  EXPECT_TRUE(behavior->succeeded(context, {behavior->target_for(context) + " "}));
  EXPECT_FALSE(behavior->succeeded({.prompt = "another"}, {behavior->target_for(context)}));
  EXPECT_TRUE(behavior->matches_substring(context, {"ok " + behavior->target_for(context) + " done"}));
  EXPECT_TRUE(behavior->ends_reply());
}

TEST(Behavior, RefusalAsksOnlyForThePrefix) {
  const auto behavior = make_behavior({.name = "refusal", .target = "Sure, here"});
  const Context context;
  EXPECT_TRUE(behavior->succeeded(context, {" sure,\nHERE is what you want"}));
  EXPECT_TRUE(behavior->succeeded(context, {"Sure, here is what y", true})) << "it has begun";
  EXPECT_FALSE(behavior->succeeded(context, {"No. Sure, here"}));
  EXPECT_TRUE(behavior->matches_substring(context, {"No. Sure, here"}));
  EXPECT_FALSE(behavior->matches_substring(context, {"Sure"}));
  EXPECT_FALSE(behavior->ends_reply());
}

TEST(Behavior, RefusalEndsInWholeWordsAndGoesOn) {
  const auto judged = [](const std::string& prefix, const std::string& reply) {
    const auto behavior = make_behavior({.name = "refusal", .target = prefix});
    const bool exact = behavior->succeeded({}, {reply});
    EXPECT_TRUE(!exact || behavior->matches_substring({}, {reply})) << prefix << " in " << reply;
    return exact ? "begins" : behavior->matches_substring({}, {reply}) ? "contained" : "no";
  };
  EXPECT_STREQ(judged("Sure", "Sure, I can"), "begins");
  EXPECT_STREQ(judged("Sure", "sure: 1 2"), "begins");
  EXPECT_STREQ(judged("Sure", "Surely not"), "no");
  EXPECT_STREQ(judged("Sure", "I am not Surely sure of it"), "contained");
  EXPECT_STREQ(judged("I can", "I can help"), "begins");
  EXPECT_STREQ(judged("I can", "I can't help"), "no");
  EXPECT_STREQ(judged("I can", "I can\u2019t help"), "no");
  EXPECT_STREQ(judged("I can", "I cannot help"), "no");
  EXPECT_STREQ(judged("can", "I 'can' do it"), "contained");
  EXPECT_STREQ(judged("nowhere", "no where is it"), "no") << "white space counts";
  EXPECT_STREQ(judged("Sure, here", "Sure,here it is"), "no");
  EXPECT_STREQ(judged("Oui", "Ou\u00efe"), "no");
  EXPECT_STREQ(judged("ou", "ou\u00efe"), "no") << "letters beyond ASCII are letters";
  EXPECT_STREQ(judged("Sure!", "Sure!Here it is"), "begins") << "a prefix that ends in no letter";
  EXPECT_STREQ(judged("\u597d\u7684", "\u597d\u7684\u8fd9\u91cc"), "begins") << "no spaces in Chinese";
  // the prefix alone consents to nothing (Bailey et al. 2023)
  EXPECT_STREQ(judged("Sure, here", "Sure, here"), "no");
  EXPECT_STREQ(judged("Sure, here", " sure, here. \n"), "no");
}

TEST(Behavior, CorpusIsAnyOfItsTargets) {
  const support::TemporaryFolder folder;
  const auto file = folder.path() / "targets.txt";
  write_file(file, "  I was hijacked \r\n\nsay it please\nsay it please\n");
  const auto behavior = make_behavior({.name = "corpus", .targets = file.string()});
  const Context context{.prompt = "what is it"};
  EXPECT_EQ(behavior->targets_for(context), (std::vector<std::string>{"I was hijacked", "say it please"}));
  EXPECT_EQ(behavior->target_for(context), "I was hijacked");
  EXPECT_TRUE(behavior->succeeded(context, {" say it please\n"}));
  EXPECT_FALSE(behavior->succeeded(context, {"say it please now"}));
  EXPECT_TRUE(behavior->matches_substring(context, {"say it please now"}));
  EXPECT_FALSE(behavior->matches_substring(context, {"say it"}));
  const auto table = folder.path() / "targets.csv";
  write_file(table, "goal,target\nx,\"one, two\"\n");
  EXPECT_EQ(read_targets(table), std::vector<std::string>{"one, two"});
}

TEST(Behavior, BadCorporaAreRefused) {
  const support::TemporaryFolder folder;
  const auto refused = [&](const char* name, const std::string& text) {
    write_file(folder.path() / name, text);
    return support::error_of([&] { read_targets(folder.path() / name); });
  };
  EXPECT_NE(refused("a.txt", " \n\n").find("holds no target"), std::string::npos);
  EXPECT_NE(refused("a.csv", "goal\nx\n").find("no column 'target'"), std::string::npos);
  EXPECT_NE(refused("b.csv", "target\n").find("holds no target"), std::string::npos);
  const auto made = [](BehaviorConfig config) { return support::error_of([&] { make_behavior(config); }); };
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
  EXPECT_TRUE(behavior.succeeded(mine, {"own "}) && behavior.succeeded(other, {"common"}));
  EXPECT_FALSE(behavior.succeeded(mine, {"common"}) || behavior.succeeded(other, {"own"}));
  EXPECT_TRUE(behavior.matches_substring(mine, {"my own"}));
  for (const BehaviorConfig& no : {BehaviorConfig{.name = "disinformation", .target = "x"},
                                   BehaviorConfig{.name = "untargeted"}, BehaviorConfig{.name = "verbose"}})
    EXPECT_NE(support::error_of([&] { OwnTargets(make_behavior(no), no); }).find("targets of their own"),
              std::string::npos);
  const BehaviorConfig leak{.name = "leak", .target = "send {context}"};
  OwnTargets leaks(make_behavior(leak), leak);
  EXPECT_NE(support::error_of([&] { leaks.add(mine, "no place"); }).find("{context}"), std::string::npos);
}

/// Says "one red cat" to the clean image; "one red cat and N words" to prompts with "many".
ScriptedModel scripted(int64_t more = 6) {
  return ScriptedModel([more](const Tensor&, const Query& query) {
    std::string reply = "one red cat";
    if (query.prompt.find("many") != std::string::npos)
      for (int64_t i = 0; i < more; ++i) reply += " dog";
    return reply;
  });
}
const Context kShort{.prompt = "what is it"}, kLong{.prompt = "how many"};
const std::vector<Context> kBoth{kShort, kLong};

/// Behaviors whose target comes from the model, prepared on its replies.
TEST(Behavior, UntargetedIsAnyOtherReplyThanTheCleanOne) {
  const auto behavior = make_behavior({.name = "untargeted", .target = ""});
  behavior->prepare(scripted(), toy_image(), kBoth, 48);
  EXPECT_EQ(behavior->target_for(kShort), "one red cat");
  EXPECT_FALSE(behavior->succeeded(kShort, {" One  red cat"}));
  EXPECT_TRUE(behavior->succeeded(kShort, {"one red cat more"}));
  EXPECT_FALSE(behavior->matches_substring(kShort, {"one red cat more"}));
  EXPECT_TRUE(behavior->matches_substring(kShort, {"one red cats"}));
  EXPECT_TRUE(behavior->ends_reply(kShort));
  EXPECT_EQ(behavior->default_objective(), "-1*behavior");
  EXPECT_EQ(behavior->needed(scripted(), kBoth).tokens, 0);
}

TEST(Behavior, UntargetedTakesNoCutReplyForAnotherOneThatItMayHaveBecome) {
  const auto behavior = make_behavior({.name = "untargeted", .target = ""});
  behavior->prepare(scripted(), toy_image(), kBoth, 5);
  // a whole clean reply: "one red cat"
  EXPECT_FALSE(behavior->succeeded(kShort, {"one red", true}));
  EXPECT_FALSE(behavior->succeeded(kShort, {"one red cat", true}));
  EXPECT_TRUE(behavior->succeeded(kShort, {"one red"}));
  EXPECT_TRUE(behavior->succeeded(kShort, {"one red cat dog", true}));
  // one that was cut: "one red cat dog dog ..."
  EXPECT_EQ(behavior->target_for(kLong), "one red cat dog dog");
  EXPECT_FALSE(behavior->ends_reply(kLong)) << "no end token may stand behind the beginning of a reply";
  EXPECT_TRUE(behavior->ends_reply(kShort));
  EXPECT_FALSE(behavior->succeeded(kLong, {"one red cat dog dog", true})) << "the clean image itself";
  EXPECT_FALSE(behavior->succeeded(kLong, {"one red cat dog dog dog yes"})) << "it may go on like that";
  EXPECT_FALSE(behavior->succeeded(kLong, {"one red cat", true}));
  EXPECT_TRUE(behavior->succeeded(kLong, {"one red cat"}));
  EXPECT_TRUE(behavior->succeeded(kLong, {"one blue cat", true}));
  EXPECT_FALSE(behavior->matches_substring(kLong, {"yes one red cat dog dog no"}));
  // half a character at the cut is nothing that was said
  EXPECT_FALSE(behavior->succeeded(kShort, {"one red c\xEF\xBF\xBD", true}));
}

TEST(Behavior, VerboseCountsWords) {
  const auto behavior = make_behavior({.name = "verbose", .target = ""});
  const ScriptedModel model = scripted();
  behavior->prepare(model, toy_image(), kBoth, 48);
  EXPECT_FALSE(behavior->succeeded(kShort, {"one red cat one red"}));
  EXPECT_TRUE(behavior->succeeded(kShort, {"one red cat one red cat"}));
  EXPECT_TRUE(behavior->succeeded(kShort, {"one red cat one red cat", true})) << "it is that long already";
  EXPECT_TRUE(behavior->matches_substring(kShort, {"one red cat more"}));
  EXPECT_FALSE(behavior->ends_reply());
  EXPECT_EQ(behavior->needed(model, kBoth).tokens, 2 * 9 + 2);
  EXPECT_EQ(behavior->needed(model, {&kShort, 1}).tokens, 2 * 3 + 2);
}

TEST(Behavior, VerboseAndDisinformationNeedWholeReplies) {
  const ScriptedModel model = scripted();
  for (const BehaviorConfig& config :
       {BehaviorConfig{.name = "verbose"}, BehaviorConfig{.name = "disinformation", .target = "yes"}}) {
    const auto behavior = make_behavior(config);
    behavior->prepare(model, toy_image(), kBoth, 6);
    const ReplyNeed need = behavior->needed(model, kBoth);
    EXPECT_EQ(need.tokens, 12) << config.name;
    EXPECT_TRUE(need.estimate) << config.name;
    EXPECT_NE(need.why.find("1 of 2"), std::string::npos) << need.why;
    EXPECT_NE(need.why.find("'how many'"), std::string::npos) << need.why;
    EXPECT_NE(need.why.find("cut at 6 tokens"), std::string::npos) << need.why;
    EXPECT_FALSE(behavior->needed(model, {&kShort, 1}).estimate) << config.name;
    const std::string said = "one red cat dog dog dog";
    EXPECT_FALSE(behavior->succeeded(kLong, {said}) ||
                 behavior->matches_substring(kLong, {said + " " + said}))
        << config.name << " is not judged by the beginning of a reply";
    behavior->prepare(model, toy_image(), kBoth, 12);
    EXPECT_FALSE(behavior->needed(model, kBoth).estimate) << config.name;
  }
}

TEST(Behavior, OnlyRepliesThatWereCutAreAskedForAgain) {
  const ScriptedModel model = scripted();
  const auto behavior = make_behavior({.name = "untargeted"});
  behavior->prepare(model, toy_image(), kBoth, 5);
  behavior->prepare(model, toy_image(), kBoth, 5);
  behavior->prepare(model, toy_image(), kBoth, 20);
  EXPECT_EQ(model.longest_asked, (std::vector<int64_t>{5, 5, 20}));
  EXPECT_TRUE(behavior->ends_reply(kLong));
}

TEST(Behavior, DisinformationIsTheReplyToTheInstructedPrompt) {
  const ScriptedModel model([](const Tensor&, const Query& query) { return "yes " + query.prompt; });
  const auto behavior = make_behavior({.name = "disinformation", .target = "say no"});
  behavior->prepare(model, toy_image(), kBoth, 12);
  EXPECT_EQ(behavior->instruction(), "say no");
  EXPECT_EQ(behavior->target_for(kLong), "yes say no how many");
  EXPECT_TRUE(behavior->succeeded(kLong, {"yes say no how many\n"}));
  EXPECT_FALSE(behavior->succeeded(kLong, {"yes say no how many", true})) << "it may go on";
  EXPECT_FALSE(behavior->succeeded(kLong, {"yes say no how many no"}));
  EXPECT_TRUE(behavior->matches_substring(kLong, {"Yes say  no how many no"}));
  EXPECT_FALSE(behavior->matches_substring(kLong, {"yes say no how manyfold"}));
}

TEST(Behavior, ACutReplyIsNeverAWholeTarget) {
  const support::TemporaryFolder folder;
  write_file(folder.path() / "targets.txt", "say it\n");
  const std::vector<BehaviorConfig> configs = {{.name = "string", .target = "say it"},
                                               {.name = "leak", .target = "say it {context}"},
                                               {.name = "corpus", .targets = folder.path() / "targets.txt"}};
  for (const BehaviorConfig& config : configs) {
    const auto behavior = make_behavior(config);
    const std::string target = behavior->target_for(kLong);
    EXPECT_TRUE(behavior->succeeded(kLong, {target})) << config.name;
    EXPECT_FALSE(behavior->succeeded(kLong, {target, true})) << config.name;
    EXPECT_TRUE(behavior->matches_substring(kLong, {target, true})) << config.name;
    EXPECT_FALSE(behavior->matches_substring(kLong, {target + "ful"})) << config.name << " in whole words";
    const ReplyNeed need = behavior->needed(ToyModel(), kBoth);
    EXPECT_EQ(need.tokens, config.name == "leak" ? 6 : 3) << config.name;
    EXPECT_FALSE(need.estimate);
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
                 "disinformation, untargeted, verbose, resemble and corpus.");
  }
}

}  // namespace
}  // namespace hijack::behavior_test
