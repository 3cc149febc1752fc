// Checkpoint folders whose files do not belong together: said before anything is made, with both sides.
#include <nlohmann/json.hpp>

#include "tests/support/program.h"

namespace hijack::contradictions_test {
namespace {

namespace fs = std::filesystem;
using namespace support;
using nlohmann::json;

struct Row {
  const char* name;
  const char* golden;
  const char* file;
  std::function<void(json&)> change;
  std::vector<const char*> says;
};

json& image_processor(json& file) {
  return file.contains("image_processor") ? file["image_processor"] : file;
}

const Row kRows[] = {
    {"llava, clip",
     "llava/clip_gqa",
     "processor_config.json",
     [](json& file) {
       image_processor(file)["crop_size"] = {{"height", 35}, {"width", 35}};
       image_processor(file)["size"] = {{"shortest_edge", 35}};
     },
     {"35x35", "28x28"}},
    {"llava, siglip, not square",
     "llava/siglip",
     "processor_config.json",
     [](json& file) {
       image_processor(file)["size"] = {{"height", 28}, {"width", 21}};
     },
     {"21x28", "28x28"}},
    {"llava, two files",
     "llava/hub_bf16",
     "preprocessor_config.json",
     [](json& file) {
       file["crop_size"] = {{"height", 14}, {"width", 14}};
     },
     {"14x14", "28x28"}},
    {"llava, patches",
     "llava/clip_gqa",
     "processor_config.json",
     [](json& file) { file["patch_size"] = 14; },
     {"room for 4 ", "gives 16"}},
    {"llava, class token",
     "llava/siglip",
     "processor_config.json",
     [](json& file) { file["vision_feature_select_strategy"] = "default"; },
     {"room for 15", "gives 16"}},
    {"onevision, views",
     "llava_onevision/hub_scaled",
     "preprocessor_config.json",
     [](json& file) {
       file["size"] = {{"height", 10}, {"width", 10}};
     },
     {"10x10", "30x30"}},
    {"onevision, tokens",
     "llava_onevision/anyres",
     "processor_config.json",
     [](json& file) { file["num_image_tokens"] = 729; },
     {"729", "gives 16"}},
    {"paligemma",
     "paligemma/small",
     "processor_config.json",
     [](json& file) {
       image_processor(file)["size"] = {{"height", 56}, {"width", 56}};
     },
     {"56x56", "28x28"}},
    {"paligemma, tokens",
     "paligemma/hub_bf16",
     "preprocessor_config.json",
     [](json& file) { file["image_seq_length"] = 256; },
     {"256", "gives 16"}},
    {"gemma3",
     "gemma3/small",
     "processor_config.json",
     [](json& file) {
       image_processor(file)["size"] = {{"height", 56}, {"width", 56}};
     },
     {"56x56", "63x63"}},
    {"gemma3, tokens",
     "gemma3/hub_bf16",
     "processor_config.json",
     [](json& file) { file["image_seq_length"] = 256; },
     {"256", "gives 16"}},
    {"gemma3, crops",
     "gemma3/small",
     "processor_config.json",
     [](json& file) { image_processor(file)["do_pan_and_scan"] = true; },
     {"do_pan_and_scan"}},
    {"gemma3, tower",
     "gemma3/small",
     "config.json",
     [](json& file) { file["mm_tokens_per_image"] = 100; },
     {"mm_tokens_per_image 100"}},
    {"gemma3, decoder",
     "gemma3/small",
     "config.json",
     [](json& file) { file["text_config"]["model_type"] = "gemma2"; },
     {"gemma3_text, not gemma2"}},
    {"mistral3",
     "mistral3/small",
     "processor_config.json",
     [](json& file) { file["patch_size"] = 14; },
     {"14 and 2", "5 and 2"}},
    {"mistral3, row token",
     "mistral3/hub_bf16",
     "processor_config.json",
     [](json& file) { file["image_break_token"] = "[ROW]"; },
     {"[ROW]"}},
    {"qwen2_vl",
     "qwen2_vl/hub_bf16",
     "preprocessor_config.json",
     [](json& file) { file["patch_size"] = 16; },
     {"16, 2 and 2", "14, 2 and 2"}},
    {"qwen2_5_vl",
     "qwen2_5_vl/hub_bf16",
     "preprocessor_config.json",
     [](json& file) { file["merge_size"] = 1; },
     {"14, 1 and 2", "14, 2 and 2"}},
    {"qwen3_vl",
     "qwen3_vl/hub_bf16",
     "preprocessor_config.json",
     [](json& file) { file["patch_size"] = 14; },
     {"14, 2 and 2", "16, 2 and 2"}},
    {"qwen3_vl, width",
     "qwen3_vl/small",
     "config.json",
     [](json& file) { file["vision_config"]["out_hidden_size"] = 24; },
     {"vectors of 24", "hidden_size is 20"}},
    {"qwen2_5_vl, weights of another family",
     "qwen2_vl/small",
     "config.json",
     [](json& file) {
       file["model_type"] = "qwen2_5_vl";
       file["text_config"]["model_type"] = "qwen2_5_vl_text";
       file["vision_config"]["out_hidden_size"] = 24;
       file["vision_config"]["hidden_size"] = 16;
       file["vision_config"]["model_type"] = "qwen2_5_vl";
     },
     {"lacks the tensor model.visual.blocks.0.mlp.gate_proj.weight"}},
    {"internvl, tiles",
     "internvl/hub_bf16",
     "preprocessor_config.json",
     [](json& file) {
       file["size"] = {{"height", 448}, {"width", 448}};
     },
     {"448x448", "24x24"}},
    {"internvl, tokens",
     "internvl/small",
     "processor_config.json",
     [](json& file) { file["image_seq_length"] = 256; },
     {"256", "gives 9"}},
    {"instructblip",
     "instructblip/small",
     "processor_config.json",
     [](json& file) {
       image_processor(file)["size"] = {{"height", 224}, {"width", 224}};
     },
     {"224x224", "28x28"}},
    {"instructblip, tokens",
     "instructblip/hub_bf16",
     "processor_config.json",
     [](json& file) { file["num_query_tokens"] = 32; },
     {"32", "gives 6"}},
    {"idefics3, tokens",
     "idefics3/one_view",
     "processor_config.json",
     [](json& file) { file["image_seq_len"] = 169; },
     {"169", "gives 25"}},
    {"idefics3, views",
     "idefics3/one_view",
     "processor_config.json",
     [](json& file) {
       image_processor(file)["max_image_size"] = {{"longest_edge", 7}};
     },
     {"7 pixels"}},
};

void edit(const fs::path& file, const std::function<void(json&)>& change) {
  json value = json::parse(read_file(file));
  change(value);
  write_file(file, value.dump());
}

TEST_F(Program, FilesThatDoNotBelongTogetherAreNamedBeforeAnythingIsMade) {
  for (size_t i = 0; i < std::size(kRows); ++i) {
    const Row& row = kRows[i];
    SCOPED_TRACE(row.name);
    const std::string model = copy_of(row.golden, "model" + std::to_string(i));
    EXPECT_EQ(run("models inspect " + model).code, 0) << "before the damage";
    edit(fs::path(model) / row.file, row.change);
    const Outcome inspected = run("models inspect " + model);
    EXPECT_EQ(inspected.code, 2) << inspected.out;
    EXPECT_NE(inspected.out.find("supported             no"), std::string::npos) << inspected.out;
    for (const char* words : row.says) {
      EXPECT_NE(inspected.out.find(words), std::string::npos) << inspected.out;
      expect_refused(attack("--model " + model + " --steps 2 --out " + at("run")), words);
    }
    EXPECT_FALSE(fs::exists(at("run")));
  }
}

TEST_F(Program, InspectTriesThePromptOfAnAttack) {
  const std::string foreign = copy_of("llava/clip_gqa", "foreign");
  edit(fs::path(foreign) / "config.json", [](json& config) { config["image_token_index"] = 5; });
  const Outcome token = run("models inspect " + foreign);
  EXPECT_EQ(token.code, 2) << token.out;
  EXPECT_NE(token.out.find("image token 5"), std::string::npos) << token.out;

  const std::string narrow = copy_of("llava/clip_gqa", "narrow");
  edit(fs::path(narrow) / "config.json",
       [](json& config) { config["text_config"]["max_position_embeddings"] = 12; });
  const Outcome window = run("models inspect " + narrow);
  EXPECT_EQ(window.code, 2) << window.out;
  EXPECT_NE(window.out.find("context window has 12"), std::string::npos) << window.out;
}

}  // namespace
}  // namespace hijack::contradictions_test
