// hijack activations, then hijack train sae on what it wrote.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "models/sae/sae.h"
#include "tests/support/program.h"

namespace hijack::train_sae_test {
namespace {

using namespace support;

class TrainSae : public Program {
 protected:
  std::string train(const std::string& more) const {
    return "train sae --activations " + at("a.safetensors") + " --steps 20 --batch 32 --k 4 --out " +
           at("sae") + " " + more;
  }
};

TEST_F(TrainSae, FromActivationsToAFolder) {
  ASSERT_EQ(
      run("activations --clean " + kPhoto + " " + kRoot + "/tests/golden/llava/images/wide.png --contexts " +
          at("contexts.jsonl") + " --tokens prompt --layer 1 --threads 1 --out " + at("a.safetensors"))
          .code,
      0);
  const Outcome outcome = run(train("--json"));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto row = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(row.at("kind"), "sae");
  EXPECT_LE(row.at("l0").get<double>(), 4);
  const SparseAutoencoder sae = SparseAutoencoder::read(at("sae"));
  EXPECT_EQ(sae.width(), 24);
  EXPECT_EQ(sae.latents(), 192);
  EXPECT_EQ(sae.hook_name, "blocks.0.hook_resid_post");
  EXPECT_EQ(sae.model_sha256.size(), 64U);
  expect_refused(train(""), "holds a training already");
  expect_refused(train("--architecture relu"), "jumprelu");
  expect_refused("train sae --activations " + at("none.safetensors") + " --out " + at("x"),
                 "none.safetensors");
  expect_refused("train sae --activations " + kPhoto + " --out " + at("x"), "chelsea.png");
  expect_refused("train sae --out " + at("x"), "--activations");
  EXPECT_FALSE(std::filesystem::exists(at("x")));
}

TEST_F(TrainSae, EveryArchitectureStraightFromAModel) {
  std::string lines;
  for (int i = 0; i < 12; ++i)
    lines += R"({"prompt": "question )" + std::to_string(i) + R"(", "split": "test"})" + "\n";
  write_file(at("twelve.jsonl"), lines);
  const std::pair<const char*, const char*> saved[] = {
      {"topk", "topk"}, {"batchtopk", "jumprelu"}, {"jumprelu", "jumprelu"}, {"standard", "standard"}};
  for (const auto& [name, as] : saved) {
    const Outcome outcome =
        run("train sae --model " + kModel + " --image " + kPhoto + " --contexts " + at("twelve.jsonl") +
            " --layer 2 --hook mlp --threads 1 --steps 10 --batch 32 --k 4 --max-new-tokens 2 --json --out " +
            at(name) + " --architecture " + name);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    const auto row = nlohmann::json::parse(outcome.out);
    EXPECT_GT(row.at("reply_tokens").get<int>(), 0);
    EXPECT_TRUE(row.contains("loss_recovered"));
    const SparseAutoencoder sae = SparseAutoencoder::read(at(name));
    EXPECT_EQ(sae.architecture, as);
    EXPECT_EQ(sae.hook_name, "blocks.1.hook_mlp_out");
    EXPECT_EQ(sae.tokens, "all");
  }
  expect_refused("train sae --model " + kModel + " --layer 1 --out " + at("x"), "--image");
  expect_refused("train sae --model " + kModel + " --activations a.safetensors --layer 1 --out " + at("x"),
                 "--activations");
}

}  // namespace
}  // namespace hijack::train_sae_test
