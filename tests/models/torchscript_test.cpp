// Users' own networks as TorchScript: tiny ones, compiled from source here.
#include "models/families/torchscript.h"

#include <gtest/gtest.h>
#include <torch/csrc/jit/api/module.h>

#include "models/load_model.h"
#include "src/base/file.h"
#include "tests/support/temporary_folder.h"

namespace hijack::torchscript_test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const fs::path kGolden = fs::path(HIJACK_SOURCE_DIR) / "tests/golden";

Tensor numbers(at::IntArrayRef shape, uint64_t seed) {
  return at::randn(shape, at::make_generator<at::CPUGeneratorImpl>(seed));
}

class TorchScript : public ::testing::Test {
 protected:
  TorchScript() {
    for (const char* file : {"tokenizer.json", "processor_config.json"})
      fs::copy(kGolden / "llava/clip_gqa" / file, folder_.path());
    configure(json::object());
  }

  void configure(const json& more) const {
    json config = {{"model_type", "torchscript"},
                   {"script", "model.pt"},
                   {"image_tokens", 3},
                   {"eos_token_id", 2},
                   {"prompt", "USER: <image>\n{prompt} ASSISTANT:"}};
    config.update(more);
    write_file(folder_.path() / "config.json", config.dump());
  }

  void save_whole() const {
    torch::jit::Module module("whole");
    module.register_buffer("embedding", embedding_);
    module.register_buffer("vision", vision_);
    module.define(R"(
def forward(self, input_ids, pixel_values):
    seen = torch.cumsum(torch.embedding(self.embedding, input_ids), 1)
    image = torch.matmul(pixel_values.mean([2, 3]), self.vision)
    return torch.matmul(torch.tanh(seen + image.unsqueeze(1)), self.embedding.t())
)");
    module.save((folder_.path() / "model.pt").string());
  }

  void save_tower(int64_t width) const {
    torch::jit::Module module("tower");
    module.register_buffer("weight", numbers({width, 3, 7, 7}, 4) * 0.1);
    module.define(R"(
def forward(self, pixel_values):
    return torch.conv2d(pixel_values, self.weight, None, [7, 7]).flatten(2).transpose(1, 2)
)");
    module.save((folder_.path() / "model.pt").string());
  }

  std::string why_not() const {
    return hijack::support::error_of([&] { load_model(folder_.path()); });
  }

  const hijack::support::TemporaryFolder folder_;
  const Tensor embedding_ = numbers({310, 8}, 1), vision_ = numbers({3, 8}, 2);
  const std::vector<Query> queries_ = {{.prompt = "Who?"}, {.prompt = "What is in this picture?"}};
};

TEST_F(TorchScript, AWholeModelGivesItsLogitsGradientsAndReplies) {
  save_whole();
  const auto model = load_model(folder_.path());
  EXPECT_EQ(model->family(), "torchscript");
  EXPECT_EQ(model->image_spec().height, 28);
  Pixels pixels = model->preprocess(at::rand({1, 3, 28, 28}));
  pixels.values.requires_grad_(true);
  const TokenIds target = model->target_ids("cat");
  const std::vector<TokenIds> targets = {target, target};
  const auto logits = model->target_logits(pixels, queries_, targets);

  TokenIds ids = model->input_ids(pixels, queries_[1]);
  const auto image = *model->tokenizer().token_to_id("<image>");
  EXPECT_EQ(std::count(ids.begin(), ids.end(), image), 3);
  const auto prompt = static_cast<int64_t>(ids.size());
  ids.insert(ids.end(), target.begin(), target.end());
  const Tensor leaf = pixels.values.detach().requires_grad_(true);
  const Tensor state =
      at::embedding(embedding_, at::tensor(ids, at::kLong)).cumsum(0) + leaf.mean({2, 3}).matmul(vision_);
  const Tensor expected =
      state.tanh().matmul(embedding_.t()).narrow(0, prompt - 1, static_cast<int64_t>(target.size()));
  EXPECT_TRUE(at::allclose(logits[1], expected, 1e-5, 1e-5));
  logits[1].square().sum().backward();
  expected.square().sum().backward();
  EXPECT_GT(leaf.grad().abs().max().item<float>(), 0);
  EXPECT_TRUE(at::allclose(pixels.values.grad(), leaf.grad(), 1e-4, 1e-6));

  std::string streamed;
  const auto replies = model->generate(
      pixels, queries_, {.max_new_tokens = 4, .on_text = [&](size_t index, std::string_view piece) {
                           if (index == 0) streamed += piece;
                         }});
  ASSERT_EQ(replies.size(), 2u);
  TokenIds first = model->input_ids(pixels, queries_[0]);
  const Tensor last =
      (at::embedding(embedding_, at::tensor(first, at::kLong)).sum(0) + leaf.mean({2, 3}).matmul(vision_))
          .tanh();
  const TokenIds best = {last.matmul(embedding_.t()).argmax().item<int64_t>()};
  EXPECT_EQ(model->generate(pixels, queries_, {.max_new_tokens = 1}).at(0).text,
            model->tokenizer().decode(best, true));
  EXPECT_TRUE(replies[0].cut && replies[1].cut);
  configure({{"eos_token_id", best.front()}});
  const auto ended = load_model(folder_.path())->generate(pixels, queries_, {.max_new_tokens = 4});
  EXPECT_EQ(ended.at(0).text, model->tokenizer().decode(best, true));
  EXPECT_FALSE(ended.at(0).cut);
  EXPECT_TRUE(replies[0].text.starts_with(streamed)) << replies[0].text;
  EXPECT_THROW(model->generate(pixels, queries_, {.temperature = 1}), Error);
  EXPECT_THROW(model->language_model(), Error);
}

