// --image-batch: several images in one pass of the model, or one after the other, with the same findings.
#include <nlohmann/json.hpp>

#include "src/experiment/record/results.h"
#include "tests/support/program.h"

namespace hijack::image_batch_test {
namespace {

using nlohmann::json;
using namespace support;

class ImageBatch : public Program {
 protected:
  std::string attack(const std::string& out, const std::string& more) const {
    return "attack --image " + kPhoto + " --behavior string --target abc --steps 3 --contexts " +
           at("contexts.jsonl") + " --max-new-tokens 6 --threads 1 --augment noise --draws 4 --out " +
           at(out) + " " + more;
  }
  std::vector<std::string> replies_of(const std::string& out, const std::string& defense) const {
    std::vector<std::string> said;
    for (const ReplyRow& row : read_run(at(out)).replies)
      if (row.defense.starts_with(defense)) said.push_back(row.reply);
    return said;
  }
};

TEST_F(ImageBatch, OneByOneAndTogetherFindTheSame) {
  ASSERT_EQ(run(attack("one", "--image-batch 1")).code, 0) << read_file(at("err"));
  ASSERT_EQ(run(attack("auto", "")).code, 0) << read_file(at("err"));
  const auto losses = [&](const char* out) { return read_run(at(out)).trials.at(0).losses; };
  ASSERT_EQ(losses("one").size(), losses("auto").size());
  for (size_t i = 0; i < losses("one").size(); ++i)
    EXPECT_NEAR(losses("one")[i], losses("auto")[i], 2e-5 * losses("one")[i]);
  const auto batch = [&](const char* out) {
    return json::parse(read_file(at(out) + "/manifest.json"))
        .at("plans")
        .at(0)
        .at("config")
        .at("image_batch");
  };
  EXPECT_EQ(batch("one"), "1");
  EXPECT_EQ(batch("auto"), "auto");
  EXPECT_EQ(read_run(at("one")).trials.at(0).setting_digest, read_run(at("auto")).trials.at(0).setting_digest)
      << "how the machine works is no part of the setting";
}

TEST_F(ImageBatch, EvaluateTakesItInPlaceOfTheRuns) {
  const std::string votes = "--defense smoothvlm:copies=5 --utility 0 --suffix-steps 0 --image-batch ";
  for (const char* out : {"one", "three"}) {
    ASSERT_EQ(run(attack(out, "")).code, 0) << read_file(at("err"));
    const std::string number = out == std::string("one") ? "1" : "3";
    ASSERT_EQ(run("evaluate " + at(out) + " " + votes + number).code, 0) << read_file(at("err"));
  }
  EXPECT_FALSE(replies_of("one", "smoothvlm").empty());
  EXPECT_EQ(replies_of("one", "smoothvlm"), replies_of("three", "smoothvlm"));
}

TEST_F(ImageBatch, RefusesWhatIsNoNumberOfImages) {
  for (const char* wrong : {"0", "many", "2000"}) {
    expect_refused(attack("wrong", std::string("--image-batch ") + wrong),
                   "write auto, or a number from 1 to");
    EXPECT_FALSE(std::filesystem::exists(at("wrong")));
  }
}

}  // namespace
}  // namespace hijack::image_batch_test
