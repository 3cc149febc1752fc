#!/usr/bin/env python3
"""Writes checkpoints with random weights at real shapes, in Hugging Face format, for measuring (never committed).

    python tests/bench/make_checkpoints.py [--out build/bench] [NAME ...]      (transformers 5.23, torch 2.13)

smolvlm-256m      SmolVLM-256M, one view of 512 x 512
onevision-0.5b    LLaVA-OneVision-0.5B; the bench feeds its single view
llava-7b-slice    LLaVA-1.5-7B at full width with 2 blocks of the tower and 2 of the decoder
internvl3-1b      InternVL3-1B (only when named); one tile of 448 x 448 with `--views one`
llava-7b          LLaVA-1.5-7B (13.5 GB; only when named)
qwen2.5-vl-3b     Qwen2.5-VL-3B (7.5 GB; only when named)

Names, dtype (bfloat16) and files are those of real folders; the tokenizers are the small ones of the golden tests, in
vocabularies padded to the real size. A folder that is already complete is left alone.
"""
import argparse
import functools
import importlib.util
import math
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import (CLIPVisionConfig, InternVLConfig, InternVLForConditionalGeneration, InternVLVisionConfig,
                          LlamaConfig, LlavaConfig, LlavaForConditionalGeneration,
                          LlavaOnevisionConfig, LlavaOnevisionForConditionalGeneration, Qwen2_5_VLConfig,
                          Qwen2_5_VLForConditionalGeneration, Qwen2Config,
                          SiglipVisionConfig, SmolVLMConfig, SmolVLMForConditionalGeneration)

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
sys.path.insert(0, str(GOLDEN))
import family  # noqa: E402

SHARD_BYTES = 2 << 30


