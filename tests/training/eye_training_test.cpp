// A tower and projector in front of a frozen decoder: what is written, what is repeatable, what is refused.
#include "src/training/eye_training.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "models/load_model.h"
#include "models/tokenizer.h"
#include "src/base/error.h"
#include "src/base/file.h"
#include "src/training/chat_check.h"
#include "src/training/chat_prompts.h"
#include "src/training/eye_folder.h"
#include "tests/support/temporary_folder.h"

namespace hijack::eye_training_test {
namespace {

namespace fs = std::filesystem;
using support::error_of;

constexpr const char* kChatMl =
    "{% for message in messages %}{{ message['role'] + ': ' + message['content'] + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}";

class EyeTrainingTest : public ::testing::Test {
 protected:
  EyeTrainingTest() {
    fs::copy(fs::path(HIJACK_SOURCE_DIR) / "tests/golden/text/llama", decoder());
    write_file(decoder() / "chat_template.jinja", kChatMl);
  }
  fs::path decoder() const { return folder_.path() / "decoder"; }
  EyeTrainConfig config(const std::string& out, int64_t threads = 1) const {
    EyeTrainConfig config;
    config.decoder = decoder();
    config.out = folder_.path() / out;
    config.image_token = "<image>";
    config.vision_steps = 2;
    config.joint_steps = 3;
    config.batch = 3;
    config.chat_prompts = 4;
    config.reply_tokens = 4;
    config.threads = threads;
    return config;
  }
  /// Trains, and gives the bytes of the eye.
  static std::string trained(const EyeTrainConfig& config) {
    EyeTraining training(config);
    EXPECT_TRUE(Trainer(config, training).run([](const TrainProgress&) {}, {}));
    return read_file(fs::path(config.out) / "eye.safetensors");
  }

