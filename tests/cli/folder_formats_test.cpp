// Folders as people have them: PyTorch's format, adapters, towers of open_clip, formats that are not read.
#include <ATen/ATen.h>

#include <nlohmann/json.hpp>

#include "models/checkpoint/weight_files.h"
#include "src/experiment/plan/identity.h"
#include "src/experiment/record/results.h"
#include "tests/support/program.h"
#include "tests/support/torch_file.h"

namespace hijack::folder_formats_test {
namespace {

namespace fs = std::filesystem;
using namespace support;
using nlohmann::json;

class Formats : public Program {
 protected:
  /// Loss and reply over one prompt, as hijack trace has them.
  TensorMap traced(const std::string& folder, const std::string& more = "") {
    const Outcome outcome =
        run("trace --model " + folder + " --image " + kPhoto + " --prompt 'Who is it?'" +
            " --target 'Sure' --dtype float32 " + more + " --out " + at("trace.safetensors"));
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    if (outcome.code != 0) return {};
    TensorMap all;
    for (const auto& [name, tensor] : load_safetensors(at("trace.safetensors"))) all[name] = tensor.clone();
    return all;
  }
  static void expect_equal(const TensorMap& one, const TensorMap& other, double tolerance = 0) {
    ASSERT_EQ(one.size(), other.size());
    ASSERT_FALSE(one.empty());
    for (const auto& [name, tensor] : one)
      EXPECT_TRUE(at::allclose(tensor.to(at::kDouble), other.at(name).to(at::kDouble), tolerance, tolerance))
          << name;
  }
};

TEST_F(Formats, WeightsOfPyTorchAreReadLikeSafetensors) {
  const TensorMap expected = traced(kModel);
  const fs::path folder = copy_of("llava/clip_gqa", "bin");
  const TensorMap weights = load_weights(folder);
  save_torch(weights, folder / "pytorch_model.bin");
  fs::remove(folder / "model.safetensors");
  expect_equal(traced(folder), expected);
  EXPECT_NE(run("models inspect " + folder.string()).out.find("float32 (1 file)"), std::string::npos);

  // two shards with an index
  fs::remove(folder / "pytorch_model.bin");
  TensorMap parts[2];
  json index = {{"weight_map", json::object()}};
  size_t i = 0;
  for (const auto& [name, tensor] : weights) {
    const size_t part = i++ % 2;
    parts[part][name] = tensor;
    index["weight_map"][name] = "pytorch_model-0000" + std::to_string(part + 1) + "-of-00002.bin";
  }
  for (const char* part : {"1", "2"})
    save_torch(parts[part[0] - '1'], folder / (std::string("pytorch_model-0000") + part + "-of-00002.bin"));
  write_file(folder / "pytorch_model.bin.index.json", index.dump());
  expect_equal(traced(folder), expected);
  EXPECT_NE(run("models inspect " + folder.string()).out.find("float32 (2 files)"), std::string::npos);
}

TEST_F(Formats, APickleThatAsksForMoreIsRefused) {
  const fs::path folder = copy_of("llava/clip_gqa", "bad");
  fs::remove(folder / "model.safetensors");
  const std::string call =
      pickle::global("posix", "system") + pickle::tuple(pickle::text("touch " + at("ran"))) + "R";
  write_archive({{"data.pkl", pickle::dict({{"w", call}})}}, folder / "pytorch_model.bin");
  expect_refused("chat --image " + kPhoto + " --prompt hi --model " + folder.string(), "asks for");
  EXPECT_FALSE(fs::exists(at("ran")));
}

TEST_F(Formats, OtherFormatsAreNamedWithAdvice) {
  const auto chat = [&](const fs::path& folder) {
    return "chat --image " + kPhoto + " --prompt hi --model " + folder.string();
  };
  const fs::path quantized = copy_of("llava/clip_gqa", "quantized");
  for (const char* method : {"bitsandbytes", "gptq", "awq", "fp8", "compressed-tensors"}) {
    json config = json::parse(read_file(quantized / "config.json"));
    config["quantization_config"] = {{"quant_method", method}};
    write_file(quantized / "config.json", config.dump());
    expect_refused(chat(quantized), std::string("is quantized (") + method + ";");
  }
  fs::create_directories(at("gguf"));
  write_file(at("gguf") + "/model-Q4_0.gguf", "GGUF");
  expect_refused(chat(at("gguf")),
                 "llama.cpp's format (GGUF), which is not read: give the model's Hugging Face");
  fs::create_directories(at("lora"));
  write_file(at("lora") + "/adapter_config.json", "{}");
  expect_refused(chat(at("lora")), "is an adapter (adapter_config.json)");
  const fs::path legacy = copy_of("llava/clip_gqa", "legacy");
  fs::remove(legacy / "model.safetensors");
  write_file(legacy / "pytorch_model.bin", "\x80\x02\x8a\x0al\xfc\x9c\x46\xf9");
  expect_refused(chat(legacy), "saved by PyTorch before 1.6");
}

class Adapters : public Formats {
 protected:
  static constexpr int64_t kRank = 2;

