"""What random checkpoints of several families are made of: decoders, towers, the files of a folder in its layouts."""
import sys
from pathlib import Path

import torch
from transformers import (AutoConfig, CLIPVisionConfig, Gemma2Config, Gemma3TextConfig, GemmaConfig, LlamaConfig,
                          MistralConfig, Qwen2Config, Qwen3Config, SiglipVisionConfig, Phi3Config)

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "samples")]
import family  # noqa: E402
from family import HUB_NAMES  # noqa: E402


write = family.write_json
CLIP_MEAN, CLIP_STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]


def randomized(model, tokenizer, seed):
    """Uneven norms, no zero bias, wide logits, mostly no lone bytes in replies."""
    model = family.randomize(model, seed)
    gemma = getattr(getattr(model.config, "text_config", None), "model_type", "").startswith("gemma")
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if gemma and ("language_model" in name and "norm" in name or "mm_soft_emb_norm" in name):
                weight.sub_(1)
            if gemma and model.config.model_type != "paligemma" and "embed_tokens" in name:
                weight.mul_(0.3)
            if "mm_input_projection_weight" in name:
                weight.mul_((weight.shape[1] / weight.shape[0]) ** 0.5)
            if name.endswith("ln_q.weight") or ("merger" in name and name.endswith(".norm.weight")):
                weight.add_(1)
    if seed % 3:  # else replies have bytes that are no character
        model = family.readable(model, tokenizer)
    model.tie_weights()
    return model


