// Reading DecoderConfig from config.json: hub files leave out what equals the class default.
#include <cmath>

#include "models/checkpoint/config_json.h"
#include "models/network/decoder.h"
#include "src/base/error.h"

namespace hijack {
namespace {

/// What transformers 5.23 assumes where config.json says nothing; 0: follows from the other sizes.
struct ClassDefaults {
  const char* model_type;
  int64_t vocabulary, width, layers, heads, kv_heads, head_dim, mlp_width, max_positions;
  double epsilon, rope_theta;
  const char* activation;
  bool tied_head;
};

// the one table of decoders
constexpr ClassDefaults kDecoders[] = {
    {"llama", 32000, 4096, 32, 32, 0, 0, 11008, 2048, 1e-6, 1e4, "silu", false},
    {"qwen2", 151936, 4096, 32, 32, 32, 0, 22016, 32768, 1e-6, 1e4, "silu", false},
    {"qwen2_vl_text", 152064, 8192, 80, 64, 8, 0, 29568, 32768, 1e-5, 1e6, "silu", false},
    {"gemma", 256000, 3072, 28, 16, 16, 256, 24576, 8192, 1e-6, 1e4, "gelu_pytorch_tanh", true},
};

const ClassDefaults& defaults_of(const std::string& type) {
  std::string known;
  for (const auto& decoder : kDecoders) {
    if (type == decoder.model_type) return decoder;
    known += (known.empty() ? "" : ", ") + std::string(decoder.model_type);
  }
  throw Error("decoder \"" + type + "\" is not supported; supported are: " + known);
}

std::vector<int64_t> read_sections(const nlohmann::json& rope, int64_t head_dim) {
  std::vector<int64_t> sections{16, 24, 24};
  if (rope.contains("mrope_section") && !rope.at("mrope_section").is_null()) {
    sections.clear();
    const auto& list = rope.at("mrope_section");
    if (!list.is_array()) throw Error("config.json: mrope_section must be a list of whole numbers");
    for (const auto& part : list) {
      if (!part.is_number_integer() || part.get<int64_t>() < 0 || part.get<int64_t>() > head_dim)
        throw Error("config.json: mrope_section must be a list of whole numbers up to the head width");
      sections.push_back(part.get<int64_t>());
    }
  }
  int64_t sum = 0;
  for (const int64_t part : sections) sum += part;
  if (sum != head_dim / 2)
    throw Error("config.json: mrope_section must add up to half the head width of " +
                std::to_string(head_dim) + ", not to " + std::to_string(sum));
  return sections;
}

/// transformers 5 writes rope_parameters, older versions rope_theta and rope_scaling, which goes before.
void read_rope(const ConfigReader& read, const ClassDefaults& defaults, DecoderConfig& config) {
  const bool multimodal = std::string_view(defaults.model_type) == "qwen2_vl_text";
  config.rope_theta = read.number("rope_theta", defaults.rope_theta);
  nlohmann::json rope = nlohmann::json::object();
  for (const char* key : {"rope_parameters", "rope_scaling"})
    if (read.has(key) && read.raw(key).is_object() && !read.raw(key).empty()) rope = read.raw(key);
  // Phi-3 and its like name these beside the rope; transformers lets the first win there as well
  if (read.has("original_max_position_embeddings"))
    rope["original_max_position_embeddings"] = read.raw("original_max_position_embeddings");
  if (read.has("partial_rotary_factor") && !rope.contains("partial_rotary_factor"))
    rope["partial_rotary_factor"] = read.raw("partial_rotary_factor");
  const ConfigReader parameters(rope, "rope parameters");
  const bool sections = multimodal && parameters.text("rope_type", parameters.text("type", "")) == "mrope";
  if (!sections) config.rope_scaling = RopeScaling::from_json(parameters, config.max_positions);
  config.rope_theta = parameters.number("rope_theta", config.rope_theta);
  if (config.rope_theta <= 0) throw Error("config.json: rope_theta must be positive");
  if (multimodal) config.mrope_sections = read_sections(rope, config.head_dim);
}

void refuse_sliding_window(const ConfigReader& read) {
  if (read.flag("use_sliding_window", false))
    throw Error("config.json: use_sliding_window true is not supported; only full attention is");
  if (!read.has("layer_types") || !read.raw("layer_types").is_array()) return;
  for (const auto& type : read.raw("layer_types"))
    if (type != "full_attention")
      throw Error("config.json: layer type " + type.dump().substr(0, 50) +
                  " is not supported; only full_attention is");
}

void read_sizes(const ConfigReader& read, const ClassDefaults& defaults, DecoderConfig& config) {
  config.vocabulary = read.integer("vocab_size", defaults.vocabulary);
  config.width = read.integer("hidden_size", defaults.width);
  config.layers = read.integer("num_hidden_layers", defaults.layers);
  config.heads = read.integer("num_attention_heads", defaults.heads);
  const bool as_heads = defaults.kv_heads == 0 || read.is_null("num_key_value_heads");
  config.kv_heads = read.integer("num_key_value_heads", as_heads ? config.heads : defaults.kv_heads);
  const int64_t split = config.width / config.heads;
  config.head_dim = read.integer("head_dim", defaults.head_dim > 0 ? defaults.head_dim : split);
  if (std::string_view(defaults.model_type) == "qwen2_vl_text") config.head_dim = split;
  config.mlp_width = read.integer("intermediate_size", defaults.mlp_width);
  config.max_positions = read.integer("max_position_embeddings", defaults.max_positions);
  if (config.heads % config.kv_heads != 0)
    throw Error("config.json: num_attention_heads must be a multiple of num_key_value_heads");
  if (config.head_dim < 2 || config.head_dim % 2 != 0)
    throw Error("config.json: the width of a head must be even, not " + std::to_string(config.head_dim));
}

/// What the class fixes and config.json cannot change.
void read_kind(const ConfigReader& read, const std::string& type, DecoderConfig& config) {
  if (type == "llama") {
    config.query_bias = config.output_bias = read.flag("attention_bias", false);
    config.mlp_bias = read.flag("mlp_bias", false);
  } else if (type == "gemma") {
    config.query_bias = config.output_bias = read.flag("attention_bias", false);
    config.norm_adds_one = true;
    config.embedding_scale = std::sqrt(static_cast<double>(config.width));
    if (config.activation == Activation::kGelu) config.activation = Activation::kGeluTanh;
  } else {
    config.query_bias = true;
    refuse_sliding_window(read);
  }
}

}  // namespace

bool is_decoder(const std::string& model_type) {
  return std::any_of(std::begin(kDecoders), std::end(kDecoders),
                     [&](const ClassDefaults& decoder) { return model_type == decoder.model_type; });
}

std::vector<std::string> text_decoder_names() {
  std::vector<std::string> names;
  for (const ClassDefaults& decoder : kDecoders)
    if (!std::string_view(decoder.model_type).ends_with("_text")) names.emplace_back(decoder.model_type);
  return names;
}

DecoderConfig DecoderConfig::from_json(const nlohmann::json& json, std::optional<bool> root_tied,
                                       const std::string& default_type) {
  const ConfigReader read(json, "text_config");
  const auto type = read.text("model_type", default_type);
  const ClassDefaults& defaults = defaults_of(type);
  DecoderConfig config;
  read_sizes(read, defaults, config);
  config.epsilon = read.number("rms_norm_eps", defaults.epsilon);
  config.tied_head = read.flag("tie_word_embeddings", root_tied.value_or(defaults.tied_head));
  config.activation = activation_from_name(read.text("hidden_act", defaults.activation));
  read_rope(read, defaults, config);
  read_kind(read, type, config);
  return config;
}

}  // namespace hijack