  /// An adapter of query projections and the first gate, its tensors by PEFT's names.
  std::string adapter(const json& more = json::object(), bool scheme_of_memory = false) {
    const std::string folder = at("adapter" + std::to_string(++made_));
    fs::create_directories(folder);
    json config = {{"peft_type", "LORA"},
                   {"r", kRank},
                   {"lora_alpha", 6},
                   {"bias", "none"},
                   {"target_modules", {"q_proj", "gate_proj"}}};
    config.update(more);
    write_file(folder + "/adapter_config.json", config.dump());
    TensorMap tensors;
    at::manual_seed(1);
    for (const auto& [name, tensor] : load_weights(kModel)) {
      const bool chosen = name.ends_with("layers.0.self_attn.q_proj.weight") ||
                          name.ends_with("layers.0.mlp.gate_proj.weight");
      if (!chosen || name.find("language_model") == std::string::npos) continue;
      std::string module = name.substr(0, name.size() - std::string(".weight").size());
      if (scheme_of_memory)
        module = "model.language_model" + module.substr(std::string("language_model.model").size());
      const Tensor a = at::randn({kRank, tensor.size(1)}), b = at::randn({tensor.size(0), kRank});
      tensors["base_model.model." + module + ".lora_A.weight"] = a;
      tensors["base_model.model." + module + ".lora_B.weight"] = b;
      deltas_[name] = b.mm(a);
    }
    EXPECT_EQ(tensors.size(), 4u);
    save_safetensors(tensors, folder + "/adapter_model.safetensors");
    return folder;
  }

  /// The model with the change added by hand.
  std::string merged(double scale) {
    const std::string folder = copy_of("llava/clip_gqa", "merged" + std::to_string(++made_));
    TensorMap weights;
    for (const auto& [name, tensor] : load_weights(kModel))
      weights[name] = deltas_.contains(name) ? tensor + scale * deltas_.at(name) : tensor.clone();
    save_safetensors(weights, folder + "/model.safetensors");
    return folder;
  }

  int made_ = 0;
  TensorMap deltas_;
};

TEST_F(Adapters, AreMergedAsByHand) {
  const std::string plain = adapter();
  const TensorMap with = traced(kModel, "--adapter " + plain);
  expect_equal(with, traced(merged(6.0 / kRank)), 1e-5);
  EXPECT_FALSE(at::allclose(with.at("target_logits").to(at::kFloat),
                            traced(kModel).at("target_logits").to(at::kFloat)));
  const std::string stabilized = adapter({{"use_rslora", true}, {"target_modules", "all-linear"}}, true);
  expect_equal(traced(kModel, "--adapter " + stabilized), traced(merged(6.0 / std::sqrt(kRank))), 1e-5);
  EXPECT_EQ(run("models inspect " + kModel + " --adapter " + plain).code, 0);
}

TEST_F(Adapters, BelongToWhatAnAttackIs) {
  const std::string folder = adapter();
  const std::string hash = model_hash(folder);
  ASSERT_EQ(run(attack("--steps 1 --adapter " + folder + " --out " + at("run"))).code, 0);
  const RunRecord record = read_run(at("run"));
  EXPECT_EQ(record.trials.at(0).setting.at("adapter_sha256"), hash);
  EXPECT_TRUE(record.manifest.at("models").contains(hash));
  EXPECT_EQ(run("attack --resume --out " + at("run")).code, 0);
  EXPECT_EQ(run("evaluate " + at("run") + " --defense bit_depth --utility 0 --suffix-steps 0").code, 0);
  fs::remove(folder + "/adapter_model.safetensors");
  EXPECT_EQ(run("evaluate " + at("run") + " --defense bit_depth --utility 0 --suffix-steps 0").code, 2);
}

TEST_F(Adapters, WhatMergingDoesNotDoIsNamed) {
  const auto refused = [&](const json& more, const std::string& says) {
    expect_refused("chat --image " + kPhoto + " --prompt hi --adapter " + adapter(more), says);
  };
  refused({{"use_dora", true}}, "use_dora true is not supported");
  refused({{"bias", "lora_only"}}, "bias \"lora_only\" is not supported");
  refused({{"modules_to_save", {"lm_head"}}}, "modules_to_save");
  refused({{"rank_pattern", {{"q_proj", 4}}}}, "rank_pattern");
  refused({{"peft_type", "IA3"}}, "peft_type \"IA3\" is not supported; LORA is");
  refused({{"init_lora_weights", "pissa"}}, "changes the base model, too");
  refused({{"r", 3}}, "no matrix of rank r = 3");
  refused({{"lora_alpha", 0}}, "lora_alpha must be a number above 0");
  refused({{"target_modules", {"k_proj"}}}, "no part of LoRA on a target module");
  const std::string chat = "chat --image " + kPhoto + " --prompt hi";
  expect_refused(chat + " --adapter " + at("none"), "there is no LoRA adapter in");
  expect_refused(chat + " --model " + kRoot + "/tests/golden/llava/siglip --adapter " + adapter(), "adapter");
  expect_refused(attack("--adapter " + at("none") + " --out " + at("x")), "--adapter takes a LoRA adapter");
}

class OpenClipTowers : public Formats {
 protected:
  /// The model's own tower by the names of open_clip.
  static TensorMap open_clip(const std::string& front) {
    TensorMap tower;
    std::map<std::string, std::vector<Tensor>> packed;
    const auto replaced = [](std::string name, const std::string& from, const std::string& to) {
      if (const size_t at = name.find(from); at != name.npos) name.replace(at, from.size(), to);
      return name;
    };
    for (const auto& [stored, tensor] : load_weights(kModel)) {
      const size_t at = stored.find("vision_tower.");
      if (at == stored.npos) continue;
      std::string name = replaced(stored.substr(at + 13), "vision_model.", "");
      for (const auto& [from, to] : {std::pair("embeddings.class_embedding", "class_embedding"),
                                     {"embeddings.position_embedding.weight", "positional_embedding"},
                                     {"embeddings.patch_embedding", "conv1"},
                                     {"pre_layrnorm", "ln_pre"},
                                     {"post_layernorm", "ln_post"},
                                     {"encoder.layers", "transformer.resblocks"},
                                     {"layer_norm", "ln_"},
                                     {"mlp.fc1", "mlp.c_fc"},
                                     {"mlp.fc2", "mlp.c_proj"},
                                     {"self_attn", "attn"}})
        name = replaced(name, from, to);
      bool is_packed = false;
      for (const char* part : {"q_proj.", "k_proj.", "v_proj."})
        if (name.find(part) != name.npos) {
          auto& three = packed[front + replaced(name, part, "in_proj_")];
          three.resize(3);
          three[std::string("qkv").find(part[0])] = tensor;
          is_packed = true;
        }
      if (!is_packed) tower[front + name] = tensor.clone();
    }
    for (const auto& [name, three] : packed) tower[name] = at::cat(three);
    tower[front + "proj"] = at::ones({2, 2});
    return tower;
  }