def rope(draw, theta, head_dim=None):
    """rope_parameters as real folders have them: mostly plain. With a head_dim also longrope."""
    kind = draw.choice(["default"] * 4 + ["llama3", "linear", "yarn", "dynamic"] + ["longrope"] * (2 if head_dim else 0))
    parameters = {"rope_type": kind, "rope_theta": theta}
    if kind == "llama3":
        parameters.update(factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=32)
    if kind in ("linear", "dynamic"):
        parameters["factor"] = 4.0
    if kind == "longrope":
        parameters.update(original_max_position_embeddings=draw.choice([1500, 2048]),
                          short_factor=[draw.uniform(1, 2) for _ in range(head_dim // 2)],
                          long_factor=[draw.uniform(1, 30) for _ in range(head_dim // 2)])
        parameters.update(draw.choice([{}, {"factor": 32.0}, {"attention_factor": 1.2}]))
    if kind == "yarn":
        parameters.update(factor=draw.choice([2.0, 4.0, 8.5]), original_max_position_embeddings=draw.choice([32, 64, 256]))
        parameters.update(draw.choice([{}, {}, {"beta_fast": 8.0, "beta_slow": 2.0}, {"attention_factor": 0.9}, {"truncate": False},
                                       {"mscale": 0.7, "mscale_all_dim": 1.1}]))
    return parameters


def llama_text(draw, vocabulary, **options):
    heads = draw.choice([2, 3, 4])
    head_dim = draw.choice([6, 8, 12])
    used = draw.choice([head_dim, head_dim, 10])
    return LlamaConfig(hidden_size=heads * head_dim, intermediate_size=draw.choice([20, 40]), num_hidden_layers=draw.choice([1, 2, 3]),
                       num_attention_heads=heads, num_key_value_heads=draw.choice([n for n in (1, 2, 3, 4) if heads % n == 0]),
                       head_dim=used, vocab_size=vocabulary, max_position_embeddings=2048,
                       rms_norm_eps=draw.choice([1e-5, 1e-6]), attention_bias=draw.random() < 0.2, mlp_bias=draw.random() < 0.2,
                       hidden_act=draw.choice(["silu"] * 4 + ["gelu", "gelu_pytorch_tanh"]),
                       rope_parameters=rope(draw, draw.choice([500.0, 10000.0]), used), **options)


def mistral_text(draw, vocabulary, **options):
    heads = draw.choice([2, 4])
    width = heads * draw.choice([6, 8])
    head_dim = draw.choice([None, 10])
    return MistralConfig(hidden_size=width, intermediate_size=draw.choice([20, 40]), num_hidden_layers=draw.choice([1, 2, 3]),
                         num_attention_heads=heads, num_key_value_heads=draw.choice([1, 2]), head_dim=head_dim,
                         vocab_size=vocabulary, max_position_embeddings=2048, sliding_window=draw.choice([None, 4096, 5, 19, 33]),
                         rms_norm_eps=draw.choice([1e-5, 1e-6]), hidden_act=draw.choice(["silu"] * 4 + ["gelu"]),
                         rope_parameters=rope(draw, draw.choice([1e4, 1e6]), head_dim or width // heads), **options)


def phi3_text(draw, vocabulary, **options):
    heads, head_dim = draw.choice([2, 4]), draw.choice([8, 12])
    share = draw.choice([1.0, 0.75, 0.5, 0.8])
    turning = int(head_dim * share)
    if turning % 2:
        share, turning = 1.0, head_dim
    parameters = rope(draw, draw.choice([1e4, 500.0]), turning)
    if parameters["rope_type"] not in ("default", "longrope"):
        parameters = {"rope_type": "default", "rope_theta": 1e4}
    original = parameters.pop("original_max_position_embeddings", 2048)
    return Phi3Config(hidden_size=heads * head_dim, intermediate_size=draw.choice([20, 40]), num_hidden_layers=draw.choice([1, 2, 3]),
                      num_attention_heads=heads, num_key_value_heads=draw.choice([1, 2]), vocab_size=vocabulary, max_position_embeddings=2048,
                      original_max_position_embeddings=original, pad_token_id=0, sliding_window=draw.choice([None, 2047, 7, 20]),
                      rope_parameters={**parameters, "partial_rotary_factor": share}, **options)


GEMMA_TOKENS = {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>", "unk_token": "<unk>"}


def gemma_text(draw, kind, vocabulary, **options):
    """kind: gemma, gemma2 or gemma3_text. Windows shorter than an image, about as long as prompts, and beyond them."""
    heads = draw.choice([2, 4])
    layers = draw.choice([1, 2, 3, 7] if kind == "gemma3_text" else [1, 2, 3])
    common = {"hidden_size": draw.choice([16, 24]), "intermediate_size": draw.choice([20, 40]), "num_hidden_layers": layers,
              "num_attention_heads": heads, "num_key_value_heads": draw.choice([1, 2]), "head_dim": draw.choice([8, 10]),
              "vocab_size": vocabulary, "max_position_embeddings": 2048, "attention_bias": draw.random() < 0.2, **options}
    if kind == "gemma":
        return GemmaConfig(**common, rope_parameters=rope(draw, 10000.0),
                           hidden_act=draw.choice(["gelu_pytorch_tanh", "gelu_pytorch_tanh", "gelu"]))
    common.update(query_pre_attn_scalar=draw.choice([5, 8, 256]), sliding_window=draw.choice([3, 8, 17, 30, 31, 4096]),
                  hidden_activation=draw.choice(["gelu_pytorch_tanh", "gelu_pytorch_tanh", "gelu"]))
    if draw.random() < 0.3:
        common["layer_types"] = [draw.choice(["sliding_attention", "full_attention"]) for _ in range(layers)]
    if kind == "gemma2":
        return Gemma2Config(**common, attn_logit_softcapping=draw.choice([None, 50.0, 3.0]), rope_parameters=rope(draw, 10000.0),
                            final_logit_softcapping=draw.choice([None, 30.0, 4.0]))
    return Gemma3TextConfig(**common, rope_parameters={"full_attention": rope(draw, draw.choice([1e4, 1e6])),
                                                       "sliding_attention": {"rope_type": "default", "rope_theta": draw.choice([1e4, 50.0])}},
                            sliding_window_pattern=draw.choice([6, 2, 3]), final_logit_softcapping=draw.choice([None, 4.0]))


def llava_text(draw, tied):
    """Decoder, tokenizer, kind and tokens of its files, of a LLaVA."""
    kind = draw.choice(["llama", "llama", "mistral", "qwen2", "gemma", "gemma2", "phi3"])
    if kind.startswith("gemma"):
        tokenizer = family.gemma_tokenizer(320, ["<image>"])
        return gemma_text(draw, kind, 324), tokenizer, draw.choice(["GemmaTokenizer", "PreTrainedTokenizerFast"]), GEMMA_TOKENS
    if kind == "qwen2":
        tokenizer = family.digits_tokenizer(300)
        text = qwen2_text(draw, 304, bos_token_id=0, eos_token_id=1, tie_word_embeddings=tied)
        return text, tokenizer, "PreTrainedTokenizerFast", {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
    tokenizer = family.llama_tokenizer(draw.choice([306, 320]))
    make = {"mistral": mistral_text, "phi3": phi3_text}.get(kind, llama_text)
    text = make(draw, 324, bos_token_id=1, eos_token_id=2, tie_word_embeddings=tied)
    return (text, tokenizer, draw.choice(["LlamaTokenizer", "PreTrainedTokenizerFast", "LlamaTokenizerFast"]),
            {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"})


def qwen2_text(draw, vocabulary, **options):
    heads = draw.choice([2, 4])
    return Qwen2Config(hidden_size=heads * 8, intermediate_size=draw.choice([20, 40]), num_hidden_layers=draw.choice([1, 2]),
                       num_attention_heads=heads, num_key_value_heads=draw.choice([1, 2]), vocab_size=vocabulary,
                       max_position_embeddings=2048, rope_parameters=rope(draw, draw.choice([1e4, 1e6])),
                       hidden_act=draw.choice(["silu"] * 5 + ["gelu"]), **options)


def qwen3_text(draw, vocabulary, **options):
    heads = draw.choice([2, 4])
    return Qwen3Config(hidden_size=heads * 8, intermediate_size=draw.choice([20, 40]), num_hidden_layers=draw.choice([1, 2]),
                       num_attention_heads=heads, num_key_value_heads=draw.choice([1, 2]), head_dim=draw.choice([6, 8, 10]),
                       vocab_size=vocabulary, max_position_embeddings=2048, rope_parameters=rope(draw, 1e6),
                       attention_bias=draw.random() < 0.2, **options)


def tower(draw, kind, image, patch):
    heads = draw.choice([2, 3])
    common = {"hidden_size": heads * 8, "intermediate_size": draw.choice([20, 36]), "num_hidden_layers": draw.choice([2, 3, 4]),
              "num_attention_heads": heads, "image_size": image, "patch_size": patch}
    if kind == "clip":
        return CLIPVisionConfig(**common, projection_dim=draw.choice([16, 24]), hidden_act=draw.choice(["quick_gelu", "gelu", "gelu_new"]),
                                layer_norm_eps=draw.choice([1e-5, 1e-6]))
    return SiglipVisionConfig(**common, hidden_act=draw.choice(["gelu_pytorch_tanh"] * 3 + ["gelu", "quick_gelu"]), vision_use_head=draw.random() < 0.3, layer_norm_eps=draw.choice([1e-6, 1e-5]))


def feature_layer(draw, layers, lists):
    if lists and draw.random() < 0.3:
        return draw.choice([[-1, -2], [1, layers], [-2, 1, -1], [0, -1], [-2]])
    return draw.choice([-1, -2, 1, layers])


def tokenizer_files(folder, tokenizer, draw, kind, tokens, template):
    """tokenizer.json, tokenizer_config.json and the chat template in one of its three places."""
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {"tokenizer_class": kind, "clean_up_tokenization_spaces": False, "model_max_length": 4096, **tokens}
    place = draw.choice(["jinja", "json", "tokenizer"])
    if template and place == "jinja":
        (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    if template and place == "json":
        write(folder / "chat_template.json", {"chat_template": template})
    if template and place == "tokenizer":
        config["chat_template"] = template
    write(folder / "tokenizer_config.json", config)


def picture_files(folder, draw, settings, processor):
    """The image processor nested (transformers 5) or in its own file (before)."""
    if draw.random() < 0.5:
        write(folder / "processor_config.json", {**processor, "image_processor": settings})
    else:
        write(folder / "processor_config.json", processor)
        write(folder / "preprocessor_config.json", {**settings, "processor_class": processor["processor_class"]})


MIDDLE_NAMES = (("model.vision_tower.", "model.vision_tower.vision_model."),)


def drop_defaults(config, reference):
    """Leaves out what equals the class default, as files of the hub do."""
    return {key: value for key, value in config.items()
            if key in ("model_type", "architectures") or key not in reference or reference[key] != value}


def old_layers(config):
    """A pattern instead of layer_types, where there is one."""
    pattern = 2 if config["model_type"] == "gemma2" else config.pop("_sliding_window_pattern", 6)
    if config["model_type"] == "gemma3_text":
        config["sliding_window_pattern"] = pattern
    wanted = ["sliding_attention" if (i + 1) % pattern else "full_attention" for i in range(config.get("num_hidden_layers", 26))]
    if config.get("layer_types") == wanted:
        config.pop("layer_types")


def old_spelling(config):
    """rope_parameters and dtype as transformers 4 wrote them."""
    config = dict(config)
    config.pop("dtype", None)
    parameters = config.pop("rope_parameters", None)
    if config.get("model_type") in ("gemma2", "gemma3_text"):
        old_layers(config)
    if isinstance(parameters, dict) and "full_attention" in parameters:
        config["rope_local_base_freq"] = parameters["sliding_attention"]["rope_theta"]
        parameters = parameters["full_attention"]
    if isinstance(parameters, dict):
        parameters = dict(parameters)
        config["rope_theta"] = parameters.pop("rope_theta", 10000.0)
        if "mrope_section" in parameters:
            plain = {"type": "mrope", "mrope_section": parameters["mrope_section"]}
            config["rope_scaling"] = parameters if config.get("model_type") == "qwen3_vl_text" else plain
        elif parameters.get("rope_type", "default") != "default":
            config["rope_scaling"] = parameters
    return config


def save_model(folder, model, draw, names=HUB_NAMES):
    """save_pretrained of transformers 5, or the hub's layout."""
    layout = draw.choice(["current", "current_bf16", "hub", "hub", "middle"])
    if draw.random() < 0.3:
        model.generation_config.repetition_penalty = draw.choice([1.05, 1.2, 1.5])
    end = model.generation_config.eos_token_id
    if isinstance(end, int) and draw.random() < 0.4:
        model.generation_config.eos_token_id = [end, draw.randint(3, 40)]
    if layout.startswith("current"):
        model.to(torch.bfloat16 if layout == "current_bf16" else torch.float32).save_pretrained(
            folder, max_shard_size=draw.choice(["5GB", "5GB", "40KB"]))
        return layout
    config = old_spelling(model.config.to_dict())
    for part in ("text_config", "vision_config"):
        if isinstance(config.get(part), dict):
            reference = AutoConfig.for_model(config[part]["model_type"]).to_dict() if "model_type" in config[part] else {}
            config[part] = old_spelling(drop_defaults(config[part], reference))
    config["torch_dtype"], config["transformers_version"] = "bfloat16", "4.45.0"
    write(folder / "config.json", config)
    if draw.random() < 0.7:
        rules = {name: getattr(model.generation_config, name) for name in ("eos_token_id", "repetition_penalty")}
        write(folder / "generation_config.json",
              {"_from_model_config": True, "transformers_version": "4.45.0", **drop_defaults(rules, {"repetition_penalty": None})})
    tied = getattr(model.config, "tie_word_embeddings", False)
    tensors = {}
    for name, value in model.state_dict().items():
        if "position_ids" in name or (tied and name == "lm_head.weight"):
            continue
        name = family.renamed(name, names if layout == "hub" else MIDDLE_NAMES if names is HUB_NAMES else ())
        tensors[name] = value.to(torch.bfloat16 if layout == "hub" else torch.float16).contiguous()
    family.save_sharded(tensors, folder, draw.choice([1, 2, 3]))
    return layout


def clip_settings(draw, side):
    crop = draw.choice(["crop", "crop", "bigger", "square", "pad"])
    settings = {"do_convert_rgb": True, "do_normalize": True, "do_rescale": True, "do_resize": True, "resample": draw.choice([3, 3, 2, 1]),
                "rescale_factor": 1 / 255, "image_mean": CLIP_MEAN, "image_std": CLIP_STD,
                "image_processor_type": "CLIPImageProcessor", "do_center_crop": True, "size": {"shortest_edge": side},
                "crop_size": {"height": side, "width": side}}
    if crop == "bigger":
        settings["size"] = {"shortest_edge": side + draw.choice([-5, 3, 9])}
    if crop == "square":
        settings.update(do_center_crop=False, size={"height": side, "width": side})
        settings.pop("crop_size")
    if crop == "pad":
        settings.update(image_processor_type="LlavaImageProcessor", do_pad=True)
    if draw.random() < 0.3:
        settings.update(size=side, crop_size=side)
    return odd_settings(draw, settings)


def odd_settings(draw, settings):
    """What files leave out or spell otherwise."""
    for key, standard in (("do_convert_rgb", True), ("do_resize", True), ("do_rescale", True), ("rescale_factor", 1 / 255),
                          ("do_normalize", True)):
        if settings.get(key) == standard and draw.random() < 0.2:
            settings[key] = None
            if draw.random() < 0.7 or key not in ("do_convert_rgb", "do_normalize"):
                settings.pop(key)
    if draw.random() < 0.1 and not settings.get("do_pad"):
        settings["do_normalize"] = False
    if draw.random() < 0.1:
        settings.update(image_mean=[0.5] * 3, image_std=[0.25, 0.5, 0.125])
    if settings.get("resample") == 3 and draw.random() < 0.3:
        settings.pop("resample")
    if draw.random() < 0.15:
        settings["resample"] = 4
    return settings


def siglip_settings(draw, side):
    return odd_settings(draw, {
        "do_normalize": True, "do_rescale": True, "do_resize": True, "resample": draw.choice([3, 3, 2]), "rescale_factor": 1 / 255,
        "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "image_processor_type": "SiglipImageProcessor",
        "size": {"height": side, "width": side}})
