#include "models/families/torchscript.h"

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/serialization/import.h>

#include "models/autocast.h"
#include "models/chat_template/render_plain.h"
#include "models/checkpoint/config_json.h"
#include "models/checkpoint/reply_rules.h"
#include "models/families/decoder_language_model.h"
#include "models/prefix/scores.h"
#include "src/base/error.h"
#include "src/base/json.h"

namespace hijack {

/// The archive, frozen and in evaluation mode.
class ScriptModule {
 public:
  ScriptModule(const std::filesystem::path& file, at::Device device)
      : where_(file.string()), device_(device), autocast_(AutocastScope::is_on()) {
    if (!std::filesystem::is_regular_file(file))
      throw Error(where_ +
                  " does not exist; \"script\" of config.json names a TorchScript archive beside it");
    try {
      module_ = torch::jit::load(where_, device);
      module_.eval();
      for (at::Tensor parameter : module_.parameters()) parameter.set_requires_grad(false);
    } catch (const std::exception&) {
      throw Error(where_ +
                  " is not a TorchScript archive that this libtorch can read; write it with "
                  "torch.jit.trace(model, example).save(FILE)");
    }
  }

  /// forward(inputs) as a floating tensor of `dimensions` axes.
  Tensor operator()(std::vector<c10::IValue> inputs, int64_t dimensions) const {
    const torch::jit::GraphOptimizerEnabledGuard plain(false);  // the same numbers in every call
    const Autocast autocast(device_, autocast_);
    c10::IValue out;
    try {
      out = module_.get_method("forward")(std::move(inputs));
    } catch (const std::exception&) {  // whose text is the interpreter's own stack
      throw Error(
          where_ +
          " does not take inputs of these sizes; models/families/torchscript.h says what forward is given");
    }
    if (!out.isTensor() || out.toTensor().dim() != dimensions || !out.toTensor().is_floating_point() ||
        out.toTensor().size(0) != 1)
      throw Error(where_ + " must return one tensor of " + std::to_string(dimensions) +
                  " axes, the first of size 1");
    return out.toTensor();
  }

  at::Device device() const { return device_; }
  const std::string& where() const { return where_; }

