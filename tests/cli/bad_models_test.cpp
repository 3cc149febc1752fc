// Folders of every family with a part that does not fit: one sentence, exit code 2, no run folder.
#include <nlohmann/json.hpp>

#include "tests/support/golden_families.h"
#include "tests/support/program.h"

namespace hijack::bad_models_test {
namespace {

namespace fs = std::filesystem;
using namespace support;
using nlohmann::json;

class BadModels : public Program {
 protected:
  /// A copy of the family's folder.
  std::string fresh(const std::string& folder) {
    return copy_of(folder, "model" + std::to_string(++copies_));
  }

  /// Asks and attacks; neither leaves anything.
  void expect_useless(const std::string& model, const std::string& words,
                      const std::string& prompt = "Who?") {
    expect_refused("chat --model " + model + " --image " + kPhoto + " --prompt '" + prompt + "'", words);
    expect_refused(attack("--model " + model + " --steps 2 --out " + at("run")), "");
    EXPECT_FALSE(fs::exists(at("run")));
  }

  static void replace_weights(const std::string& model, const std::string& others) {
    for (const auto& entry : fs::directory_iterator(model))
      if (entry.path().filename().string().starts_with("model")) fs::remove(entry.path());
    for (const auto& entry : fs::directory_iterator(others))
      if (entry.path().filename().string().starts_with("model")) fs::copy(entry.path(), model);
  }

  int copies_ = 0;
};

TEST_F(BadModels, ThereAreFoldersOfEveryFamily) {
  const auto found = golden_families();
  std::istringstream lines(run("models --list").out);
  for (std::string line; std::getline(lines, line);) {
    const std::string family = line.substr(0, line.find(' '));
    const bool of_another = family == "torchscript" || family == "smolvlm" || family.starts_with("llava_");
    EXPECT_TRUE(family != line || of_another || found.contains(family)) << family << " has no golden folder";
  }
}

TEST_F(BadModels, ATemplateWithoutAPlaceForTheImage) {
  for (const auto& [family, folder] : golden_families()) {
    SCOPED_TRACE(folder);
    const std::string model = fresh(folder);
    if (run("models inspect " + model).out.find("chat template") == std::string::npos) continue;
    for (const char* file : {"chat_template.json", "chat_template.jinja"}) fs::remove(fs::path(model) / file);
    write_file(fs::path(model) / "chat_template.jinja", "Say it. {{ messages[0]['role'] }}:");
    expect_useless(model, "the chat template has no place for the image");
  }
}

TEST_F(BadModels, ATextLongerThanTheWindow) {
  for (const auto& [family, folder] : golden_families()) {
    SCOPED_TRACE(folder);
    const std::string model = fresh(folder);
    json config = json::parse(read_file(fs::path(model) / "config.json"));
    (config.contains("text_config") ? config["text_config"] : config)["max_position_embeddings"] = 9;
    write_file(fs::path(model) / "config.json", config.dump());
    expect_useless(
        model, "tokens leaves no room for a reply in the model's context of 9 tokens; shorten the prompt");
    expect_refused(
        "trace --model " + model + " --image " + kPhoto + " --prompt Who --target cat --out " + at("trace"),
        "do not fit the model's context of 9 tokens; shorten one of them");
    EXPECT_FALSE(fs::exists(at("trace")));
  }
}

TEST_F(BadModels, WeightsOfAnotherFamily) {
  for (const auto& [family, folder] : golden_families()) {
    SCOPED_TRACE(folder);
    const std::string model = fresh(folder);
    replace_weights(model,
                    kRoot + "/tests/golden/" + (family == "qwen2_vl" ? "paligemma/small" : "qwen2_vl/small"));
    expect_useless(model, "tensor");
  }
}

TEST_F(BadModels, TwoImagesForAModelOfOne) {
  for (const auto& [family, folder] : golden_families()) {
    SCOPED_TRACE(folder);
    const std::string model = fresh(folder);
    expect_refused("chat --model " + model + " --image " + kPhoto + " --image " + kPhoto + " --prompt Who",
                   "--image was given 2 times, but takes one value");
    if (run("models inspect " + model).out.find("chat template") == std::string::npos) continue;
    for (const char* file : {"chat_template.json", "chat_template.jinja"}) fs::remove(fs::path(model) / file);
    const json tokenizer = json::parse(read_file(fs::path(model) / "tokenizer.json"));
    const json config = json::parse(read_file(fs::path(model) / "config.json"));
    const auto token = config.contains("image_token_id") ? config["image_token_id"]
                                                         : config.value("image_token_index", json());
    std::string image = "<image>";
    for (const json& added : tokenizer["added_tokens"])
      if (added["id"] == token) image = added["content"];
    write_file(fs::path(model) / "chat_template.jinja", image + image + "{{ messages[0]['role'] }}:");
    expect_useless(model, "more than one place for the image");
  }
}

}  // namespace
}  // namespace hijack::bad_models_test
