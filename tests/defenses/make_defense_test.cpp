#include "defenses/make_defense.h"

#include <gtest/gtest.h>

#include "src/base/error.h"
#include "tests/support/temporary_folder.h"

namespace hijack::make_defense_test {
namespace {

std::string message_of(const std::string& spec) {
  try {
    parse_defense(spec);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(ParseDefense, ReadsNameAndParameters) {
  EXPECT_EQ(parse_defense("jpeg").name, "jpeg");
  EXPECT_TRUE(parse_defense("jpeg").parameters.empty());
  const DefenseSpec spec = parse_defense("perplexity:window=10,quantile=0.99");
  EXPECT_EQ(spec.name, "perplexity");
  EXPECT_EQ(spec.parameters, (std::map<std::string, std::string>{{"window", "10"}, {"quantile", "0.99"}}));
}

TEST(ParseDefense, BackslashKeepsACommaInAValue) {
  const DefenseSpec spec = parse_defense(R"(paraphrase:pattern=Well\, say = \\{prompt},seed=3)");
  EXPECT_EQ(spec.parameters.at("pattern"), R"(Well, say = \{prompt})");
  EXPECT_EQ(spec.parameters.at("seed"), "3");
}

TEST(ParseDefense, NamesTheNearest) {
  EXPECT_NE(message_of("jpg").find("jpeg"), std::string::npos);
  EXPECT_NE(message_of("perplexty:window=3").find("perplexity"), std::string::npos);
  EXPECT_NE(message_of("jpeg:qualty=3").find("quality"), std::string::npos);
}

TEST(ParseDefense, RefusesMalformedSpecs) {
  for (const char* spec : {"",
                           ":",
                           "jpeg:",
                           "jpeg:=75",
                           "jpeg:quality",
                           "jpeg:quality=",
                           "jpeg:quality=7x",
                           "jpeg:quality=0",
                           "jpeg:quality=101",
                           "jpeg:quality=75,quality=80",
                           "jpeg:quality=75,",
                           "jpeg quality=75",
                           "JPEG",
                           "perplexity:threshold=nan",
                           "perplexity:threshold=inf",
                           "perplexity:threshold=-1",
                           "perplexity:quantile=1.5",
                           "perplexity:window=-1",
                           "perplexity:preset=theirs",
                           "paraphrase:seed=-1",
                           "paraphrase:pattern=no place",
                           "paraphrase:temperature=hot",
                           "smoothvlm:share=1",
                           "smoothvlm:copies=0",
                           "smoothvlm:fill=white",
                           "smoothvlm:sigma=3",
                           "smoothing:sigma=0",
                           "smoothing:copies=0",
                           "smoothing:selection=0",
                           "smoothing:alpha=0.6",
                           "smoothing:abstain=maybe",
                           "jailguard:copies=1",
                           "jailguard:threshold=-0.1",
                           "cider:denoiser=diffusion",
                           "cider:rounds=0",
                           "cider:pool=max",
                           "judge:by=feeling",
                           "judge:reference=black",
                           "judge:tokens=0",
                           "judge:quantile=2",
                           "judge:question=Is {reply} fine?",
                           "ecso:answer={caption}",
                           "ecso:describe="}) {
    const std::string message = message_of(spec);
    EXPECT_NE(message, "") << spec;
    EXPECT_EQ(message.find('\n'), std::string::npos) << spec;
  }
}

TEST(MakeDefense, InfosNameEveryDefenseWithItsParameters) {
  const std::vector<DefenseInfo> infos = defense_infos();
  std::vector<std::string> names;
  for (const DefenseInfo& info : infos) {
    names.push_back(info.name);
    EXPECT_FALSE(info.help.empty()) << info.name;
    for (const DefenseParameter& parameter : info.parameters)
      EXPECT_FALSE(parameter.help.empty()) << info.name << " " << parameter.name;
    EXPECT_EQ(defense_info(info.name).name, info.name);
  }
  EXPECT_EQ(names, defense_names());
  for (const auto& [name, kind] : std::map<std::string, std::string>{{"jpeg", "image"},
                                                                     {"paraphrase", "text"},
                                                                     {"coca", "decoding"},
                                                                     {"smoothing", "votes"},
                                                                     {"perplexity", "detector"},
                                                                     {"ocr", "detector"},
                                                                     {"ecso", "detector"}})
    EXPECT_EQ(defense_info(name).kind, kind) << name;
  ASSERT_EQ(defense_info("jpeg").parameters.size(), 1u);
  EXPECT_EQ(defense_info("jpeg").parameters[0].value, 75);
  EXPECT_EQ(defense_info("mask_vote").name, "smoothvlm") << "a former name";
  EXPECT_NE(support::error_of([] { defense_info("jpg"); }).find("did you mean 'jpeg'"), std::string::npos);
}

TEST(MakeDefense, NamesAreUnique) {
  const std::vector<std::string> names = defense_names();
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size());
}

}  // namespace
}  // namespace hijack::make_defense_test
