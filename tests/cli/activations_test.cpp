// hijack activations: files with labels, in shards, and one sentence for what cannot be.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "models/activations/activations.h"
#include "models/checkpoint/safetensors.h"
#include "models/checkpoint/safetensors_metadata.h"
#include "src/base/file.h"
#include "tests/support/program.h"

namespace hijack::activations_test {
namespace {

namespace fs = std::filesystem;
using namespace support;

class Activations : public Program {
 protected:
  std::string command(const std::string& more) const {
    return "activations --threads 1 --contexts " + at("contexts.jsonl") + " --out " + at("a.safetensors") +
           " " + more + (more.find("--layer") == std::string::npos ? " --layer 1" : "");
  }
  ActivationSet written(const std::string& more) {
    const Outcome outcome = run(command(more));
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return ActivationSet({at("a.safetensors")});
  }
  const std::string other_photo_ = kRoot + "/tests/golden/llava/images/wide.png";
};

TEST_F(Activations, EveryPhotoAndContextHasARow) {
  const ActivationSet set = written("--clean " + kPhoto + " --hijack " + other_photo_);
  EXPECT_EQ(set.source().labels, (std::vector<std::string>{"clean", "hijack"}));
  EXPECT_EQ(set.source().contexts, (std::vector<std::string>{"question 3", "question 4"}));  // split test
  EXPECT_EQ(set.source().images, (std::vector<std::string>{kPhoto, other_photo_}));
  EXPECT_EQ(set.source().model_sha256.size(), 64U);
  const ActivationRows rows = set.rows(0);
  EXPECT_EQ(rows.states.sizes(), (std::vector<int64_t>{4, 24}));
  EXPECT_TRUE(at::equal(rows.label, at::tensor({0, 0, 1, 1}, at::kLong)));
  EXPECT_TRUE(at::equal(rows.context, at::tensor({0, 1, 0, 1}, at::kLong)));
  EXPECT_FALSE(at::equal(rows.states[0], rows.states[2]));
}

TEST_F(Activations, TokensOfImagePromptAndReply) {
  const int64_t image = written("--clean " + kPhoto + " --tokens image").rows(0).size();
  EXPECT_EQ(image, 16);  // the same for both questions, so they are there once
  const ActivationRows prompt =
      written("--clean " + kPhoto + " --tokens prompt --prompt 'Who is it?'").rows(0);
  EXPECT_EQ(prompt.position[0].item<int64_t>(), 0);
  EXPECT_GT(prompt.position[prompt.size() - 1].item<int64_t>(), 16);
  const ActivationRows reply =
      written("--clean " + kPhoto + " --tokens reply --prompt 'Who is it?' --reply 'a cat' --hook mlp")
          .rows(0);
  EXPECT_EQ(reply.position[0].item<int64_t>(), prompt.position[prompt.size() - 1].item<int64_t>() + 1);
  EXPECT_GT(
      written("--clean " + kPhoto + " --tokens reply --prompt 'Who?' --max-new-tokens 4").rows(0).size(), 0);
  const ActivationRows all =
      written("--clean " + kPhoto + " --tokens all --prompt 'Who is it?' --reply 'a cat' --hook mlp").rows(0);
  EXPECT_EQ(all.size(), image + prompt.size() + reply.size());
}

TEST_F(Activations, ManyTokensBecomeShards) {
  std::string lines;
  for (int i = 0; i < 260; ++i)
    lines += R"({"prompt": "question )" + std::to_string(i) + " " + std::string(60, 'a' + i % 26) +
             R"(", "split": "test"})"
             "\n";
  write_file(at("contexts.jsonl"), lines);
  const ActivationSet set = written("--clean " + kPhoto + " --tokens prompt --shard-mib 1");
  EXPECT_GT(set.shards(), 1U);
  EXPECT_FALSE(fs::exists(at("a.safetensors")));
  int64_t rows = 0;
  for (size_t i = 0; i < set.shards(); ++i) rows += set.rows(i).size();
  EXPECT_EQ(set.all_rows(int64_t{1} << 30).size(), rows);
  EXPECT_NE(error_of([&] { set.all_rows(1000); }).find("fewer tokens"), std::string::npos);
  // a shard that is gone is missed; a new set leaves none of the old
  fs::remove(at("a-00001-of-0000" + std::to_string(set.shards()) + ".safetensors"));
  EXPECT_NE(error_of([&] { ActivationSet({at("a.safetensors")}); }).find("shards"), std::string::npos);
  EXPECT_EQ(written("--clean " + kPhoto).shards(), 1U);
  for (const auto& entry : fs::directory_iterator(at("")))
    EXPECT_EQ(entry.path().filename().string().find("-of-"), std::string::npos) << entry.path();
}