 private:
  std::string where_;
  at::Device device_;
  bool autocast_;
  torch::jit::Module module_;
};

std::string ScriptPrompt::render(const Query& query, bool with_image) const {
  std::string text = pattern;
  if (!with_image) text.erase(text.find(image_token), image_token.size());
  const std::string place = "{prompt}";
  return text.replace(text.find(place), place.size(), render_plain(query));
}

TorchScriptTower::TorchScriptTower(std::shared_ptr<const Decoder> decoder,
                                   std::shared_ptr<const Tokenizer> tokenizer,
                                   std::shared_ptr<const ScriptModule> tower, const ImageProcessor& processor,
                                   ScriptPrompt prompt, TokenId image_token, ReplyRules rules)
    : OneSizeModel(processor, std::move(decoder), std::move(tokenizer), image_token, std::move(rules)),
      tower_(std::move(tower)),
      prompt_(std::move(prompt)) {
  const at::NoGradGuard no_gradients;
  const auto [height, width] = image_spec();
  image_tokens_ = image_features(preprocess(at::full({1, 3, height, width}, 0.5))).size(1);
}

Tensor TorchScriptTower::image_features(const Pixels& pixels) const {
  const Tensor features = (*tower_)({pixels.values}, 3);
  if (features.size(2) != decoder().config().width)
    throw Error(tower_->where() + " gives features of " + std::to_string(features.size(2)) +
                " numbers, but the decoder's are " + std::to_string(decoder().config().width) + " wide");
  return features;
}

RenderedPrompt TorchScriptTower::render(const Query& query, bool with_image) const {
  return {prompt_.render(query, with_image)};
}

TokenIds TorchScriptTower::image_ids(const Pixels&) const {
  return TokenIds(static_cast<size_t>(image_tokens_), image_token());
}

TorchScriptModel::TorchScriptModel(std::shared_ptr<const ScriptModule> script,
                                   std::shared_ptr<const Tokenizer> tokenizer,
                                   const ImageProcessor& processor, Settings settings)
    : script_(std::move(script)),
      tokenizer_(std::move(tokenizer)),
      processor_(processor),
      settings_(std::move(settings)) {}

ImageSpec TorchScriptModel::image_spec() const {
  return {processor_.output_height(), processor_.output_width()};
}

at::Device TorchScriptModel::device() const {
  return script_->device();
}

Tensor TorchScriptModel::to_input_space(const Tensor& image) const {
  const at::NoGradGuard no_gradients;
  return processor_.geometry(image);
}

Pixels TorchScriptModel::preprocess(const Tensor& image) const {
  return {processor_.normalize(processor_.geometry(image)).to(device()), image.size(2), image.size(3)};
}

Tensor TorchScriptModel::image_features(const Pixels&) const {
  throw Error(script_->where() +
              " is a whole model: its image features cannot be seen; give the tower as a "
              "script and the decoder as a folder");
}

std::shared_ptr<const LanguageModel> TorchScriptModel::language_model() const {
  throw Error(script_->where() +
              " is a whole model: it has no decoder that works without image; name another "
              "model for the perplexity and paraphrase defenses");
}

TokenIds TorchScriptModel::end_of_reply() const {
  return settings_.rules.stops.empty() ? TokenIds{} : TokenIds{settings_.rules.stops.front()};
}

TokenIds TorchScriptModel::input_ids(const Pixels&, const Query& query) const {
  const TokenIds image(static_cast<size_t>(settings_.image_tokens), settings_.image_token);
  return expand_image(tokenizer_->encode(settings_.prompt.render(query, /*with_image=*/true), true),
                      settings_.image_token, image)
      .ids;
}

Tensor TorchScriptModel::logits(const Tensor& pixels, const TokenIds& ids) const {
  if (static_cast<int64_t>(ids.size()) > settings_.max_positions)
    throw Error("prompt and target have " + std::to_string(ids.size()) + " tokens, more than the " +
                std::to_string(settings_.max_positions) + " of the model's context window");
  const Tensor input = at::tensor(ids, at::kLong).unsqueeze(0).to(device());
  const Tensor out = (*script_)({input, pixels}, 3);
  if (out.size(1) != static_cast<int64_t>(ids.size()))
    throw Error(script_->where() + " gives logits for " + std::to_string(out.size(1)) + " of " +
                std::to_string(ids.size()) + " tokens");
  return out.squeeze(0).to(at::kFloat);
}

std::vector<Tensor> TorchScriptModel::target_logits(const Pixels& pixels, std::span<const Query> queries,
                                                    std::span<const TokenIds> targets) const {
  TORCH_CHECK(queries.size() == targets.size(), "one target for each query");
  std::vector<Tensor> result;
  for (size_t i = 0; i < queries.size(); ++i) {
    TokenIds ids = input_ids(pixels, queries[i]);
    const auto prompt = static_cast<int64_t>(ids.size()), target = static_cast<int64_t>(targets[i].size());
    ids.insert(ids.end(), targets[i].begin(), targets[i].end());
    result.push_back(logits(pixels.values, ids).narrow(0, prompt - 1, target));
  }
  return result;
}

Generated TorchScriptModel::reply(const Pixels& pixels, size_t index, const Query& query,
                                  const GenerateOptions& options) const {
  TokenIds ids = input_ids(pixels, query), said;
  std::string text;
  bool ended = false;
  while (!ended && static_cast<int64_t>(said.size()) < options.max_new_tokens &&
         !options.stop.stop_requested() && static_cast<int64_t>(ids.size()) < settings_.max_positions) {
    const Tensor ruled = penalize_repetition(logits(pixels.values, ids)[-1], {ids.begin(), ids.end()},
                                             settings_.rules.repetition_penalty);
    check_scores(ruled, static_cast<int64_t>(said.size()) + 1);
    const TokenId next = ruled.argmax().item<int64_t>();
    const TokenIds& stops = settings_.rules.stops;
    ids.push_back(next);
    // padded vocabularies: the head has rows that no token stands for; they print as nothing
    if (next < tokenizer_->vocabulary_size()) said.push_back(next);
    std::string now = tokenizer_->decode(said, /*skip_special_tokens=*/true);
    // a half-decoded character ends in U+FFFD: wait for its other bytes
    if (options.on_text && now.size() > text.size() && !now.ends_with("\xEF\xBF\xBD"))
      options.on_text(index, std::string_view(now).substr(text.size()));
    if (!now.ends_with("\xEF\xBF\xBD")) text = std::move(now);
    ended = std::find(stops.begin(), stops.end(), next) != stops.end();
  }
  return {tokenizer_->decode(said, /*skip_special_tokens=*/true), !ended};
}

std::vector<Generated> TorchScriptModel::generate(const Pixels& pixels, std::span<const Query> queries,
                                                  const GenerateOptions& options) const {
  if (options.temperature > 0)
    throw Error(script_->where() + ": a whole model as script is decoded greedily; use temperature 0");
  const at::NoGradGuard no_gradients;
  std::vector<Generated> replies;
  for (size_t i = 0; i < queries.size(); ++i) replies.push_back(reply(pixels, i, queries[i], options));
  return replies;
}

namespace {

/// A name inside the folder.
std::filesystem::path inside(const std::filesystem::path& folder, const std::string& name) {
  if (name.empty() || name == "." || name == ".." || name.find_first_of("/\\") != name.npos)
    throw Error("config.json: \"" + name.substr(0, 100) + "\" must be a name inside of the model's folder");
  return folder / name;
}

ScriptPrompt read_prompt(const ConfigReader& read) {
  ScriptPrompt prompt{read.text("prompt", {}), read.text("image_token", "<image>")};
  const size_t image =
      prompt.image_token.empty() ? std::string::npos : prompt.pattern.find(prompt.image_token);
  if (image == std::string::npos || prompt.pattern.find("{prompt}") == std::string::npos)
    throw Error("config.json: prompt must hold " + prompt.image_token + " and {prompt}");
  return prompt;
}

std::shared_ptr<const Decoder> read_decoder(const std::filesystem::path& folder, at::Device device,
                                            at::ScalarType dtype) {
  const auto config = DecoderConfig::from_json(read_json(folder / "config.json"), std::nullopt);
  return read_text_decoder(folder, config, device, dtype);
}

}  // namespace

std::shared_ptr<const VisionLanguageModel> load_torchscript(const std::filesystem::path& folder,
                                                            const nlohmann::json& config, at::Device device,
                                                            at::ScalarType dtype) {
  const ConfigReader read(config, "root");
  if (device.is_meta())
    throw Error(folder.string() + ": a TorchScript model cannot be inspected without running it");
  const ScriptPrompt prompt = read_prompt(read);
  const ImageProcessor processor = ImageProcessor::from_folder(folder);
  auto script = std::make_shared<const ScriptModule>(inside(folder, read.text("script", {})), device);
  const ReplyRules rules = reply_rules(folder, config);
  std::shared_ptr<const Decoder> decoder;
  if (read.has("decoder")) decoder = read_decoder(inside(folder, read.text("decoder", {})), device, dtype);
  auto tokenizer = decoder ? load_tokenizer(folder, decoder->config().vocabulary)
                           : Tokenizer::from_file(folder / "tokenizer.json");
  const auto image_token = tokenizer->token_to_id(prompt.image_token);
  if (!image_token)
    throw Error(folder.string() + ": tokenizer.json does not have the image token " + prompt.image_token);
  if (decoder)
    return std::make_shared<TorchScriptTower>(std::move(decoder), std::move(tokenizer), std::move(script),
                                              processor, prompt, *image_token, rules);
  const TorchScriptModel::Settings settings{prompt, *image_token, read.integer("image_tokens", {}),
                                            read.integer("max_position_embeddings", 2048), rules};
  return std::make_shared<TorchScriptModel>(std::move(script), std::move(tokenizer), processor, settings);
}

}  // namespace hijack
