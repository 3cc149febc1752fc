// config.json of decoders: class defaults, both spellings of rotary settings, what is refused.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "models/network/decoder.h"
#include "tests/support/expect_says.h"
#include "tests/support/temporary_folder.h"

namespace hijack::decoder_config_test {
namespace {

using nlohmann::json;

std::string why_not(const json& config) {
  return hijack::support::error_of([&] { DecoderConfig::from_json(config, std::nullopt); });
}

TEST(DecoderConfig, ClassDefaults) {
  const auto llama = DecoderConfig::from_json(json::object(), std::nullopt);
  EXPECT_EQ(llama.width, 4096);
  EXPECT_EQ(llama.kv_heads, 32);
  EXPECT_EQ(llama.max_positions, 2048);
  EXPECT_FALSE(llama.query_bias);
  const auto qwen2 = DecoderConfig::from_json(json::object(), std::nullopt, "qwen2");
  EXPECT_EQ(qwen2.vocabulary, 151936);
  EXPECT_EQ(qwen2.mlp_width, 22016);
  EXPECT_TRUE(qwen2.query_bias);
  EXPECT_FALSE(qwen2.output_bias);
  EXPECT_FALSE(qwen2.tied_head);
  const auto gemma = DecoderConfig::from_json({{"model_type", "gemma"}}, std::nullopt);
  EXPECT_EQ(gemma.head_dim, 256);
  EXPECT_EQ(gemma.activation, Activation::kGeluTanh);
  EXPECT_NEAR(gemma.embedding_scale, std::sqrt(3072.0), 1e-9);
  EXPECT_TRUE(gemma.tied_head && gemma.norm_adds_one);
}

TEST(DecoderConfig, NullKeyValueHeadsAreAllHeads) {
  json config = {{"model_type", "qwen2"}, {"num_attention_heads", 16}, {"num_key_value_heads", nullptr}};
  EXPECT_EQ(DecoderConfig::from_json(config, std::nullopt).kv_heads, 16);
  config.erase("num_key_value_heads");  // then it is the class default of 32
  EXPECT_NE(why_not(config).find("num_key_value_heads"), std::string::npos);
}

TEST(DecoderConfig, TiedHeadOfTheRoot) {
  const json silent = {{"model_type", "qwen2"}};
  EXPECT_TRUE(DecoderConfig::from_json(silent, true).tied_head);
  EXPECT_FALSE(DecoderConfig::from_json({{"tie_word_embeddings", false}}, true).tied_head);
}

TEST(DecoderConfig, RotarySettings) {
  json config = {{"model_type", "llama"}, {"rope_theta", 500.0}};
  EXPECT_EQ(DecoderConfig::from_json(config, false).rope_theta, 500);
  config["rope_parameters"] = {{"rope_type", "default"}};
  EXPECT_EQ(DecoderConfig::from_json(config, false).rope_theta, 500);
  config["rope_parameters"]["rope_theta"] = 700.0;
  EXPECT_EQ(DecoderConfig::from_json(config, false).rope_theta, 700);
  config["rope_scaling"] = {{"type", "mrope"}, {"mrope_section", {16, 24, 24}}};
  EXPECT_NE(why_not(config).find("mrope"), std::string::npos);
}

TEST(DecoderConfig, ScaledRopes) {
  json config = {
      {"model_type", "llama"}, {"hidden_size", 32}, {"num_attention_heads", 2}, {"rope_theta", 100.0}};
  config["rope_scaling"] = {{"type", "linear"}, {"factor", 4.0}};
  const auto linear = DecoderConfig::from_json(config, false).rope_scaling;
  const Tensor plain = rotary_frequencies(16, 100);
  EXPECT_TRUE(at::allclose(rotary_frequencies(16, 100, linear), plain / 4));
  config["rope_scaling"] = {{"rope_type", "llama3"},
                            {"factor", 8.0},
                            {"low_freq_factor", 1.0},
                            {"high_freq_factor", 4.0},
                            {"original_max_position_embeddings", 64}};
  const Tensor scaled = rotary_frequencies(16, 100, DecoderConfig::from_json(config, false).rope_scaling);
  // wavelengths below 16 positions stay, those above 64 are stretched 8 times, the ramp is between
  EXPECT_EQ(scaled[0].item<float>(), plain[0].item<float>());
  EXPECT_NEAR(scaled[7].item<float>(), plain[7].item<float>() / 8, 1e-7);
  const double between = 100.0, wave = 2 * M_PI * std::pow(between, 4.0 / 8), ramp = (64 / wave - 1) / 3;
  EXPECT_NEAR(scaled[4].item<float>(), plain[4].item<double>() * ((1 - ramp) / 8 + ramp), 1e-6);
  config["rope_scaling"]["factor"] = 0.5;
  EXPECT_NE(why_not(config).find("factor"), std::string::npos);
  config["rope_scaling"] = {{"type", "dynamic"}, {"factor", 4.0}};
  const auto dynamic = DecoderConfig::from_json(config, false).rope_scaling;
  EXPECT_TRUE(at::equal(rotary_frequencies(16, 100, dynamic), plain));
  config["rope_scaling"] = {{"type", "longrope"}, {"factor", 4.0}};
  EXPECT_NE(why_not(config).find("longrope"), std::string::npos);
  config["rope_scaling"] = {{"type", "linear"}, {"factor", 4.0}, {"partial_rotary_factor", 0.5}};
  EXPECT_NE(why_not(config).find("partial_rotary_factor"), std::string::npos);
}

TEST(DecoderConfig, LongRopeUpToTheOriginalPositions) {
  json config = {{"model_type", "mistral"},  {"hidden_size", 16},   {"num_attention_heads", 2},
                 {"num_key_value_heads", 1}, {"rope_theta", 100.0}, {"max_position_embeddings", 1024}};
  json rope = {{"type", "longrope"},
               {"short_factor", {1.0, 2.0, 3.0, 4.0}},
               {"long_factor", {5.0, 6.0, 7.0, 8.0}},
               {"original_max_position_embeddings", 64}};
  config["rope_scaling"] = rope;
  const auto decoder = DecoderConfig::from_json(config, false);
  EXPECT_EQ(decoder.max_positions, 64);
  EXPECT_NEAR(decoder.rope_scaling.attention_factor, std::sqrt(1 + std::log(16.0) / std::log(64.0)), 1e-12);
  EXPECT_TRUE(at::allclose(rotary_frequencies(8, 100, decoder.rope_scaling),
                           rotary_frequencies(8, 100) / at::tensor({1.0F, 2.0F, 3.0F, 4.0F})));
  EXPECT_SAYS(support::error_of([&] { rotary_frequencies(16, 100, decoder.rope_scaling); }),
              "has 4 numbers, but a head turns by 8");
  config["rope_scaling"].erase("long_factor");
  EXPECT_SAYS(why_not(config), "needs long_factor");
}

TEST(DecoderConfig, APartOfPhi3sHeadsTurns) {
  json config = {{"model_type", "phi3"},
                 {"hidden_size", 32},
                 {"num_attention_heads", 2},
                 {"rope_theta", 100.0},
                 {"max_position_embeddings", 8192},
                 {"partial_rotary_factor", 0.5}};
  auto decoder = DecoderConfig::from_json(config, false);
  EXPECT_EQ(decoder.rotary_dim, 8);
  EXPECT_EQ(decoder.head_dim, 16);
  EXPECT_TRUE(decoder.packed);
  EXPECT_EQ(decoder.max_positions, 8192);
  // longrope by its older name, with the class's original positions
  config["rope_scaling"] = {
      {"type", "su"}, {"short_factor", {1.0, 2.0, 3.0, 4.0}}, {"long_factor", {5.0, 6.0, 7.0, 8.0}}};
  decoder = DecoderConfig::from_json(config, false);
  EXPECT_EQ(decoder.rope_scaling.kind, RopeScaling::Kind::kLong);
  EXPECT_EQ(decoder.max_positions, 4096);
  EXPECT_TRUE(at::allclose(rotary_frequencies(decoder.rotary_dim, 100, decoder.rope_scaling),
                           rotary_frequencies(8, 100) / at::tensor({1.0F, 2.0F, 3.0F, 4.0F})));
  config["partial_rotary_factor"] = 0.45;  // 7 channels
  EXPECT_SAYS(why_not(config), "an even number of a head's 16 channels turn, not 7");
  config["partial_rotary_factor"] = 1.5;
  EXPECT_SAYS(why_not(config), "partial_rotary_factor must be above 0 and at most 1");
}

TEST(DecoderConfig, MistralsWindowIsNotItsContext) {
  json config = {{"model_type", "mistral"}, {"max_position_embeddings", 32768}};
  const auto window = [&] { return DecoderConfig::from_json(config, false).rule(0).window; };
  EXPECT_EQ(window(), 4096);  // the class default
  config["sliding_window"] = 100;
  EXPECT_EQ(window(), 100);
  EXPECT_EQ(DecoderConfig::from_json(config, false).max_positions, 32768);
  config["sliding_window"] = nullptr;
  EXPECT_EQ(window(), 0);
}

TEST(DecoderConfig, YarnStretchesLongWavelengthsAndLengthensAngles) {
  json config = {
      {"model_type", "llama"}, {"hidden_size", 32}, {"num_attention_heads", 2}, {"rope_theta", 100.0}};
  config["rope_scaling"] = {{"type", "yarn"},
                            {"factor", 4.0},
                            {"original_max_position_embeddings", 64},
                            {"beta_fast", 8.0},
                            {"beta_slow", 1.0}};
  const RopeScaling yarn = DecoderConfig::from_json(config, false).rope_scaling;
  const Tensor plain = rotary_frequencies(16, 100), scaled = rotary_frequencies(16, 100, yarn);
  // 64 positions hold 8 turns of channel 8 log(64 / 16 pi) / log(100) = 0.4 and one of channel 4.03: a ramp
  // 0..5
  for (int64_t i = 0; i < 8; ++i) {
    const double stretched = std::min(static_cast<double>(i) / 5, 1.0);
    EXPECT_NEAR(scaled[i].item<float>(), plain[i].item<double>() * (1 - 0.75 * stretched), 1e-6) << i;
  }
  EXPECT_NEAR(yarn.attention_factor, 1 + 0.1 * std::log(4.0), 1e-12);
  config["rope_scaling"]["attention_factor"] = -1;
  EXPECT_NE(why_not(config).find("attention_factor"), std::string::npos);
}

TEST(DecoderConfig, SectionsOfMrope) {
  json config = {{"model_type", "qwen2_vl_text"},
                 {"hidden_size", 64},
                 {"num_attention_heads", 4},
                 {"num_key_value_heads", 2}};
  config["rope_scaling"] = {{"type", "mrope"}, {"mrope_section", {2, 3, 3}}};
  const auto read = DecoderConfig::from_json(config, false, "qwen2_vl_text");
  EXPECT_EQ(read.mrope_axes, (std::vector<int64_t>{0, 0, 1, 1, 1, 2, 2, 2}));
  EXPECT_EQ(read.rope_theta, 1e6);
  config["rope_scaling"]["mrope_section"] = {2, 3, 4};
  EXPECT_NE(why_not(config).find("add up to half"), std::string::npos);
  config["rope_scaling"]["mrope_section"] = "all";
  EXPECT_NE(why_not(config).find("mrope_section"), std::string::npos);
}

TEST(DecoderConfig, InterleavedSectionsOfQwen3Vl) {
  json config = {{"model_type", "qwen3_vl_text"}, {"head_dim", 16}};
  config["rope_parameters"] = {{"rope_type", "default"}, {"mrope_section", {4, 2, 2}}};
  const auto read = DecoderConfig::from_json(config, false);
  EXPECT_EQ(read.mrope_axes, (std::vector<int64_t>{0, 1, 2, 0, 1, 2, 0, 0}));
  EXPECT_EQ(read.rope_theta, 5e5);
  EXPECT_TRUE(read.head_norms);
  config["rope_parameters"]["mrope_interleaved"] = false;
  EXPECT_NE(why_not(config).find("mrope_interleaved"), std::string::npos);
}

TEST(DecoderConfig, HeadsOfQwen3AreIndependentOfTheWidth) {
  const auto qwen3 = DecoderConfig::from_json({{"model_type", "qwen3"},
                                               {"hidden_size", 1024},
                                               {"num_attention_heads", 16},
                                               {"num_key_value_heads", 8}},
                                              std::nullopt);
  EXPECT_EQ(qwen3.head_dim, 128);
  EXPECT_TRUE(qwen3.head_norms && !qwen3.query_bias && !qwen3.output_bias);
}

TEST(DecoderConfig, WhatIsRefusedIsNamed) {
  EXPECT_NE(why_not({{"model_type", "mamba"}}).find("mamba"), std::string::npos);
  EXPECT_NE(why_not({{"model_type", "qwen2"}, {"layer_types", {"sliding_attention"}}}).find("layer_types"),
            std::string::npos);
  EXPECT_NE(why_not({{"model_type", "llama"}, {"hidden_act", "mish"}}).find("mish"), std::string::npos);
}

TEST(DecoderConfig, LayersThatSlide) {
  const auto read = [](const json& config) { return DecoderConfig::from_json(config, std::nullopt); };
  json qwen = {{"model_type", "qwen2"}, {"num_hidden_layers", 3}, {"max_window_layers", 1}};
  EXPECT_FALSE(read(qwen).slides(2));
  qwen["use_sliding_window"] = true;
  EXPECT_FALSE(read(qwen).slides(0));
  EXPECT_TRUE(read(qwen).slides(1));
  EXPECT_EQ(read(qwen).rule(2).window, 4096);
  qwen["layer_types"] = {"sliding_attention", "full_attention", "full_attention"};
  EXPECT_TRUE(read(qwen).slides(0));
  EXPECT_FALSE(read(qwen).slides(2));
  qwen["sliding_window"] = nullptr;
  EXPECT_NE(why_not(qwen).find("need a sliding_window"), std::string::npos);
  qwen["layer_types"][1] = "chunked_attention";
  EXPECT_NE(why_not(qwen).find("chunked_attention"), std::string::npos);
  json mistral = {{"model_type", "mistral"}};
  EXPECT_EQ(read(mistral).rule(31).window, 4096);
  mistral["sliding_window"] = nullptr;
  EXPECT_EQ(read(mistral).rule(31).window, 0);
  EXPECT_EQ(read(mistral).max_positions, 131072);
}

TEST(DecoderConfig, LaterGemmas) {
  auto gemma2 = DecoderConfig::from_json({{"model_type", "gemma2"}, {"query_pre_attn_scalar", 144}}, true);
  EXPECT_TRUE(gemma2.slides(0) && !gemma2.slides(1) && gemma2.outer_norms && !gemma2.head_norms);
  EXPECT_EQ(gemma2.rule(0).window, 4096);
  EXPECT_DOUBLE_EQ(gemma2.rule(0).scale, 1.0 / 12);
  EXPECT_EQ(gemma2.rule(0).soft_cap, 50);
  EXPECT_EQ(gemma2.logit_cap, 0);
  gemma2.read_logit_cap({{"model_type", "gemma2"}});
  EXPECT_EQ(gemma2.logit_cap, 30);
  json config = {{"model_type", "gemma3_text"}, {"rope_scaling", {{"rope_type", "linear"}, {"factor", 8.0}}}};
  const auto gemma3 = DecoderConfig::from_json(config, true);
  EXPECT_TRUE(gemma3.slides(4) && !gemma3.slides(5) && gemma3.head_norms);
  EXPECT_EQ(gemma3.rule(0).soft_cap, 0);
  EXPECT_EQ(gemma3.rope_theta, 1e6);
  EXPECT_EQ(gemma3.rope_scaling.kind, RopeScaling::Kind::kLinear);
  EXPECT_EQ(gemma3.sliding.rope_theta, 1e4);
  EXPECT_EQ(gemma3.sliding.rope_scaling.kind, RopeScaling::Kind::kNone);
  config["rope_parameters"] = {{"rope_theta", 10.0}};
  EXPECT_NE(why_not(config).find("full_attention"), std::string::npos);
  EXPECT_NE(why_not({{"model_type", "gemma2"}, {"attn_logit_softcapping", 0}}).find("null"),
            std::string::npos);
  EXPECT_NE(why_not({{"model_type", "gemma3_text"}, {"use_bidirectional_attention", true}}).find("causal"),
            std::string::npos);
}

}  // namespace
}  // namespace hijack::decoder_config_test
