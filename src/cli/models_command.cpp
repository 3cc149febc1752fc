#include <iostream>

#include "models/checkpoint/reply_rules.h"
#include "models/checkpoint/stored_weights.h"
#include "models/checkpoint/weights.h"
#include "models/dtype.h"
#include "models/encoders/encoder_model.h"
#include "models/families/llava_original.h"
#include "models/families/memory_estimate.h"
#include "models/preprocess/processor_config.h"
#include "src/base/error.h"
#include "src/base/image.h"
#include "src/base/json.h"
#include "src/cli/commands.h"
#include "src/cli/model_options.h"
#include "src/cli/output_options.h"
#include "src/cli/text.h"
#include "src/experiment/plan/shipped.h"

namespace hijack::cli {
namespace {

namespace fs = std::filesystem;

struct ModelsArguments {
  bool list = false;
  OutputOptions output;
  ModelOptions inspected;
  std::string image;
};

using Rows = std::vector<std::pair<std::string, std::string>>;

std::string gigabytes(double bytes) {
  char text[48];
  std::snprintf(text, sizeof text, bytes < 1e9 ? "%.1f MB" : "%.1f GB", bytes / (bytes < 1e9 ? 1e6 : 1e9));
  return text;
}

/// Of each dtype, "6.7 GB float32, 3.6 GB autocast, 3.4 GB bfloat16".
using OfDtypes = std::vector<std::pair<std::string, MemoryEstimate>>;

template <class Bytes>
std::string in_each(const OfDtypes& estimates, const Bytes& bytes_of) {
  std::string text;
  for (const auto& [dtype, estimate] : estimates)
    text += (text.empty() ? "" : ", ") + gigabytes(bytes_of(dtype, estimate)) + " " + dtype;
  return text;
}

Rows weight_rows(const StoredWeights& stored) {
  std::string dtypes;
  for (const auto& [name, count] : stored.dtypes)
    dtypes += (dtypes.empty() ? "" : ", ") + name +
              (stored.dtypes.size() > 1 ? " " + std::to_string(count) : std::string());
  return {{"parameters", std::to_string(stored.parameters)},
          {"dtype on disk",
           dtypes + (stored.files == 1 ? " (1 file)" : " (" + std::to_string(stored.files) + " files)")},
          {"--dtype auto",
           "float32 on a CPU, " + chosen_dtype("auto", at::kCUDA, stored.mostly("float32")) + " on a GPU"}};
}

/// Weights and the pages of the file that they are converted from; what is stored as wanted stays in the
/// file.
double while_loading(const StoredWeights& stored, const MemoryEstimate& estimate, const std::string& dtype) {
  double bytes = estimate.weights;
  for (const auto& [name, count] : stored.dtypes)
    if (dtype == "autocast" || name != dtype)
      bytes += static_cast<double>(count) * (name == "float32" ? 4 : 2);
  return bytes;
}

/// Of a step with one context, on this machine, while nothing else runs on it.
std::string seconds_text(double operations, const std::string& device) {
  char text[96];
  const double seconds = operations / operations_per_second(at::Device(device), "float32");
  std::snprintf(text, sizeof text, "about %.*f s float32 on %s, where nothing else runs",
                seconds < 10 ? 2 : 0, seconds, device.c_str());
  return text;
}

Rows memory_rows(const ImagePromptModel& model, const Pixels& pixels, const StoredWeights& stored,
                 const std::string& device) {
  OfDtypes estimates;
  for (const char* dtype : {"float32", "autocast", "bfloat16"})
    estimates.emplace_back(dtype, estimate_memory(model, pixels, stored.parameters, dtype));
  const auto each = [&](double MemoryEstimate::*bytes) {
    return in_each(estimates, [&](const auto&, const MemoryEstimate& one) { return one.*bytes; });
  };
  return {{"weights in memory", each(&MemoryEstimate::weights)},
          {"  while loading",
           in_each(estimates, [&](const std::string& dtype,
                                  const MemoryEstimate& one) { return while_loading(stored, one, dtype); })},
          {"memory of chat", each(&MemoryEstimate::chat)},
          {"memory of attack", each(&MemoryEstimate::attack)},
          {"  with recomputation", each(&MemoryEstimate::attack_checkpointed)},
          {"time of a step", seconds_text(estimates.front().second.operations, device)},
          {"the program itself", "about 0.2 GB on top of each"}};
}

/// Whether tower, tokenizer and decoder fit each other, by shapes alone: what an attack would meet at its
/// first step.
void check_prompt_of(const ImagePromptModel& model, const Pixels& pixels) {
  const auto tokens = static_cast<int64_t>(model.input_ids(pixels, {.prompt = "x"}).size());
  const int64_t window = model.decoder().config().max_positions;
  if (tokens >= window)
    throw Error("a photo and a word are " + std::to_string(tokens) + " tokens, but the context window has " +
                std::to_string(window) + " (max_position_embeddings of config.json)");
}

/// What the model says of itself and of a photo; loaded without its weights.
Rows image_model_rows(const fs::path& folder, const ModelsArguments& arguments, StoredWeights stored) {
  LoadOptions options = arguments.inspected.options();
  options.device = "meta";
  Weights::ShapesOnly shapes;
  const auto model = load_model(folder, options);
  if (stored.files == 0) stored.parameters = shapes.parameters();
  const at::NoGradGuard no_grad;
  const ImageSpec image = model->image_spec();
  const Tensor photo = arguments.image.empty() ? at::full({1, 3, image.height, image.width}, 0.5)
                                               : model->to_input_space(load_image(arguments.image));
  const Pixels pixels = model->preprocess(photo);
  const int64_t views = pixels.values.dim() == 4 ? pixels.values.size(0) : 1;
  const auto* prompted = dynamic_cast<const ImagePromptModel*>(model.get());
  if (prompted != nullptr) check_prompt_of(*prompted, pixels);
  std::string size = std::to_string(photo.size(3)) + " x " + std::to_string(photo.size(2)) + " pixels";
  if (prompted != nullptr) size += ", " + std::to_string(prompted->image_tokens(pixels)) + " tokens";
  if (views > 1) size += ", " + std::to_string(views) + " views";
  Rows rows = {{"image", size}, {"vocabulary", std::to_string(model->tokenizer().vocabulary_size())}};
  if (!model->template_origin().empty())
    rows.emplace_back("chat template", printable(model->template_origin()));
  if (prompted != nullptr && prompted->image_follows_question())
    rows.emplace_back("shared by prompts", "the tower's pass only: image tokens depend on the question");
  if (prompted != nullptr) {
    rows.emplace_back("context window",
                      std::to_string(prompted->decoder().config().max_positions) + " tokens");
    for (auto& row : memory_rows(*prompted, pixels, stored, arguments.inspected.device))
      rows.push_back(std::move(row));
  }
  return rows;
}

Rows text_model_rows(const fs::path& folder, const LoadOptions& options) {
  const auto model = load_language_model(folder, options);
  return {{"image",
           "none: a language model; attacked by text (--method gcg), and for defenses that take model=DIR "
           "(perplexity, paraphrase, judge, ecso)"},
          {"vocabulary", std::to_string(model->tokenizer().vocabulary_size())},
          {"chat template", model->template_origin()}};
}

/// Runs one check; its Error is another problem.
template <class Check>
void note(std::vector<std::string>& problems, const Check& check) {
  try {
    check();
  } catch (const Error& error) {
    problems.emplace_back(error.what());
  }
}

/// What generation_config.json says that is not what hijack does by itself.
Rows generation_rows(const fs::path& folder) {
  Rows rows;
  const std::string drawn = drawing_rules(folder);
  if (!drawn.empty())
    rows.emplace_back("replies", drawn +
                                     " in generation_config.json; hijack is greedy unless --temperature, "
                                     "--top-p and --top-k say so");
  std::string ignored;
  for (const std::string& rule : rules_not_followed(folder)) ignored += (ignored.empty() ? "" : ", ") + rule;
  if (!ignored.empty()) rows.emplace_back("not followed", ignored + " of generation_config.json");
  return rows;
}

/// What an image encoder says of itself, and of a text.
Rows encoder_rows(const fs::path& folder, const LoadOptions& options) {
  const auto encoder = encoder_of(load_model(folder, options));
  const auto [height, width] = encoder->image_spec();
  const at::NoGradGuard no_grad;
  const EncodedImages seen = encoder->encode(at::full({1, 3, height, width}, .5));
  Rows rows = {{"image", std::to_string(width) + " x " + std::to_string(height) + " pixels, " +
                             std::to_string(seen.patches.size(1)) + " patch tokens of " +
                             std::to_string(seen.patches.size(2)) + " numbers"},
               {"embedding", std::to_string(seen.embedding.size(1)) + " numbers"},
               {"text", "none: it compares images with images"}};
  if (!encoder->reads_text()) return rows;
  try {
    encoder->text_embedding("a photo");
    rows.back().second = "yes, compared with images by the cosine";
  } catch (const Error& error) {
    rows.back().second = printable("not readable: " + std::string(error.what()));
  }
  return rows;
}

int print_rows(const fs::path& folder, Rows rows, const std::vector<std::string>& problems) {
  rows.emplace_back("supported", problems.empty() ? "yes" : "no");
  for (const std::string& problem : problems) rows.emplace_back("problem", problem);
  for (const auto& [name, value] : rows)
    std::cout << name << std::string(22 - name.size(), ' ') << value << "\n";
  if (!problems.empty())
    throw Error(folder.string() +
                " cannot be loaded as it is; 'problem' above says what is missing or not supported.");
  return 0;
}

/// CLIP, SigLIP, DINOv2: `hijack attack --surrogate`. Whole weights are read: a forward pass says what fits.
int inspect_encoder(const fs::path& folder, const ModelsArguments& arguments, const std::string& type) {
  Rows rows = {{"folder", folder.string()}, {"family", type + " (image encoder: --surrogate)"}};
  std::vector<std::string> problems;
  if (type != "open_clip")
    note(problems, [&] {
      for (auto& row : weight_rows(stored_weights(folder))) rows.push_back(std::move(row));
    });
  note(problems, [&] {
    for (auto& row : encoder_rows(folder, arguments.inspected.options())) rows.push_back(std::move(row));
  });
  return print_rows(folder, std::move(rows), problems);
}

int inspect(const ModelsArguments& arguments) {
  const fs::path folder = arguments.inspected.folder();
  if (!fs::exists(folder / "config.json") && fs::exists(folder / "open_clip_config.json"))
    return inspect_encoder(folder, arguments, "open_clip");
  const auto config = read_json(folder / "config.json");
  if (!config.is_object()) throw Error((folder / "config.json").string() + " is not a JSON object.");
  const auto found = config.find("model_type");
  const std::string type = found != config.end() && found->is_string() ? found->get<std::string>() : "";
  if (is_encoder(type)) return inspect_encoder(folder, arguments, type);
  const bool text_only = is_decoder(type);

  Rows rows = {{"folder", folder.string()},
               {"family", type.empty() ? "not named in config.json" : printable(type)}};
  std::vector<std::string> problems;
  StoredWeights stored;
  note(problems, [&] { stored = stored_weights(folder); });
  if (stored.files > 0)
    for (auto& row : weight_rows(stored)) rows.push_back(std::move(row));
  const bool headers_fine = problems.empty();
  if (headers_fine) note(problems, [&] { const Weights all_there(folder); });
  // an image model's size and tokens need no weights
  const size_t allowed = headers_fine && stored.files == 0 && !text_only ? problems.size() : 0;
  note(problems, [&] { Tokenizer::from_file(folder / "tokenizer.json"); });
  if (!text_only && !is_original_llava(config)) note(problems, [&] { processor_json(folder); });
  // what fails with everything there is a part that is not supported
  if (problems.size() == allowed)
    note(problems, [&] {
      LoadOptions shapes = arguments.inspected.options();
      shapes.device = "meta";
      for (auto& row :
           text_only ? text_model_rows(folder, shapes) : image_model_rows(folder, arguments, stored))
        rows.push_back(std::move(row));
    });
  note(problems, [&] {
    for (auto& row : generation_rows(folder)) rows.push_back(std::move(row));
  });
  return print_rows(folder, std::move(rows), problems);
}

/// Models that have a short name.
void list_named(bool json) {
  for (const NamedModel& model : named_models()) {
    const bool there = model.is_there();
    if (json)
      print_row("model", {{"name", model.name},
                          {"what", model.what},
                          {"folder", model.folder.string()},
                          {"is_there", there},
                          {"made_by", model.made_by}});
    else
      std::cout << "--model " << model.name << std::string(16 - model.name.size(), ' ') << model.what << ": "
                << (there ? model.folder.string() : "not made yet; '" + model.made_by + "' makes it") << "\n";
  }
}

int list(bool json) {
  const auto show = [json](const std::string& name, bool images) {
    if (json) return print_row("family", {{"name", name}, {"images", images}});
    const std::string padding(name.size() < 18 ? 18 - name.size() : 1, ' ');
    std::cout << name << (images ? "" : padding + "text only: gcg, defenses with model=DIR") << "\n";
  };
  for (const std::string& family : supported_families()) show(family, true);
  for (const std::string& decoder : text_decoder_names()) show(decoder, false);
  for (const std::string& encoder : encoder_names())
    if (json)
      print_row("encoder", {{"name", encoder}});
    else
      std::cout << encoder << std::string(18 - encoder.size(), ' ') << "image encoder: --surrogate\n";
  list_named(json);
  return 0;
}

int models(const ModelsArguments& arguments) {
  if (arguments.output.json && !arguments.list) throw Error("--json belongs to hijack models --list.");
  if (!arguments.inspected.model.empty()) return inspect(arguments);
  if (!arguments.list) throw Error("Say what to do: hijack models --list, or hijack models inspect DIR.");
  return list(arguments.output.json);
}

}  // namespace

void add_models(CLI::App& program, Action& chosen) {
  CLI::App* command = program.add_subcommand("models", "list the supported families, or inspect a folder");
  auto arguments = std::make_shared<ModelsArguments>();
  command->add_flag("--list", arguments->list, "the model types that load");
  command->add_flag("--json", arguments->output.json, "for scripts: --list as one JSON object a line");
  CLI::App* inspected =
      command->add_subcommand("inspect", "family, parameters, image size and tokens, memory");
  inspected->add_option("folder", arguments->inspected.model, "Hugging Face folder")
      ->required()
      ->type_name("DIR");
  arguments->inspected.add_tower_to(*inspected);
  arguments->inspected.add_image_options_to(*inspected);
  inspected
      ->add_option("--image", arguments->image,
                   "photo whose size, tokens, memory and time are shown; default: the model's own size")
      ->type_name("FILE");
  command->callback([&chosen, arguments] { chosen = [arguments] { return models(*arguments); }; });
}

}  // namespace hijack::cli
