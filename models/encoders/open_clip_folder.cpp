#include "models/encoders/open_clip_folder.h"

#include "models/checkpoint/config_json.h"
#include "models/families/open_clip.h"
#include "src/base/error.h"
#include "src/base/unicode.h"

namespace hijack {
namespace {

using nlohmann::json;

constexpr std::pair<const char*, const char*> kTextSide[] = {
    {"token_embedding.weight", "text_model.embeddings.token_embedding.weight"},
    {"positional_embedding", "text_model.embeddings.position_embedding.weight"},
    {"ln_final.weight", "text_model.final_layer_norm.weight"},
    {"ln_final.bias", "text_model.final_layer_norm.bias"},
    {"logit_scale", "logit_scale"}};

json text_config_of(const json& model, const std::string& where) {
  if (!model.contains("text_cfg") || !model["text_cfg"].is_object())
    throw Error(where + " has no model_cfg with a text_cfg");
  const json& text = model["text_cfg"];
  for (const char* other : {"hf_model_name", "text_mask", "pool_type", "no_causal_mask", "embed_cls"})
    if (text.contains(other) && !text[other].is_null() && text[other] != false && text[other] != "")
      throw Error(where + ": " + other + " of text_cfg is not supported; the text tower must be CLIP's");
  const ConfigReader read(text, "text_cfg");
  const int64_t width = read.integer("width", 512);
  return {{"vocab_size", read.integer("vocab_size", 49408)},
          {"hidden_size", width},
          {"intermediate_size", 4 * width},
          {"num_hidden_layers", read.integer("layers", 12)},
          {"num_attention_heads", read.integer("heads", 8)},
          {"max_position_embeddings", read.integer("context_length", 77)},
          {"hidden_act", ConfigReader(model, "model_cfg").flag("quick_gelu", false) ? "quick_gelu" : "gelu"},
          {"eos_token_id", 2}};  // the highest id of a text, as open_clip takes it
}

}  // namespace

OpenClipFolder::OpenClipFolder(const std::optional<OpenClipTower>& visual,
                               const std::filesystem::path& folder) {
  if (!visual || !visual->whole_config().is_object())
    throw Error("an encoder by the names of open_clip needs open_clip_config.json beside its weights; " +
                folder.string() + " has none");
  for (const auto& [name, tensor] : visual->tensors()) tensors_["vision_model." + name] = tensor;
  const json& model = visual->whole_config()["model_cfg"];
  config_ = {{"projection_dim", ConfigReader(model, "model_cfg").integer("embed_dim", std::nullopt)},
             {"text_config", text_config_of(model, (folder / "open_clip_config.json").string())}};
  for (const auto& [name, tensor] : visual->others()) {
    const auto known = std::find_if(std::begin(kTextSide), std::end(kTextSide),
                                    [&](const auto& one) { return name == one.first; });
    if (known != std::end(kTextSide))
      tensors_[known->second] = tensor;
    else if (name == "visual.proj" || name == "text_projection")
      tensors_[name == "visual.proj" ? "visual_projection.weight" : "text_projection.weight"] =
          tensor.dim() == 2 ? tensor.t() : tensor;
    else if (name != "attn_mask" &&
             !put_open_clip_block(folder.string(), name, tensor, "text_model.", tensors_))
      throw Error(folder.string() + ": the tensor " + unicode::excerpt(name) + " is none of CLIP's");
  }
  // the width of the MLP stands nowhere but in the weights
  const auto up = tensors_.find("text_model.encoder.layers.0.mlp.fc1.weight");
  if (up != tensors_.end() && up->second.dim() == 2)
    config_["text_config"]["intermediate_size"] = up->second.size(0);
}

}  // namespace hijack