TEST_F(TorchScript, ATowerStandsBeforeADecoderFolder) {
  fs::copy(kGolden / "text/llama", folder_.path() / "decoder");
  configure({{"decoder", "decoder"}});
  const auto width =
      json::parse(read_file(folder_.path() / "decoder/config.json")).at("hidden_size").get<int64_t>();
  save_tower(width);
  const auto model = load_model(folder_.path());
  Pixels pixels = model->preprocess(at::rand({1, 3, 28, 28}));
  pixels.values.requires_grad_(true);
  EXPECT_EQ(model->image_features(pixels).sizes(), (std::vector<int64_t>{1, 16, width}));
  const std::vector<TokenIds> targets(2, model->target_ids("cat"));
  const auto logits = model->target_logits(pixels, queries_, targets);
  logits[0].square().sum().backward();
  EXPECT_GT(pixels.values.grad().abs().max().item<float>(), 0);
  EXPECT_EQ(model->generate(pixels, queries_, {.max_new_tokens = 2}).size(), 2u);
  EXPECT_GT(model->language_model()->prompt_nll("the cat sat").numel(), 0);
  save_tower(width + 1);
  EXPECT_NE(why_not().find("wide"), std::string::npos) << why_not();
}

TEST_F(TorchScript, AutocastIsLibtorchsOwn) {
  save_whole();
  const std::vector<TokenIds> targets = {{5, 6}, {7}};
  Pixels pixels = load_model(folder_.path())->preprocess(at::rand({1, 3, 28, 28}));
  pixels.values.requires_grad_(true);
  const auto logits = [&](const char* dtype) {
    return load_model(folder_.path(), {.dtype = dtype})->target_logits(pixels, queries_, targets)[0];
  };
  const Tensor exact = logits("float32"), got = logits("autocast");
  EXPECT_EQ(got.scalar_type(), at::kFloat);
  EXPECT_FALSE(at::equal(got, exact));
  EXPECT_TRUE(at::equal(got.to(at::kBFloat16).to(at::kFloat), got));
  EXPECT_TRUE(at::allclose(got, exact, 0.05, 0.05));
  got.square().sum().backward();
  EXPECT_GT(pixels.values.grad().abs().max().item<float>(), 0);
  EXPECT_TRUE(at::equal(logits("float32"), exact)) << "nothing of it is left";
}

TEST_F(TorchScript, WhatIsWrongIsNamed) {
  EXPECT_NE(why_not().find("model.pt does not exist"), std::string::npos) << why_not();
  write_file(folder_.path() / "model.pt", "no archive");
  EXPECT_NE(why_not().find("not a TorchScript archive"), std::string::npos) << why_not();
  configure({{"script", "../model.pt"}});
  EXPECT_NE(why_not().find("inside"), std::string::npos) << why_not();
  configure({{"prompt", "USER: {prompt}"}});
  EXPECT_NE(why_not().find("<image>"), std::string::npos) << why_not();
  configure(json::object());
  save_tower(8);  // takes pixels only
  const auto model = load_model(folder_.path());
  const std::vector<TokenIds> targets = {{5}};
  const std::string said = hijack::support::error_of([&] {
    model->target_logits(model->preprocess(at::rand({1, 3, 28, 28})), {&queries_[0], 1}, targets);
  });
  EXPECT_NE(said.find("does not take inputs of these sizes"), std::string::npos) << said;
  EXPECT_EQ(said.find('\n'), std::string::npos) << said;
}

}  // namespace
}  // namespace hijack::torchscript_test
