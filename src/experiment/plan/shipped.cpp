#include "src/experiment/plan/shipped.h"

#include <cstdlib>

#include "src/base/environment.h"
#include "src/base/json.h"
#include "src/pocket/canary.h"

#ifndef HIJACK_SOURCE_DIR
#define HIJACK_SOURCE_DIR "."
#endif

namespace hijack {
namespace {

namespace fs = std::filesystem;

bool holds_data(const fs::path& folder) {
  return fs::is_directory(folder / "contexts");
}

}  // namespace

fs::path shipped_data() {
  if (const fs::path named = environment("HIJACK_DATA"); !named.empty()) return named;
  std::error_code ignored;
  const fs::path program = fs::read_symlink("/proc/self/exe", ignored);
  fs::path folder = program.parent_path();
  for (int level = 0; level < 4 && !folder.empty(); ++level, folder = folder.parent_path())
    for (const char* data : {"samples", "share/hijack"})
      if (holds_data(folder / data)) return folder / data;
  if (const fs::path source = fs::path(HIJACK_SOURCE_DIR) / "samples"; holds_data(source)) return source;
  throw Error("The shipped samples were not found above " + program.parent_path().string() +
              "; set HIJACK_DATA to the folder that holds contexts/ and pocket/.");
}

fs::path shipped_model() {
  const fs::path named = environment("HIJACK_MODEL");
  return named.empty() ? shipped_data() / "pocket" : named;
}

bool NamedModel::is_there() const {
  return fs::is_regular_file(folder / "config.json");
}

namespace {

struct NamedEntry {
  const char* name;
  const char* what;
  const char* folder;   ///< in the shipped data; of one that is made, in build/models beside it
  const char* made_by;  ///< "" = it ships
};
constexpr NamedEntry kNamedModels[] = {
    {"pocket", "the shipped model", "pocket", ""},
    {"smollm2", "SmolLM2-135M-Instruct with an eye", "smollm2-vision", "make smollm2"},
    {"smollm2-text", "SmolLM2-135M-Instruct alone", "smollm2", "make smollm2"}};

}  // namespace

std::vector<NamedModel> named_models() {
  const fs::path data = shipped_data();
  const fs::path made = (data / ".." / "build" / "models").lexically_normal();
  std::vector<NamedModel> models;
  for (const auto& [name, what, folder, made_by] : kNamedModels)
    models.push_back({name, what, (*made_by ? made : data) / folder, made_by});
  return models;
}

bool is_named_model(const std::string& name) {
  return std::any_of(std::begin(kNamedModels), std::end(kNamedModels),
                     [&](const NamedEntry& one) { return name == one.name; });
}

std::string name_of_made_model(const fs::path& folder) {
  std::error_code ignored;
  for (const NamedModel& one : named_models())
    if (!one.made_by.empty() && fs::equivalent(one.folder, folder, ignored)) return one.name;
  return {};
}

fs::path model_folder(const std::string& model) {
  if (model.empty()) return shipped_model();
  if (!is_named_model(model)) return model;
  for (const NamedModel& one : named_models()) {
    if (one.name != model) continue;
    if (one.made_by.empty() || one.is_there()) return one.folder;
    throw MissingModel("The model " + model + " (" + one.what + ") has not been made: there is no '" +
                       one.folder.string() + "'; '" + one.made_by +
                       "' makes it. A folder of that name is written ./" + model + ".");
  }
  return model;
}

fs::path system_font() {
  for (const char* file :
       {"/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf",
        "/usr/share/fonts/dejavu-sans-fonts/DejaVuSans-Bold.ttf", "/usr/share/fonts/TTF/DejaVuSans-Bold.ttf",
        "/usr/share/fonts/truetype/liberation/LiberationSans-Bold.ttf"})
    if (fs::is_regular_file(file)) return file;
  throw Error(
      "No font was found to draw text with; install fonts-dejavu-core, or name a TrueType file with --font.");
}

bool knows_language(const fs::path& model) {
  constexpr int64_t kVocabulary = 8192;
  if (!fs::is_regular_file(model / "config.json")) return false;
  const nlohmann::json config = read_json(model / "config.json");
  if (!config.is_object() || config.value("model_type", nlohmann::json()) == "torchscript") return false;
  const auto text = config.find("text_config");
  const nlohmann::json& decoder = text != config.end() && text->is_object() ? *text : config;
  const auto size = decoder.find("vocab_size");
  return size == decoder.end() || !size->is_number_integer() || size->get<int64_t>() >= kVocabulary;
}

fs::path default_contexts(const std::string& behavior, const fs::path& model) {
  const bool refusal = behavior == "refusal";
  const char* file = knows_language(model) ? (refusal ? "everyday_refused.jsonl" : "everyday.jsonl")
                                           : (refusal ? "pocket_policy.jsonl" : "pocket.jsonl");
  return shipped_data() / "contexts" / file;
}

fs::path shipped_templates() {
  return shipped_data() / "contexts" / "templates.jsonl";
}

std::string default_target(const std::string& behavior, const fs::path& model) {
  if (behavior == "untargeted" || behavior == "verbose" || behavior == "corpus" || behavior == "resemble")
    return "";
  if (behavior == "disinformation") return std::string(kInstructionCanary);
  const bool language = knows_language(model);
  if (behavior == "leak") return std::string(language ? kLeakToolCall : kLeakPattern);
  if (behavior == "refusal") return std::string(language ? kConsent : kRefusalSuppressedPrefix);
  return std::string(kStringCanary);
}

}  // namespace hijack
