#include <iostream>

#include "models/safetensors.h"
#include "src/base/error.h"
#include "src/base/json.h"
#include "src/cli/commands.h"
#include "src/cli/model_options.h"
#include "src/cli/text.h"

namespace hijack::cli {
namespace {

namespace fs = std::filesystem;

struct ModelsArguments {
  bool list = false;
  ModelOptions inspected;
};

struct StoredWeights {
  int64_t parameters = 0;
  int64_t files = 0;
  std::set<std::string> dtypes;
};

StoredWeights stored_weights(const fs::path& folder) {
  StoredWeights stored;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".safetensors") continue;
    ++stored.files;
    for (const auto& [name, tensor] : load_safetensors(entry.path())) {
      stored.parameters += tensor.numel();
      stored.dtypes.insert(c10::toString(tensor.scalar_type()));
    }
  }
  return stored;
}

std::string gigabytes(double bytes) {
  char text[48];
  std::snprintf(text, sizeof text, bytes < 1e9 ? "%.1f MB" : "%.1f GB", bytes / (bytes < 1e9 ? 1e6 : 1e9));
  return text;
}

std::string joined(const std::set<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

/// What the model says of itself once loaded, or why it does not load.
std::vector<std::vector<std::string>> loaded_rows(const fs::path& folder) {
  try {
    const auto model = load_model(folder);
    const ImageSpec image = model->image_spec();
    const at::NoGradGuard no_grad;
    const Tensor features =
        model->image_features(model->preprocess(at::full({1, 3, image.height, image.width}, 0.5)));
    return {{"supported", "yes"},
            {"image", std::to_string(image.width) + " x " + std::to_string(image.height) + " pixels, " +
                          std::to_string(features.size(1)) + " tokens"},
            {"vocabulary", std::to_string(model->tokenizer().vocabulary_size())}};
  } catch (const Error& error) {
    return {{"supported", std::string("no: ") + error.what()}};
  }
}

int inspect(const ModelsArguments& arguments) {
  const fs::path folder = arguments.inspected.folder();
  const auto config = read_json(folder / "config.json");
  if (!config.is_object()) throw Error((folder / "config.json").string() + " is not a JSON object.");
  const auto type = config.find("model_type");
  const StoredWeights stored = stored_weights(folder);
  const auto parameters = static_cast<double>(stored.parameters);
  std::vector<std::vector<std::string>> rows = {
      {"folder", folder.string()},
      {"family", type != config.end() && type->is_string() ? printable(type->get<std::string>())
                                                           : "not named in config.json"},
      {"parameters", std::to_string(stored.parameters) + " (" + joined(stored.dtypes) + ", " +
                         std::to_string(stored.files) + (stored.files == 1 ? " file)" : " files)")},
      {"weights in memory",
       gigabytes(4 * parameters) + " float32, " + gigabytes(2 * parameters) + " bfloat16"}};
  for (auto& row : loaded_rows(folder)) rows.push_back(std::move(row));
  for (const auto& row : rows) std::cout << row[0] << std::string(20 - row[0].size(), ' ') << row[1] << "\n";
  return 0;
}

int models(const ModelsArguments& arguments) {
  if (!arguments.inspected.model.empty()) return inspect(arguments);
  if (!arguments.list) throw Error("Say what to do: hijack models --list, or hijack models inspect DIR.");
  for (const std::string& family : supported_families()) std::cout << family << "\n";
  return 0;
}

}  // namespace

void add_models(CLI::App& program, Action& chosen) {
  CLI::App* command = program.add_subcommand("models", "list the supported families, or inspect a folder");
  auto arguments = std::make_shared<ModelsArguments>();
  command->add_flag("--list", arguments->list, "the model types that load");
  CLI::App* inspected =
      command->add_subcommand("inspect", "family, parameters, image size and tokens, memory");
  inspected->add_option("folder", arguments->inspected.model, "Hugging Face folder")
      ->required()
      ->type_name("DIR");
  command->callback([&chosen, arguments] { chosen = [arguments] { return models(*arguments); }; });
}

}  // namespace hijack::cli
