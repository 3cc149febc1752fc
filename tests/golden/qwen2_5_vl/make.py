#!/usr/bin/env python3
"""Makes the tiny random Qwen2.5-VL checkpoints of this folder and what transformers says about them.

    python tests/golden/qwen2_5_vl/make.py     (transformers 5.23, torch 2.13, tokenizers, safetensors, Pillow)

small     windows of 2 x 2 tokens over grids whose sides they divide and do not divide, one block without windows, untied head,
          fp32, as save_pretrained of transformers 5
hub_bf16  as the hub has Qwen2.5-VL-3B: flat config without text_config and with defaults left out, sharded bf16, names
          visual.* and model.*, tied head, min_pixels and max_pixels, chat template as JSON
"""
import sys
from pathlib import Path

from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import family  # noqa: E402
import qwen_vl  # noqa: E402


def make_small(folder, seed):
    tokenizer, _ = qwen_vl.tokenizer_of(300)
    stop = tokenizer.token_to_id("<|im_end|>")
    config = Qwen2_5_VLConfig(
        vision_config={"depth": 3, "hidden_size": 16, "intermediate_size": 20, "out_hidden_size": 24, "num_heads": 2,
                       "patch_size": 4, "window_size": 16, "fullatt_block_indexes": [1], "in_channels": 3},
        text_config={"hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 2,
                     "num_key_value_heads": 1, "vocab_size": 304, "max_position_embeddings": 512,
                     "rope_parameters": {"rope_type": "default", "rope_theta": 500.0, "mrope_section": [2, 1, 3]},
                     "bos_token_id": None, "eos_token_id": stop}, **qwen_vl.ids_of(tokenizer))
    qwen_vl.finish_small(folder, seed, Qwen2_5_VLForConditionalGeneration(config), tokenizer, qwen_vl.TEMPLATE, "Qwen2_5_VLProcessor")


def make_hub_bf16(folder, seed):
    tokenizer, _ = qwen_vl.tokenizer_of(292)
    stop = tokenizer.token_to_id("<|im_end|>")
    family.write_json(folder / "config.json", {
        "architectures": ["Qwen2_5_VLForConditionalGeneration"], "attention_dropout": 0.0, "hidden_act": "silu",
        "eos_token_id": stop, "hidden_size": 32, "initializer_range": 0.02, "intermediate_size": 40,
        "max_position_embeddings": 128000, "max_window_layers": 70, "model_type": "qwen2_5_vl", "num_attention_heads": 2,
        "num_hidden_layers": 2, "num_key_value_heads": 1, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0,
        "sliding_window": 32768, "tie_word_embeddings": True, "torch_dtype": "bfloat16", "transformers_version": "4.41.2",
        "use_cache": True, "use_sliding_window": False, "vision_token_id": tokenizer.token_to_id("<|vision_pad|>"),
        "vision_config": {"depth": 2, "hidden_act": "silu", "hidden_size": 8, "intermediate_size": 12, "num_heads": 2,
                          "in_chans": 3, "out_hidden_size": 32, "patch_size": 14, "spatial_merge_size": 2,
                          "spatial_patch_size": 14, "window_size": 56, "fullatt_block_indexes": [1],
                          "tokens_per_second": 2, "temporal_patch_size": 2},
        "rope_scaling": {"type": "mrope", "mrope_section": [2, 3, 3]}, "vocab_size": 296, **qwen_vl.ids_of(tokenizer)})
    family.write_json(folder / "generation_config.json", {
        "bos_token_id": 0, "do_sample": True, "eos_token_id": [stop, tokenizer.token_to_id("<|endoftext|>")],
        "pad_token_id": 0, "repetition_penalty": 1.05, "temperature": 0.1, "top_k": 1, "top_p": 0.001,
        "transformers_version": "4.49.0"})
    family.write_json(folder / "preprocessor_config.json", {
        "min_pixels": 3136, "max_pixels": 12 * 784, "patch_size": 14, "temporal_patch_size": 2, "merge_size": 2,
        "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711],
        "image_processor_type": "Qwen2VLImageProcessor", "processor_class": "Qwen2_5_VLProcessor"})
    qwen_vl.finish_hub(folder, seed, Qwen2_5_VLForConditionalGeneration, tokenizer, qwen_vl.TEMPLATE, family.QWEN_NAMES)


if __name__ == "__main__":
    family.make_all(HERE, [make_small, make_hub_bf16])
