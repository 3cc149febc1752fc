// Reading DecoderConfig from config.json: hub files leave out what equals the class default.
#include <array>
#include <cmath>

#include "models/checkpoint/config_json.h"
#include "models/network/decoder.h"
#include "src/base/error.h"

namespace hijack {
namespace {

/// M-RoPE: how many frequencies turn by time, height and width; one after the other, or in turn (Qwen3-VL).
struct Sections {
  std::array<int64_t, 3> sizes = {0, 0, 0};
  bool interleaved = false;
  bool any() const { return sizes[0] + sizes[1] + sizes[2] > 0; }
};

/// What transformers 5.23 assumes where config.json says nothing; 0: follows from the other sizes.
struct ClassDefaults {
  const char* model_type;
  int64_t vocabulary, width, layers, heads, kv_heads, head_dim, mlp_width, max_positions;
  double epsilon, rope_theta;
  const char* activation;
  bool tied_head;
  Sections mrope = {};
};

constexpr int64_t kMostLayers = 4096;  // there is a list of them
constexpr Sections kInRow = {{16, 24, 24}}, kInTurn = {{24, 20, 20}, true};

// the one table of decoders
constexpr ClassDefaults kDecoders[] = {
    {"llama", 32000, 4096, 32, 32, 0, 0, 11008, 2048, 1e-6, 1e4, "silu", false},
    {"qwen2", 151936, 4096, 32, 32, 32, 0, 22016, 32768, 1e-6, 1e4, "silu", false},
    {"qwen2_vl_text", 152064, 8192, 80, 64, 8, 0, 29568, 32768, 1e-5, 1e6, "silu", false, kInRow},
    {"qwen2_5_vl_text", 152064, 8192, 80, 64, 8, 0, 29568, 32768, 1e-5, 1e6, "silu", false, kInRow},
    {"qwen3", 151936, 4096, 32, 32, 32, 128, 22016, 32768, 1e-6, 1e4, "silu", false},
    {"qwen3_vl_text", 151936, 4096, 32, 32, 32, 128, 22016, 128000, 1e-6, 5e5, "silu", false, kInTurn},
    {"mistral", 32000, 4096, 32, 32, 8, 0, 14336, 131072, 1e-6, 1e4, "silu", false},
    {"phi3", 32064, 3072, 32, 32, 0, 0, 8192, 4096, 1e-5, 1e4, "silu", false},
    {"gemma", 256000, 3072, 28, 16, 16, 256, 24576, 8192, 1e-6, 1e4, "gelu_pytorch_tanh", true},
    {"gemma2", 256000, 2304, 26, 8, 4, 256, 9216, 8192, 1e-6, 1e4, "gelu_pytorch_tanh", true},
    {"gemma3_text", 262208, 2304, 26, 8, 4, 256, 9216, 131072, 1e-6, 1e6, "gelu_pytorch_tanh", true},
};

const ClassDefaults& defaults_of(const std::string& type) {
  std::string known;
  for (const auto& decoder : kDecoders) {
    if (type == decoder.model_type) return decoder;
    known += (known.empty() ? "" : ", ") + std::string(decoder.model_type);
  }
  throw Error("decoder \"" + type + "\" is not supported; supported are: " + known);
}

/// `mrope_section` of the rope, else the class's.
Sections read_sections(const ConfigReader& rope, Sections sections, int64_t head_dim) {
  if (rope.has("mrope_section")) {
    const auto& list = rope.raw("mrope_section");
    if (!list.is_array() || list.size() != sections.sizes.size())
      throw Error("config.json: mrope_section must be a list of three whole numbers");
    for (size_t i = 0; i < list.size(); ++i) {
      if (!list[i].is_number_integer() || list[i].get<int64_t>() < 0 || list[i].get<int64_t>() > head_dim)
        throw Error("config.json: mrope_section must be three whole numbers up to the head width");
      sections.sizes[i] = list[i].get<int64_t>();
    }
  }
  const int64_t sum = sections.sizes[0] + sections.sizes[1] + sections.sizes[2];
  if (sum != head_dim / 2)
    throw Error("config.json: mrope_section must add up to half the head width of " +
                std::to_string(head_dim) + ", not to " + std::to_string(sum));
  if (rope.flag("mrope_interleaved", sections.interleaved) != sections.interleaved)
    throw Error("config.json: mrope_interleaved " + std::string(sections.interleaved ? "false" : "true") +
                " is not supported for this model_type");
  return sections;
}

/// DecoderConfig::mrope_axes.
std::vector<int64_t> axes_of(const Sections& sections, int64_t frequencies) {
  std::vector<int64_t> axes;
  for (int64_t i = 0; i < frequencies; ++i) {
    int64_t axis = 0;
    if (sections.interleaved) {  // time, height, width, time, ... as far as the sections reach; then time
      const int64_t turn = i % 3;
      axis = i < 3 * sections.sizes[static_cast<size_t>(turn)] ? turn : 0;
    } else {
      for (int64_t end = sections.sizes[0]; i >= end; end += sections.sizes[static_cast<size_t>(axis)])
        ++axis;
    }
    axes.push_back(axis);
  }
  return axes;
}

/// Which channels turn, and longrope by its older names: taken out of what RopeScaling reads.
void read_phi3_rope(nlohmann::json& rope, DecoderConfig& config) {
  const ConfigReader parameters(rope, "rope parameters");
  const auto type = parameters.text("rope_type", parameters.text("type", "default"));
  const double share = parameters.number("partial_rotary_factor", 1);
  if (!(share > 0 && share <= 1))
    throw Error("config.json: partial_rotary_factor must be above 0 and at most 1");
  config.rotary_dim = static_cast<int64_t>(static_cast<double>(config.head_dim) * share);
  if (config.rotary_dim < 2 || config.rotary_dim % 2 != 0)
    throw Error("config.json: partial_rotary_factor must let an even number of a head's " +
                std::to_string(config.head_dim) + " channels turn, not " + std::to_string(config.rotary_dim));
  if (type == "su" || type == "yarn") rope["rope_type"] = "longrope";
  if (!rope.contains("original_max_position_embeddings")) rope["original_max_position_embeddings"] = 4096;
  rope.erase("partial_rotary_factor");
}

/// transformers 5 writes rope_parameters, older versions rope_theta and rope_scaling, which goes before.
void read_rope(const ConfigReader& read, const ClassDefaults& defaults, DecoderConfig& config) {
  config.rope_theta = read.number("rope_theta", defaults.rope_theta);
  nlohmann::json rope = nlohmann::json::object();
  for (const char* key : {"rope_parameters", "rope_scaling"})
    if (read.has(key) && read.raw(key).is_object() && !read.raw(key).empty()) rope = read.raw(key);
  // Phi-3 and its like name these beside the rope; transformers lets the first win there as well
  if (read.has("original_max_position_embeddings"))
    rope["original_max_position_embeddings"] = read.raw("original_max_position_embeddings");
  if (read.has("partial_rotary_factor") && !rope.contains("partial_rotary_factor"))
    rope["partial_rotary_factor"] = read.raw("partial_rotary_factor");
  config.rotary_dim = config.head_dim;
  if (std::string_view(defaults.model_type) == "phi3") read_phi3_rope(rope, config);
  const ConfigReader parameters(rope, "rope parameters");
  const bool plain =
      defaults.mrope.any() && parameters.text("rope_type", parameters.text("type", "")) == "mrope";
  if (!plain) config.rope_scaling = RopeScaling::from_json(parameters, config.max_positions);
  if (config.rope_scaling.kind == RopeScaling::Kind::kLong)
    config.max_positions = std::min(config.max_positions, config.rope_scaling.original_positions);
  config.rope_theta = parameters.number("rope_theta", config.rope_theta);
  if (config.rope_theta <= 0) throw Error("config.json: rope_theta must be positive");
  if (defaults.mrope.any())
    config.mrope_axes =
        axes_of(read_sections(parameters, defaults.mrope, config.head_dim), config.head_dim / 2);
}

/// Gemma 3 has two: transformers 5 nests them in rope_parameters, older versions write rope_theta and
/// rope_scaling for full layers, rope_local_base_freq for sliding ones.
void read_two_ropes(const ConfigReader& read, DecoderConfig& config) {
  nlohmann::json ropes = nlohmann::json::object();
  if (read.has("rope_parameters")) ropes = read.raw("rope_parameters");
  if (!ropes.is_object() ||
      (!ropes.empty() && !ropes.contains("full_attention") && !ropes.contains("sliding_attention")))
    throw Error(
        "config.json: rope_parameters of gemma3_text must be an object with full_attention and "
        "sliding_attention");
  const auto rope_of = [&](const char* kind, const nlohmann::json& over, double otherwise,
                           RopeScaling& scaling) {
    nlohmann::json rope = nlohmann::json::object();
    if (ropes.contains(kind) && !ropes.at(kind).is_null()) rope = ropes.at(kind);
    if (!rope.is_object() || !over.is_object())
      throw Error("config.json: a rope of gemma3_text must be an object");
    rope.update(over);
    const ConfigReader parameters(rope, "rope parameters");
    scaling = RopeScaling::from_json(parameters, config.max_positions);
    if (scaling.kind == RopeScaling::Kind::kLong)
      config.max_positions = std::min(config.max_positions, scaling.original_positions);
    const double theta = parameters.number("rope_theta", otherwise);
    if (theta <= 0) throw Error("config.json: rope_theta must be positive");
    return theta;
  };
  const nlohmann::json none = nlohmann::json::object();
  config.rotary_dim = config.head_dim;
  config.rope_theta = rope_of("full_attention", read.has("rope_scaling") ? read.raw("rope_scaling") : none,
                              read.number("rope_theta", 1e6), config.rope_scaling);
  config.sliding.rope_theta = rope_of("sliding_attention", none, read.number("rope_local_base_freq", 1e4),
                                      config.sliding.rope_scaling);
}

/// Which layers slide: layer_types, or where the file does not list them, those that `slides` says. window: 0
/// for none.
void read_sliding_layers(const ConfigReader& read, int64_t window, const std::function<bool(int64_t)>& slides,
                         DecoderConfig& config) {
  std::vector<bool> layers;
  if (read.has("layer_types")) {
    const nlohmann::json& types = read.raw("layer_types");
    if (!types.is_array() || static_cast<int64_t>(types.size()) != config.layers)
      throw Error("config.json: layer_types must be a list of one type for each of the " +
                  std::to_string(config.layers) + " layers");
    for (const auto& type : types) {
      if (type != "full_attention" && type != "sliding_attention")
        throw Error("config.json: layer type " + type.dump().substr(0, 50) +
                    " is not supported; full_attention and sliding_attention are");
      layers.push_back(type == "sliding_attention");
    }
  } else {
    for (int64_t i = 0; i < config.layers; ++i) layers.push_back(slides(i));
  }
  if (std::find(layers.begin(), layers.end(), true) == layers.end()) return;
  if (window == 0) throw Error("config.json: layers with sliding attention need a sliding_window");
  config.sliding.window = window;
  config.sliding.layers = std::move(layers);
}

/// A number that the class sets where the file is silent and null turns off; 0 stands for none.
int64_t window_of(const ConfigReader& read, int64_t otherwise) {
  return read.is_null("sliding_window") ? 0 : read.integer("sliding_window", otherwise);
}

double cap_of(const ConfigReader& read, const char* key, double otherwise) {
  const double cap = read.is_null(key) ? 0 : read.number(key, otherwise);
  if (cap < 0 || (cap == 0 && read.has(key)))
    throw Error(std::string("config.json: ") + key + " must be above 0, or null for none");
  return cap;
}

void read_sizes(const ConfigReader& read, const ClassDefaults& defaults, DecoderConfig& config) {
  config.vocabulary = read.integer("vocab_size", defaults.vocabulary);
  config.width = read.integer("hidden_size", defaults.width);
  config.layers = read.integer("num_hidden_layers", defaults.layers);
  if (config.layers > kMostLayers)
    throw Error("config.json: num_hidden_layers must be at most " + std::to_string(kMostLayers));
  config.heads = read.integer("num_attention_heads", defaults.heads);
  const bool as_heads = defaults.kv_heads == 0 || read.is_null("num_key_value_heads");
  config.kv_heads = read.integer("num_key_value_heads", as_heads ? config.heads : defaults.kv_heads);
  const int64_t split = config.width / config.heads;
  config.head_dim = read.integer("head_dim", defaults.head_dim > 0 ? defaults.head_dim : split);
  const std::string_view type = defaults.model_type;
  if (type == "qwen2_vl_text" || type == "qwen2_5_vl_text") config.head_dim = split;
  config.mlp_width = read.integer("intermediate_size", defaults.mlp_width);
  config.max_positions = read.integer("max_position_embeddings", defaults.max_positions);
  if (config.heads % config.kv_heads != 0)
    throw Error("config.json: num_attention_heads must be a multiple of num_key_value_heads");
  if (config.head_dim < 2 || config.head_dim % 2 != 0)
    throw Error("config.json: the width of a head must be even, not " + std::to_string(config.head_dim));
}

/// Qwen's layers slide from the one on that max_window_layers says, where use_sliding_window does.
void read_qwen_windows(const ConfigReader& read, int64_t max_window_layers, DecoderConfig& config) {
  const int64_t window = read.flag("use_sliding_window", false) ? window_of(read, 4096) : 0;
  if (read.has("max_window_layers")) {
    const auto& most = read.raw("max_window_layers");
    if (!most.is_number_integer() || most.get<int64_t>() < 0)
      throw Error("config.json: text_config.max_window_layers must be a whole number from 0");
    max_window_layers = most.get<int64_t>();
  }
  read_sliding_layers(
      read, window, [&](int64_t i) { return window > 0 && i >= max_window_layers; }, config);
}

/// What all generations of Gemma share.
void read_gemma(const ConfigReader& read, DecoderConfig& config) {
  config.query_bias = config.output_bias = read.flag("attention_bias", false);
  config.norm_adds_one = true;
  config.embedding_scale = std::sqrt(static_cast<double>(config.width));
}

/// Gemma 2 and 3: norms around attention and MLP, layers that slide, a scale of their own.
void read_later_gemma(const ConfigReader& read, bool third, DecoderConfig& config) {
  read_gemma(read, config);
  config.outer_norms = true;
  config.head_norms = third;
  config.activation = activation_from_name(read.text("hidden_activation", "gelu_pytorch_tanh"));
  const double scalar = read.number("query_pre_attn_scalar", 256);
  if (scalar <= 0) throw Error("config.json: query_pre_attn_scalar must be above 0");
  config.attention_scale = 1 / std::sqrt(scalar);
  // transformers reads Gemma 3's attn_logit_softcapping and leaves it out
  if (!third) config.attention_cap = cap_of(read, "attn_logit_softcapping", 50);
  const int64_t pattern = third ? read.integer("sliding_window_pattern", 6) : 2;
  read_sliding_layers(
      read, window_of(read, 4096), [&](int64_t i) { return (i + 1) % pattern != 0; }, config);
  if (third && read.flag("use_bidirectional_attention", false))
    throw Error("config.json: use_bidirectional_attention true is not supported; the decoder must be causal");
}

/// What the class fixes and config.json cannot change.
void read_kind(const ConfigReader& read, const std::string& type, DecoderConfig& config) {
  if (type == "llama") {
    config.query_bias = config.output_bias = read.flag("attention_bias", false);
    config.mlp_bias = read.flag("mlp_bias", false);
  } else if (type == "gemma") {
    read_gemma(read, config);
    if (config.activation == Activation::kGelu) config.activation = Activation::kGeluTanh;
  } else if (type == "qwen3" || type == "qwen3_vl_text") {
    config.query_bias = config.output_bias = read.flag("attention_bias", false);
    config.head_norms = true;
    if (type == "qwen3") read_qwen_windows(read, 28, config);
    if (type != "qwen3" && read.flag("use_sliding_window", false))
      throw Error("config.json: use_sliding_window true is not supported for " + type);
  } else if (type == "mistral" || type == "phi3") {
    // null: all tokens are seen
    config.packed = type == "phi3";
    config.sliding.window = window_of(read, config.packed ? 0 : 4096);
    if (config.sliding.window > 0)
      config.sliding.layers = std::vector<bool>(static_cast<size_t>(config.layers), true);
  } else if (type == "gemma2" || type == "gemma3_text") {
    read_later_gemma(read, type == "gemma3_text", config);
  } else {
    config.query_bias = true;
    read_qwen_windows(read, type == "qwen2" ? 28 : 80, config);
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
    if (!std::string_view(decoder.model_type).ends_with("_vl_text")) names.emplace_back(decoder.model_type);
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
  if (type == "gemma3_text")
    read_two_ropes(read, config);
  else
    read_rope(read, defaults, config);
  read_kind(read, type, config);
  return config;
}

void DecoderConfig::read_logit_cap(const nlohmann::json& json) {
  const ConfigReader read(json, "text_config");
  const auto type = read.text("model_type", "");
  if (type == "gemma2" || type == "gemma3_text")
    logit_cap = cap_of(read, "final_logit_softcapping", type == "gemma2" ? 30 : 0);
}

}  // namespace hijack