  std::string folder_with(const std::string& name) {
    fs::create_directories(at(name));
    return at(name);
  }
};

TEST_F(OpenClipTowers, TakeThePlaceOfTheModelsOwn) {
  const TensorMap own = traced(kModel);
  const std::string bare = folder_with("bare");
  save_torch(open_clip(""), bare + "/fare_eps_2.pt");
  expect_equal(traced(kModel, "--vision-tower " + bare), own, 1e-5);
  const std::string training = folder_with("training");
  save_torch(open_clip("module.visual."), training + "/epoch_1.pt", /*wrapped=*/true);
  expect_equal(traced(kModel, "--vision-tower " + training), own, 1e-5);

  const std::string whole = folder_with("whole");
  TensorMap clip = open_clip("visual.");
  clip["transformer.resblocks.0.ln_1.weight"] = clip["logit_scale"] = at::ones({3});
  save_safetensors(clip, whole + "/open_clip_model.safetensors");
  json config = {
      {"model_cfg", {{"embed_dim", 2}, {"quick_gelu", true}, {"vision_cfg", {{"head_width", 8}}}}},
      {"preprocess_cfg", {{"mean", {0.5, 0.5, 0.5}}, {"std", {0.5, 0.5, 0.5}}, {"resize_mode", "shortest"}}}};
  write_file(whole + "/open_clip_config.json", config.dump());
  const TensorMap with = traced(kModel, "--vision-tower " + whole);
  EXPECT_TRUE(at::equal(with.at("input_ids"), own.at("input_ids")));

  for (auto& [name, tensor] : clip) tensor = tensor * 1.2;
  save_safetensors(clip, whole + "/open_clip_model.safetensors");
  EXPECT_FALSE(at::allclose(traced(kModel, "--vision-tower " + whole).at("target_logits"),
                            with.at("target_logits"), 1e-3, 1e-3));

  const auto refused = [&](const std::string& says) {
    write_file(whole + "/open_clip_config.json", config.dump());
    expect_refused("chat --image " + kPhoto + " --prompt hi --vision-tower " + whole, says);
  };
  config["preprocess_cfg"]["resize_mode"] = "squash";
  refused("resize_mode \"squash\"");
  config["model_cfg"]["vision_cfg"]["attentional_pool"] = true;
  refused("attentional_pool is not supported");
  fs::remove(whole + "/open_clip_config.json");
  expect_refused("chat --image " + kPhoto + " --prompt hi --model " + kRoot +
                     "/tests/golden/llava/siglip --vision-tower " + bare,
                 "put open_clip_config.json beside it");
  TensorMap strange = open_clip("");
  strange["ln_7.weight"] = at::ones({2});
  save_torch(strange, bare + "/fare_eps_2.pt");
  expect_refused("chat --image " + kPhoto + " --prompt hi --vision-tower " + bare,
                 "none of CLIP's vision transformer");
}

}  // namespace
}  // namespace hijack::folder_formats_test
