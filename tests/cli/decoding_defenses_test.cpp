// coca and steering from the command line: one that changes replies and one that does not, static and
// adaptive.
#include <nlohmann/json.hpp>

#include "models/checkpoint/safetensors_metadata.h"
#include "tests/support/small_runs.h"

namespace hijack::decoding_cli_test {
namespace {

using namespace support;

class DecodingDefenses : public SmallRuns {
 protected:
  DecodingDefenses() : SmallRuns({{"train", 4}, {"validation", 2}, {"test", 6}, {"calibration", 4}}) {}
  /// Replies of the run to one condition, by defense.
  std::map<std::string, std::vector<std::string>> replies(const std::string& name,
                                                          const std::string& condition) const {
    std::map<std::string, std::vector<std::string>> found;
    std::istringstream rows(read_file(at(name + "/replies.jsonl")));
    for (std::string line; std::getline(rows, line);) {
      const auto row = nlohmann::json::parse(line);
      if (row.at("condition") == condition && row.at("split") == "test")
        found[row.at("defense")].push_back(row.at("reply"));
    }
    return found;
  }
  std::string train(const std::string& more = "") const {
    return "train steering --run " + at("run") + " --patch-side 8 --ablations 24 --out " +
           at("steering.safetensors") + " " + more;
  }
};

TEST_F(DecodingDefenses, SteeringLearnsFromARunAndIsAttackedThrough) {
  make_run("run", "llava/siglip");
  const Outcome trained = run(train("--layer 2 --json"));
  ASSERT_EQ(trained.code, 0) << trained.err;
  const auto row = nlohmann::json::parse(trained.out);
  EXPECT_EQ(row.at("kind"), "steering");
  EXPECT_EQ(row.at("layer"), 2);
  EXPECT_EQ(row.at("images").size(), 1u);
  EXPECT_GT(row.at("honest_tokens"), 0);
  const std::string file = at("steering.safetensors");
  EXPECT_EQ(load_safetensors_metadata(file).at("detector"), "steering");
  const Outcome outcome = run("evaluate " + at("run") + " --defense steering:alpha=0,trained=" + file +
                              " --defense steering:alpha=20,layer=1,trained=" + file +
                              " --utility 0 --suffix-steps 0 --threads 1 --adaptive");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto attacks = replies("run", "attack");
  ASSERT_EQ(attacks.size(), 3u);
  for (const auto& [defense, said] : attacks) {
    EXPECT_EQ(defense.find(at("")), std::string::npos) << "no path of this machine";
    if (defense.starts_with("steering:alpha=20"))
      EXPECT_NE(said, attacks.at("none"));
    else
      EXPECT_EQ(said, attacks.at("none")) << "moved by nothing";
  }
  EXPECT_EQ(run("report " + at("run") + " -o " + at("report.html")).code, 0);
}

TEST_F(DecodingDefenses, CocaStaticAndAdaptive) {
  make_run("run", "llava/siglip");
  const Outcome outcome = run("evaluate " + at("run") +
                              " --defense coca --defense coca:alpha=0,text=x --utility 2 --suffix-steps 0 "
                              "--threads 1 --adaptive");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto attacks = replies("run", "attack");
  EXPECT_NE(attacks.at("coca:alpha=4"), attacks.at("none"));
  std::istringstream trials(read_file(at("run/trials.jsonl")));
  int adaptive = 0;
  for (std::string line; std::getline(trials, line);)
    adaptive += nlohmann::json::parse(line).at("id").get<std::string>().find("-vs-coca") != std::string::npos;
  EXPECT_EQ(adaptive, 2) << "an attack of its own through each";
  const Outcome said = run("chat --image " + kPhoto + " --prompt x --max-new-tokens 3 --defense coca");
  EXPECT_EQ(said.code, 0) << said.err;
  const Outcome attacked = run(attack("--defense coca --adaptive --steps 2 --out " + at("own")));
  EXPECT_EQ(attacked.code, 0) << attacked.err;
}

TEST_F(DecodingDefenses, MistakesAreOneSentence) {
  make_run("run", "llava/siglip");
  make_run("lists", "llava/lists");
  expect_refused(train("--layer 99"), "no layer 99");
  const Outcome nothing = run(train("--lasso 1000000"));  // after a line of progress
  EXPECT_EQ(nothing.code, 2);
  EXPECT_NE(nothing.err.find("no patch of the images"), std::string::npos) << nothing.err;
  expect_refused(train("--ablations 2"), "--ablations");
  EXPECT_FALSE(std::filesystem::exists(at("steering.safetensors")));
  ASSERT_EQ(run(train()).code, 0);
  const std::string spec = " --defense steering:trained=" + at("steering.safetensors");
  expect_refused("evaluate " + at("lists") + spec, "trained on another model");
  expect_refused("evaluate " + at("run") + spec + ",layer=99", "no layer 99");
  expect_refused("evaluate " + at("run") + " --defense steering", "hijack train steering");
  expect_refused("evaluate " + at("run") + " --defense coca:alpha=x", "alpha");
}

}  // namespace
}  // namespace hijack::decoding_cli_test
