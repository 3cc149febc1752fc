// hijack features: an attack, an autoencoder of its model, and what the one does to the other's latents.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "models/sae/sae.h"
#include "src/experiment/record/results.h"
#include "tests/support/program.h"

namespace hijack::features_test {
namespace {

using namespace support;
namespace fs = std::filesystem;

class Features : public Program {
 protected:
  void SetUp() override {
    std::string lines;
    for (int i = 0; i < 28; ++i)
      lines += R"({"prompt": "question )" + std::to_string(i) + R"(", "split": ")" +
               (i < 4 ? "train" : "test") + "\"}\n";
    write_file(at("many.jsonl"), lines);
    const Outcome attacked =
        run("attack --image " + kPhoto + " --contexts " + at("many.jsonl") +
            " --threads 1 --target abc --max-new-tokens 6 --steps 3 --epsilon 16/255 --out " + at("run"));
    ASSERT_EQ(attacked.code, 0) << attacked.err;
    const Outcome trained = run(train("sae", "--layer 1"));
    ASSERT_EQ(trained.code, 0) << trained.err;
  }
  std::string train(const std::string& out, const std::string& more) const {
    return "train sae --model " + kModel + " --image " + at("run") + "/images/*.png --contexts " +
           at("many.jsonl") + " --threads 1 --steps 30 --batch 64 --k 4 --max-new-tokens 2 --out " + at(out) +
           " " + more;
  }
  std::string features(const std::string& more) const {
    return "features " + at("run") + " --threads 1 --sae " + at("sae") + " " + more;
  }
  void change_sae(const std::function<void(SparseAutoencoder&)>& change) const {
    SparseAutoencoder sae = SparseAutoencoder::read(at("sae"));
    change(sae);
    sae.write(at("sae"));
  }
};

TEST_F(Features, OfARunGoIntoItsFolderAndReport) {
  const Outcome outcome = run(features("--json --top 4"));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto row = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(row.at("kind"), "features");
  EXPECT_EQ(row.at("contexts"), 12);
  EXPECT_EQ(row.at("held_out"), 12);
  ASSERT_EQ(row.at("tokens").size(), 2u);
  for (const auto& tokens : row.at("tokens")) {
    EXPECT_LE(tokens.at("latents").size(), 4u);
    EXPECT_GT(tokens.at("tested").get<int>(), 0);
    EXPECT_LE(tokens.at("found").get<int>(), tokens.at("tested").get<int>());
  }
  const auto& image = row.at("tokens")[0];
  EXPECT_EQ(image.at("tokens"), "image");
  const std::string map = image.at("latents").at(0).at("heat_map");
  EXPECT_TRUE(read_file(at("run/" + map)).starts_with("\x89PNG"));
  ASSERT_GE(row.at("clamps").size(), 2u);
  EXPECT_EQ(row.at("clamps")[0].at("what"), "nothing");
  EXPECT_EQ(row.at("clamps")[0].at("n"), 12);
  const RunRecord record = read_run(at("run"));
  ASSERT_EQ(record.features.size(), 1u);
  EXPECT_EQ(to_json(record.features[0]).at("tokens"), row.at("tokens"));
  const std::string page = read_file(at("run/report.html"));
  for (const char* words : {"Inside the model", "sparse autoencoder", "Does the attack need what it changes"})
    EXPECT_NE(page.find(words), std::string::npos) << words;
  const Outcome report = run("report --format json " + at("run"));
  EXPECT_EQ(nlohmann::json::parse(report.out).at("features").size(), 1u);
  // the same once more: the same numbers, and the page shows the latest
  const Outcome again = run(features("--json --top 4"));
  EXPECT_EQ(nlohmann::json::parse(again.out), row);
  const Outcome text = run(features("--top 2 --limit 20"));
  EXPECT_NE(text.out.find("shuffled labels"), std::string::npos) << text.out << text.err;
}

TEST_F(Features, OfAnotherAutoencoderAreRefused) {
  const auto before = fs::exists(at("run/report.html"));
  expect_refused("features " + at("run") + " --sae " + at("none"), "cfg.json");
  expect_refused("features " + at("none") + " --sae " + at("sae"), "not a folder");
  expect_refused(features("--limit 12"), "20 are the fewest");
  change_sae([](SparseAutoencoder& sae) { sae.model_sha256 = std::string(64, 'a'); });
  expect_refused(features(""), "another model");
  change_sae(
      [](SparseAutoencoder& sae) { sae.model_sha256 = {}, sae.hook_name = "blocks.70.hook_resid_post"; });
  expect_refused(features(""), "layer 71");
  change_sae(
      [](SparseAutoencoder& sae) { sae.hook_name = "blocks.0.hook_resid_post", sae.tokens = "reply"; });
  expect_refused(features(""), "replies alone");
  change_sae([](SparseAutoencoder& sae) {
    sae.tokens = {};
    sae.encoder = sae.encoder.narrow(0, 0, 5).contiguous(),
    sae.decoder = sae.decoder.narrow(1, 0, 5).contiguous();
    sae.decoder_bias = sae.decoder_bias.narrow(0, 0, 5).contiguous();
  });
  expect_refused(features(""), "width 5");
  EXPECT_FALSE(fs::exists(at("run/features.jsonl")));
  EXPECT_EQ(fs::exists(at("run/report.html")), before);
  expect_refused(train("x", "--layer 99"), "layer 99");
  expect_refused(train("x", ""), "layer -1");
  expect_refused(train("x", "--layer 1 --tokens images"), "image");
  expect_refused(train("x", "--layer 1 --architecture jumprellu"), "jumprelu");
  expect_refused(train("x", "--layer 1 --limit 4"), "ten");
  EXPECT_FALSE(fs::exists(at("x")));
}

TEST_F(Features, WhatWasChangedAfterwardsIsNotRead) {
  ASSERT_EQ(run(features("--top 2")).code, 0);
  std::string lines = read_file(at("run/features.jsonl"));
  const size_t place = lines.find("\"held_out\":12");
  ASSERT_NE(place, std::string::npos);
  write_file(at("run/features.jsonl"), lines.replace(place, 13, "\"held_out\":99"));
  expect_refused("report " + at("run"), "features.jsonl");
}

}  // namespace
}  // namespace hijack::features_test