def golden(name):
    spec = importlib.util.spec_from_file_location(f"{name}_make", GOLDEN / name / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@functools.cache
def noise():
    return torch.randn(1 << 24, generator=torch.Generator().manual_seed(1))


def random_tensor(name, shape, seed):
    """Activations keep their size through the blocks, logits stay small. Cut from one long piece of noise, each tensor at
    another place: billions of draws would take minutes."""
    if len(shape) == 1:
        ones = "norm" in name and name.endswith("weight") or "lambda" in name
        return torch.ones(shape) if ones else torch.zeros(shape)
    scale = 0.05 if "embed" in name and "patch" not in name else 0.7 / math.sqrt(math.prod(shape[1:]))
    scaled = (scale * noise()).to(torch.bfloat16).roll(seed * 1000003)
    size = math.prod(shape)
    return scaled.repeat(-(-size // len(scaled)))[:size].reshape(shape)


def save_weights(folder, model):
    """Shard by shard, so that a large checkpoint needs no more memory than one shard."""
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items() if "position_ids" not in name}
    if model.config.tie_word_embeddings:
        shapes.pop("lm_head.weight")
    shards, size = [[]], 0
    for name in sorted(shapes):
        bytes_ = 2 * math.prod(shapes[name])
        if size + bytes_ > SHARD_BYTES and shards[-1]:
            shards.append([])
            size = 0
        shards[-1].append(name)
        size += bytes_
    weight_map, seed = {}, 1
    for index, names in enumerate(shards, start=1):
        file = "model.safetensors" if len(shards) == 1 else f"model-{index:05d}-of-{len(shards):05d}.safetensors"
        tensors = {}
        for name in names:
            tensors[name] = random_tensor(name, shapes[name], seed).to(torch.bfloat16)
            weight_map[name] = file
            seed += 1
        save_file(tensors, folder / file, metadata={"format": "pt"})
    if len(shards) > 1:
        total = sum(2 * math.prod(shape) for shape in shapes.values())
        family.write_json(folder / "model.safetensors.index.json", {"metadata": {"total_size": total}, "weight_map": weight_map})


def save(folder, model, tokenizer, processor):
    model.config.save_pretrained(folder)
    save_weights(folder, model)
    tokenizer.save(str(folder / "tokenizer.json"))
    family.write_json(folder / "preprocessor_config.json", processor)


def pictures(kind, mean, std, **settings):
    return {"do_convert_rgb": True, "do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": mean,
            "image_processor_type": kind, "image_std": std, "rescale_factor": 1 / 255, **settings}


def smolvlm_256m(folder):
    tokenizer = golden("idefics3").smol_tokenizer(330)
    text = LlamaConfig(hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9,
                       num_key_value_heads=3, vocab_size=49280, max_position_embeddings=8192, rms_norm_eps=1e-5,
                       rope_parameters={"rope_type": "default", "rope_theta": 100000.0},
                       bos_token_id=1, eos_token_id=2, pad_token_id=2)
    vision = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12,
              "image_size": 512, "patch_size": 16}
    config = SmolVLMConfig(vision_config=vision, text_config=text, scale_factor=4, tie_word_embeddings=True,
                           image_token_id=tokenizer.token_to_id("<image>"), pad_token_id=2)
    with torch.device("meta"):
        model = SmolVLMForConditionalGeneration(config)
    save(folder, model, tokenizer,
         pictures("SmolVLMImageProcessor", [0.5] * 3, [0.5] * 3, do_image_splitting=True, do_pad=True, resample=1,
                  size={"longest_edge": 512}, max_image_size={"longest_edge": 512}))


def onevision_05b(folder):
    module = golden("llava_onevision")
    tokenizer = module.qwen_tokenizer()
    vision = SiglipVisionConfig(hidden_size=1152, intermediate_size=4304, num_hidden_layers=26, num_attention_heads=16,
                                image_size=384, patch_size=14, vision_use_head=False)
    text = Qwen2Config(hidden_size=896, intermediate_size=4864, num_hidden_layers=24, num_attention_heads=14,
                       num_key_value_heads=2, vocab_size=152000, max_position_embeddings=32768, rms_norm_eps=1e-6,
                       rope_parameters={"rope_type": "default", "rope_theta": 1000000.0}, tie_word_embeddings=True,
                       bos_token_id=0, eos_token_id=tokenizer.token_to_id("<|im_end|>"))
    sizes = [[384, 384], [384, 768], [768, 384], [768, 768]]
    config = LlavaOnevisionConfig(vision_config=vision, text_config=text, tie_word_embeddings=True,
                                  image_token_index=tokenizer.token_to_id("<image>"), image_grid_pinpoints=sizes,
                                  video_token_index=tokenizer.token_to_id("<video>"))
    with torch.device("meta"):
        model = LlavaOnevisionForConditionalGeneration(config)
    save(folder, model, tokenizer,
         pictures("LlavaOnevisionImageProcessor", [0.5] * 3, [0.5] * 3, do_pad=True, resample=3,
                  image_grid_pinpoints=sizes, size={"height": 384, "width": 384}))


def llava_7b(folder, vision_layers=24, text_layers=32):
    tokenizer = family.llama_tokenizer(310)
    vision = CLIPVisionConfig(hidden_size=1024, intermediate_size=4096, num_hidden_layers=vision_layers,
                              num_attention_heads=16, image_size=336, patch_size=14, projection_dim=768)
    text = LlamaConfig(hidden_size=4096, intermediate_size=11008, num_hidden_layers=text_layers, num_attention_heads=32,
                       vocab_size=32064, max_position_embeddings=4096, rms_norm_eps=1e-5, bos_token_id=1, eos_token_id=2)
    config = LlavaConfig(vision_config=vision, text_config=text, image_token_index=tokenizer.token_to_id("<image>"),
                         vision_feature_layer=-2)
    with torch.device("meta"):
        model = LlavaForConditionalGeneration(config)
    save(folder, model, tokenizer,
         pictures("CLIPImageProcessor", [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711],
                  crop_size={"height": 336, "width": 336}, do_center_crop=True, resample=3,
                  size={"shortest_edge": 336}))


def internvl3_1b(folder):
    module = golden("internvl")
    tokenizer, _ = module.tokenizer_of(310)
    vision = InternVLVisionConfig(attention_bias=True)  # its defaults are the 300M tower
    text = Qwen2Config(hidden_size=896, intermediate_size=4864, num_hidden_layers=24, num_attention_heads=14,
                       num_key_value_heads=2, vocab_size=151674, max_position_embeddings=32768, rms_norm_eps=1e-6,
                       rope_parameters={"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1000000.0},
                       bos_token_id=None, eos_token_id=tokenizer.token_to_id("<|im_end|>"))
    config = InternVLConfig(vision_config=vision, text_config=text, image_token_id=tokenizer.token_to_id("<IMG_CONTEXT>"),
                            tie_word_embeddings=True)
    with torch.device("meta"):
        model = InternVLForConditionalGeneration(config)
    save(folder, model, tokenizer,
         pictures("GotOcr2ImageProcessor", module.MEAN, module.STD, crop_to_patches=True, min_patches=1, max_patches=12, resample=3,
                  size={"height": 448, "width": 448}))


def qwen25_vl_3b(folder):
    module = golden("qwen2_vl")
    tokenizer, _ = module.tokenizer_of(300)
    text = {"hidden_size": 2048, "intermediate_size": 11008, "num_hidden_layers": 36, "num_attention_heads": 16,
            "num_key_value_heads": 2, "vocab_size": 151936, "max_position_embeddings": 128000, "rms_norm_eps": 1e-6,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0, "mrope_section": [16, 24, 24]},
            "bos_token_id": None, "eos_token_id": tokenizer.token_to_id("<|im_end|>")}
    config = Qwen2_5_VLConfig(vision_config={"hidden_size": 1280, "out_hidden_size": 2048}, text_config=text,
                              tie_word_embeddings=True, **module.ids_of(tokenizer))
    with torch.device("meta"):
        model = Qwen2_5_VLForConditionalGeneration(config)
    save(folder, model, tokenizer,
         pictures("Qwen2VLImageProcessor", [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711],
                  min_pixels=3136, max_pixels=12845056, patch_size=14, temporal_patch_size=2, merge_size=2))


LARGE = ("llava-7b", "internvl3-1b", "qwen2.5-vl-3b")
MAKERS = {"smolvlm-256m": smolvlm_256m, "onevision-0.5b": onevision_05b,
          # feature layer -2 leaves the last block of the tower out
          "llava-7b-slice": lambda folder: llava_7b(folder, vision_layers=3, text_layers=2), "llava-7b": llava_7b,
          "internvl3-1b": internvl3_1b, "qwen2.5-vl-3b": qwen25_vl_3b}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all but the large ones")
    parser.add_argument("--out", type=Path, default=Path("build/bench"))
    args = parser.parse_args()
    for name in args.names or [name for name in MAKERS if name not in LARGE]:
        folder = args.out / name
        if not (folder / "complete").exists():
            folder.mkdir(parents=True, exist_ok=True)
            MAKERS[name](folder)
            (folder / "complete").touch()
        print(folder)


if __name__ == "__main__":
    main()
