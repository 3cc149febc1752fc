// hijack train robust-tower, as a user types it.
#include <nlohmann/json.hpp>

#include "tests/support/program.h"

namespace hijack::train_robust_tower_test {
namespace {

using namespace support;

class TrainRobustTower : public Program {
 protected:
  std::string train(const std::string& more) const {
    return "train robust-tower --steps 2 --batch 2 --inner-steps 2 --questions 6 --out " + at("tower") + " " +
           more;
  }
};

TEST_F(TrainRobustTower, TheTowerIsOneThatEveryCommandTakes) {
  const Outcome trained = run(train("--method fare --epsilon 4/255 --model " + kModel + " --json"));
  ASSERT_EQ(trained.code, 0) << trained.err;
  const auto row = nlohmann::json::parse(trained.out);
  EXPECT_EQ(row.at("kind"), "robust_tower");
  EXPECT_GT(row.at("moved").at("original").at("attacked").get<double>(), 0);
  EXPECT_FALSE(row.at("tasks").empty());
  EXPECT_EQ(nlohmann::json::parse(read_file(at("tower/evaluation.json"))).at("moved"), row.at("moved"));
  EXPECT_NE(trained.err.find("features moved"), std::string::npos);
  // white box: the attack is made on the model with the new tower
  const Outcome attacked =
      run(attack("--vision-tower " + at("tower") + " --steps 2 --epsilon 2/255,8/255 --out " + at("run")));
  EXPECT_EQ(attacked.code, 0) << attacked.err;
  EXPECT_EQ(
      run("chat --image " + kPhoto + " --prompt x --max-new-tokens 2 --vision-tower " + at("tower")).code, 0);
  expect_refused(train("--model " + kModel), "holds a training already");
}

TEST_F(TrainRobustTower, TowersAloneAndTheShippedModel) {
  // $HIJACK_MODEL stands for the shipped one
  ASSERT_EQ(run(train("--method tecoa")).code, 0);
  std::filesystem::rename(at("tower"), at("first"));
  const Outcome alone = run(train("--method simclip --model " + at("first")));
  ASSERT_EQ(alone.code, 0) << alone.err;
  EXPECT_EQ(alone.out.find("right with the original tower"), std::string::npos) << "a tower answers nothing";
}

TEST_F(TrainRobustTower, MistakesAreOneSentence) {
  expect_refused(train("--method fair"), "did you mean 'fare'");
  expect_refused(train("--epsilon 4"), "255");
  expect_refused(train("--method tecoa --images " + kRoot + "/samples/images"), "needs labels");
  expect_refused(train("--resume"), "start without --resume");
  expect_refused(train("--model " + kRoot + "/tests/golden/qwen2_vl/small"), "cannot be trained");
  expect_refused(train("--rate 2"), "--rate");
  EXPECT_FALSE(std::filesystem::exists(at("tower")));
}

}  // namespace
}  // namespace hijack::train_robust_tower_test
