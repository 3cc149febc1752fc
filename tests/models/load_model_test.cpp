// Bad model folders: each is one sentence that names what is wrong.
#include "models/load_model.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "models/checkpoint/reply_rules.h"
#include "models/checkpoint/safetensors.h"
#include "src/base/error.h"
#include "src/base/file.h"
#include "tests/support/expect_says.h"

namespace hijack::load_model_test {
namespace {

namespace fs = std::filesystem;
const fs::path kGolden = fs::path(HIJACK_SOURCE_DIR) / "tests/golden/llava";

/// A copy of a golden checkpoint that a test may damage.
class LoadModel : public testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    for (const auto& entry : fs::directory_iterator(kGolden / "clip_gqa")) fs::copy(entry.path(), folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  /// Replaces a value of a JSON file: pointer "/text_config/vocab_size".
  void set(const char* file, const char* pointer, const nlohmann::json& value) const {
    auto json = nlohmann::json::parse(read_file(folder_ / file));
    json[nlohmann::json::json_pointer(pointer)] = value;
    write_file(folder_ / file, json.dump());
  }

  std::string why_not(const LoadOptions& options = {}) const {
    try {
      load_model(folder_, options);
    } catch (const Error& error) {
      return error.what();
    }
    return "loaded";
  }

  const fs::path folder_ = fs::path(testing::TempDir()) / ("hijack_load_model_" + std::to_string(::getpid()));
};

TEST_F(LoadModel, AnUndamagedCopyLoads) {
  EXPECT_EQ(why_not(), "loaded");
}

TEST_F(LoadModel, MissingFolderAndFiles) {
  fs::remove(folder_ / "tokenizer.json");
  EXPECT_SAYS(why_not(), "tokenizer.json");
  fs::remove(folder_ / "model.safetensors");
  EXPECT_SAYS(why_not(), "model.safetensors");
  fs::remove(folder_ / "config.json");
  EXPECT_SAYS(why_not(), "config.json");
  fs::remove_all(folder_);
  EXPECT_SAYS(why_not(), "does not exist");
}

TEST_F(LoadModel, MissingProcessor) {
  fs::remove(folder_ / "processor_config.json");
  EXPECT_SAYS(why_not(), "processor_config.json");
}

TEST_F(LoadModel, ChatTemplatesThatCannotBeUsed) {
  const auto with = [&](const std::string& text) {
    write_file(folder_ / "chat_template.jinja", text);
    return why_not();
  };
  EXPECT_SAYS(with("{% for message in messages %}[INST]{% endfor %}"), "has no place for the image");
  EXPECT_SAYS(with("<image>{{ messages[0].content[1].text }}<image>"), "more than one place for the image");
  EXPECT_SAYS(with("<image>{% include 'x' %}"),
              "chat_template.jinja: the chat template cannot be used: line 1: {% include %}");
  EXPECT_SAYS(with("<image>{{ raise_exception('No!') }}"),
              "the chat template refuses this conversation: No!");
  EXPECT_EQ(with("{{ messages[0].content[1].text }} <image>"), "loaded");
}

TEST_F(LoadModel, ChatTemplatesOfTheTokenizersConfig) {
  fs::remove(folder_ / "chat_template.jinja");
  const auto prompt = [&](const nlohmann::json& value) {
    set("tokenizer_config.json", "/chat_template", value);
    return load_model(folder_)->rendered({.prompt = "x"});
  };
  EXPECT_EQ(prompt("<image>A{{ messages[0].content[1].text }}"), "<image>Ax");
  const nlohmann::json tools = {{"name", "tool_use"}, {"template", "<image>T"}};
  EXPECT_EQ(prompt({tools, {{"name", "default"}, {"template", "D<image>"}}}), "D<image>");
  set("tokenizer_config.json", "/chat_template", nlohmann::json::array({tools}));
  EXPECT_SAYS(why_not(), "a list with a template named \"default\"");
  EXPECT_EQ(prompt(nullptr), "USER: <image>\nx ASSISTANT:");  // the family's published one
}

TEST_F(LoadModel, RulesForReplies) {
  const auto write = [&](const nlohmann::json& rules) {
    write_file(folder_ / "generation_config.json", rules.dump());
  };
  for (const nlohmann::json& bad : {nlohmann::json(0), nlohmann::json(-1.5), nlohmann::json("much")}) {
    write({{"repetition_penalty", bad}});
    EXPECT_SAYS(why_not(), "repetition_penalty must be a number above 0");
  }
  write({{"repetition_penalty", 1.3}, {"eos_token_id", {2, 5}}, {"num_beams", 1}, {"min_length", 3}});
  EXPECT_EQ(why_not(), "loaded");
  const ReplyRules rules = reply_rules(folder_, nlohmann::json::object());
  EXPECT_EQ(rules.stops, (TokenIds{2, 5}));
  EXPECT_EQ(rules.repetition_penalty, 1.3);
  EXPECT_EQ(rules_not_followed(folder_), std::vector<std::string>{"min_length"});  // one beam changes nothing
}

TEST_F(LoadModel, ProjectorOfTheFirstLlava) {
  TensorMap tensors, renamed;
  for (const auto& [name, tensor] : load_safetensors(folder_ / "model.safetensors")) {
    const std::string part = "multi_modal_projector.linear_1.";
    if (name.find("linear_2") != name.npos) continue;
    const size_t at = name.find(part);
    renamed[at == name.npos ? name : "model.mm_projector." + name.substr(at + part.size())] = tensor.clone();
  }
  fs::remove(folder_ / "model.safetensors");
  save_safetensors(renamed, folder_ / "model.safetensors");
  EXPECT_EQ(why_not(), "loaded");
}

TEST_F(LoadModel, MetaChecksButReadsNothing) {
  EXPECT_EQ(why_not({.device = "meta"}), "loaded");
  set("config.json", "/text_config/vocab_size", 999);
  EXPECT_SAYS(why_not({.device = "meta"}), "999");
}

TEST_F(LoadModel, TruncatedWeights) {
  fs::resize_file(folder_ / "model.safetensors", fs::file_size(folder_ / "model.safetensors") - 100);
  EXPECT_SAYS(why_not(), "model.safetensors");
  fs::resize_file(folder_ / "model.safetensors", 4);
  EXPECT_SAYS(why_not(), "model.safetensors");
}

TEST_F(LoadModel, PickledWeightsAreRefused) {
  fs::remove(folder_ / "model.safetensors");
  write_file(folder_ / "pytorch_model.bin", "PK");
  EXPECT_SAYS(why_not(), "pytorch_model.bin");
}

TEST_F(LoadModel, ConfigAndWeightsDisagree) {
  set("config.json", "/text_config/intermediate_size", 48);
  EXPECT_SAYS(why_not(), "mlp");
  set("config.json", "/text_config/intermediate_size", 32);
  set("config.json", "/text_config/num_hidden_layers", 3);
  EXPECT_SAYS(why_not(), "layers.2");
  set("config.json", "/text_config/num_hidden_layers", 1);
  EXPECT_SAYS(why_not(), "layers.1");
}

TEST_F(LoadModel, UnsupportedKinds) {
  set("config.json", "/model_type", "blip-2");
  EXPECT_SAYS(why_not(), "blip-2");
  set("config.json", "/model_type", "llava");
  set("config.json", "/text_config/model_type", "mamba");
  EXPECT_SAYS(why_not(), "mamba");
  set("config.json", "/text_config/model_type", "llama");
  set("config.json", "/vision_config/model_type", "pixtral");
  EXPECT_SAYS(why_not(), "pixtral");
}

TEST_F(LoadModel, UnsupportedRope) {
  set("config.json", "/text_config/rope_parameters/rope_type", "longrope");
  EXPECT_SAYS(why_not(), "longrope");
  set("config.json", "/text_config/rope_parameters/rope_type", "default");
  set("config.json", "/text_config/rope_scaling", {{"type", "su"}, {"factor", 2.0}});
  EXPECT_SAYS(why_not(), "\"su\"");
}

TEST_F(LoadModel, AbsurdNumbers) {
  for (const auto& value :
       {nlohmann::json(-1), nlohmann::json(0), nlohmann::json("many"), nlohmann::json(int64_t{1} << 60)}) {
    set("config.json", "/text_config/hidden_size", value);
    EXPECT_SAYS(why_not(), "hidden_size");
  }
}

TEST_F(LoadModel, FeatureLayerOutsideTheTower) {
  set("config.json", "/vision_feature_layer", -9);
  EXPECT_SAYS(why_not(), "vision_feature_layer");
  set("config.json", "/vision_feature_layer", {-1, 9});
  EXPECT_SAYS(why_not(), "vision_feature_layer");
  set("config.json", "/vision_feature_layer", nlohmann::json::array());
  EXPECT_SAYS(why_not(), "vision_feature_layer");
  set("config.json", "/vision_feature_layer", {-1, -2});
  EXPECT_SAYS(why_not(), "multi_modal_projector.linear_1.weight");
}

TEST_F(LoadModel, JsonThatIsNone) {
  write_file(folder_ / "config.json", "{\"model_type\": ");
  EXPECT_SAYS(why_not(), "config.json");
  write_file(folder_ / "config.json", std::string(100000, '['));
  EXPECT_SAYS(why_not(), "config.json");
}

TEST_F(LoadModel, WeightsThatNobodyUses) {
  auto tensors = load_safetensors(folder_ / "model.safetensors");
  tensors["language_model.model.extra.weight"] = at::zeros({2});
  save_safetensors(tensors, folder_ / "model.safetensors");
  EXPECT_SAYS(why_not(), "extra");
}

TEST_F(LoadModel, MaxPixelsAreKeptOrRefused) {
  EXPECT_EQ(why_not({.max_pixels = 28 * 28}), "loaded");  // what this model makes of every photo
  EXPECT_SAYS(why_not({.max_pixels = 28 * 28 - 1}), "28x28");
  EXPECT_SAYS(why_not({.max_pixels = -1}), "negative");
  const fs::path qwen = kGolden.parent_path() / "qwen2_vl/small";  // tokens of 8x8 pixels, 256 to 448 a photo
  const auto sizes = [&](int64_t most) {
    return load_model(qwen, {.max_pixels = most})
        ->to_input_space(at::full({1, 3, 40, 20}, 0.5))
        .sizes()
        .vec();
  };
  EXPECT_EQ(sizes(0), (std::vector<int64_t>{1, 3, 24, 8}));
  EXPECT_EQ(sizes(448), sizes(0));
  EXPECT_EQ(sizes(1 << 20), sizes(0));  // the folder's limit is lower
  EXPECT_EQ(sizes(160), (std::vector<int64_t>{1, 3, 16, 8}));
  EXPECT_EQ(sizes(64), (std::vector<int64_t>{1, 3, 8, 8}));
  EXPECT_THROW(sizes(63), Error);
}

TEST_F(LoadModel, UnknownDeviceAndDtype) {
  EXPECT_SAYS(why_not({.device = "abacus"}), "abacus");
  EXPECT_SAYS(why_not({.dtype = "float8"}), "float8");
  EXPECT_SAYS(why_not({.dtype = "float8"}), "autocast");
}

}  // namespace
}  // namespace hijack::load_model_test