TEST_F(Activations, ARunGivesItsImages) {
  ASSERT_EQ(run(attack("--epsilon 8/255 --steps 2 --out " + at("run"))).code, 0);
  const ActivationSet set = written("--run " + at("run"));
  EXPECT_EQ(set.source().labels, (std::vector<std::string>{"clean", "noise", "hijack"}));
  EXPECT_EQ(set.rows(0).size(), 6);
}

TEST_F(Activations, LanguageModelsHaveStatesToo) {
  const std::string text = " --model " + kRoot + "/tests/golden/text/qwen3";
  EXPECT_EQ(written(text).rows(0).size(), 2);
  expect_refused(command(text + " --clean " + kPhoto), "takes no images");
}

TEST_F(Activations, MistakesAreOneSentence) {
  const std::string photo = " --clean " + kPhoto;
  expect_refused(command(photo + " --layer 3"), "there is no layer 3");
  expect_refused(command(photo + " --hook mlp --layer 0"), "1 to 2");
  expect_refused(command(photo + " --hook residul"), "did you mean 'residual'");
  expect_refused(command(photo + " --tokens every"), "choice of tokens");
  expect_refused(command(photo + " --split calibration"), "calibration");
  expect_refused(command(""), "--image");
  expect_refused(command(photo + " --tokens reply --reply ''  --max-new-tokens 0"), "--max-new-tokens");
  expect_refused(command("--run " + at("none")), "none");
  expect_refused("activations --layer 1 --out " + at("a.txt") + photo, ".safetensors");
  for (const auto& entry : fs::directory_iterator(at("")))
    EXPECT_EQ(entry.path().filename().string().find("a."), std::string::npos) << entry.path();
}

TEST_F(Activations, FilesOfTwoModelsAreNotMixed) {
  written("--clean " + kPhoto);
  fs::rename(at("a.safetensors"), at("b.safetensors"));
  written("--clean " + kPhoto + " --model " + kRoot + "/tests/golden/llava/lists");
  const std::string said = error_of([&] { ActivationSet({at("a.safetensors"), at("b.safetensors")}); });
  EXPECT_NE(said.find("their models differ"), std::string::npos) << said;
  written("--clean " + kPhoto + " --hook mlp");
  EXPECT_NE(error_of([&] {
              ActivationSet({at("a.safetensors"), at("b.safetensors")});
            }).find("hooks"),
            std::string::npos);
}

TEST_F(Activations, HostileFilesAreRefused) {
  written("--clean " + kPhoto);
  const auto metadata = load_safetensors_metadata(at("a.safetensors"));
  const TensorMap tensors = load_safetensors(at("a.safetensors"));
  const auto said = [&](const TensorMap& changed, const std::map<std::string, std::string>& meta) {
    save_safetensors(changed, at("bad.safetensors"), meta);
    return error_of([&] { ActivationSet({at("bad.safetensors")}).rows(0); });
  };
  const auto with = [](auto map, const std::string& key, const auto& value) { return map[key] = value, map; };
  EXPECT_EQ(said(tensors, metadata), "");
  EXPECT_NE(said(tensors, {}).find("no file of activations"), std::string::npos);
  EXPECT_NE(said(tensors, with(metadata, "labels", std::string("{"))), "");
  EXPECT_NE(said(tensors, with(metadata, "images", std::string("[1]"))), "");
  EXPECT_NE(said(tensors, with(metadata, "layer", std::string("-3"))).find("layer"), std::string::npos);
  EXPECT_NE(said(tensors, with(metadata, "hook", std::string("x"))), "");
  EXPECT_NE(said(with(tensors, "label", at::full({2}, 7, at::kLong)), metadata).find("outside"),
            std::string::npos);
  EXPECT_NE(said(with(tensors, "token", at::zeros({1}, at::kLong)), metadata).find("token"),
            std::string::npos);
  EXPECT_NE(said(with(tensors, "states", at::full({2, 24}, NAN)), metadata).find("finite"),
            std::string::npos);
  EXPECT_NE(said(with(tensors, "states", at::zeros({2, 24}, at::kDouble)), metadata).find("float32"),
            std::string::npos);
}

}  // namespace
}  // namespace hijack::activations_test