  support::TemporaryFolder folder_;
};

TEST_F(EyeTrainingTest, SameBytesWithAnyNumberOfThreadsAndWhenResumed) {
  const std::string whole = trained(config("one"));
  EXPECT_EQ(trained(config("two", 2)), whole);
  EyeTrainConfig stopped = config("three");
  {
    std::stop_source stop;
    EyeTraining training(stopped);
    EXPECT_FALSE(Trainer(stopped, training)
                     .run(
                         [&](const TrainProgress& now) {
                           if (now.stage == "joint") stop.request_stop();
                         },
                         stop.get_token()));
  }
  EXPECT_FALSE(fs::exists(fs::path(stopped.out) / "eye.safetensors"));
  EXPECT_NE(error_of([&] { EyeTraining again(stopped); }).find("--resume"), std::string::npos);
  stopped.resume = true;
  EXPECT_EQ(trained(stopped), whole);
}

TEST_F(EyeTrainingTest, EverythingOfTheEyeLearnsAndTheDecoderStaysAsItIs) {
  EyeTrainConfig one = config("one");
  EyeTraining training(one);
  TensorMap before;
  for (const auto& [name, value] : training.parameters().values()) before[name] = value.detach().clone();
  ASSERT_TRUE(Trainer(one, training).run([](const TrainProgress&) {}, {}));
  for (const auto& [name, value] : training.parameters().values())
    EXPECT_FALSE(at::equal(value, before.at(name))) << name;
  const TensorMap stored = load_safetensors(fs::path(one.out) / "model-00002-of-00002.safetensors");
  for (const auto& [name, value] : load_safetensors(decoder() / "model.safetensors"))
    EXPECT_TRUE(at::equal(stored.at("language_model." + name), value)) << name;
}

TEST_F(EyeTrainingTest, TheFolderIsOneThatLoads) {
  const EyeTrainConfig one = config("one");
  trained(one);
  const auto model = load_model(one.out);
  EXPECT_EQ(model->family(), "llava");
  const Query query{.prompt = "what is it"};
  EXPECT_EQ(model->rendered(query), "user: <image>\nwhat is it\nassistant: ");
  const Tensor image = at::full({1, 3, 112, 112}, 0.5);
  EXPECT_EQ(model->image_features(model->preprocess(image)).size(1), 64);
  EXPECT_EQ(model->generate(model->preprocess(image), std::span(&query, 1), {.max_new_tokens = 2}).size(),
            1U);
}

TEST_F(EyeTrainingTest, StartsFromAnEyeAndLeavesItAloneWithoutSteps) {
  const std::string eye = trained(config("one"));
  EyeTrainConfig assembled = config("two");
  assembled.start = (folder_.path() / "one/eye.safetensors").string();
  assembled.vision_steps = assembled.joint_steps = 0;
  EXPECT_EQ(trained(assembled), eye);
  assembled.out = folder_.path() / "three";
  assembled.start = (decoder() / "model.safetensors").string();
  EXPECT_NE(error_of([&] { EyeTraining training(assembled); }).find("no vision tower"), std::string::npos);
}

TEST_F(EyeTrainingTest, TheFirstTokenThatNothingUsesStandsForTheImage) {
  auto tokenizer = nlohmann::ordered_json::parse(read_file(decoder() / "tokenizer.json"));
  tokenizer["added_tokens"][3]["content"] = "<picture>";  // was <image>
  tokenizer["added_tokens"][3]["special"] = false;        // stands for a word: taken
  write_file(decoder() / "tokenizer.json", tokenizer.dump());
  const fs::path out = folder_.path() / "out";
  // <unk> is 0, <s> and </s> begin and end texts: <pad> is the first that nothing uses
  prepare_eye_folder(decoder(), "", out);
  const auto config = nlohmann::json::parse(read_file(out / "config.json"));
  EXPECT_EQ(config.at("image_token_index"), 309);
  EXPECT_EQ(config.at("text_config").at("hidden_size"), 24);
  const auto written = nlohmann::json::parse(read_file(out / "tokenizer.json"));
  EXPECT_EQ(written.at("added_tokens")[4].at("content"), "<image>");
  write_file(decoder() / "generation_config.json", R"({"pad_token_id": 309})");
  EXPECT_NE(error_of([&] { prepare_eye_folder(decoder(), "", out); }).find("no added token that is free"),
            std::string::npos);
  EXPECT_NE(error_of([&] { prepare_eye_folder(decoder(), "<none>", out); }).find("no added token <none>"),
            std::string::npos);
}

TEST_F(EyeTrainingTest, AUnigramDecodersTokenMayStandForTheImage) {
  auto tokenizer = nlohmann::ordered_json::parse(
      read_file(fs::path(HIJACK_SOURCE_DIR) / "tests/golden/tokenizer/unigram_t5.json"));
  for (auto& token : tokenizer["added_tokens"])
    if (token["content"] == "<image>") token["content"] = "<view>";
  write_file(decoder() / "tokenizer.json", tokenizer.dump());
  const fs::path out = folder_.path() / "out";
  prepare_eye_folder(decoder(), "<pad>", out);  // a token of the vocabulary, which is a list of scores
  const auto read = Tokenizer::from_file(out / "tokenizer.json");
  EXPECT_EQ(read->token_to_id("<image>"), 0);
  EXPECT_EQ(read->token_to_id("<pad>"), std::nullopt);
}

TEST_F(EyeTrainingTest, RefusesDecodersThatCannotServe) {
  fs::remove(decoder() / "chat_template.jinja");
  EXPECT_NE(error_of([&] { EyeTraining training(config("a")); }).find("no chat template"), std::string::npos);
  EyeTrainConfig wrong = config("b");
  wrong.decoder = std::string(HIJACK_SOURCE_DIR) + "/tests/golden/llava/clip_gqa";
  EXPECT_NE(error_of([&] { EyeTraining training(wrong); }).find("text decoder"), std::string::npos);
  wrong = config("c");
  wrong.batch = 0;
  EXPECT_NE(error_of([&] { EyeTraining training(wrong); }).find("batch"), std::string::npos);
  EXPECT_FALSE(fs::exists(folder_.path() / "b"));
  EXPECT_FALSE(fs::exists(folder_.path() / "c"));
}

TEST_F(EyeTrainingTest, TheChatCheckSeesAnEyeThatDisturbs) {
  const EyeTrainConfig one = config("one");
  trained(one);
  Parameters parameters(1, at::kCPU);
  const EyeModel eye(one.decoder, one.out, parameters, at::kCPU);
  start_from(parameters, read_eye(fs::path(one.out) / "eye.safetensors"), one.out);
  const ChatCheck calm = check_chat(eye, {}, 6, 1);
  EXPECT_EQ(calm.replies, 6);
  EXPECT_GT(calm.nll_without, 0);
  const at::NoGradGuard no_gradients;
  parameters.at("multi_modal_projector.linear_2.weight").mul_(300);
  const ChatCheck disturbed = check_chat(eye, {}, 6, 1);
  EXPECT_EQ(disturbed.nll_without, calm.nll_without);
  EXPECT_NE(disturbed.nll_with, calm.nll_with);
}

TEST(ChatPrompts, AreDifferentAndHeldOutOnesAreOthers) {
  const auto train = chat_prompts(ChatSplit::kTrain, 2000, 1),
             held_out = chat_prompts(ChatSplit::kHeldOut, 60, 1);
  std::set<std::string> all(train.begin(), train.end());
  EXPECT_EQ(all.size(), train.size());
  EXPECT_GT(train.size(), 1000U);
  EXPECT_EQ(held_out.size(), 60U);
  all.insert(held_out.begin(), held_out.end());
  EXPECT_EQ(all.size(), train.size() + held_out.size());
}

}  // namespace
}  // namespace hijack::eye_training_test
