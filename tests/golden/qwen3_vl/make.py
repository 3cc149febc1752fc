#!/usr/bin/env python3
"""Makes the tiny random Qwen3-VL checkpoints of this folder and what transformers says about them.

    python tests/golden/qwen3_vl/make.py     (transformers 5.23, torch 2.13, tokenizers, safetensors, Pillow)

small     two deep blocks (one of them the first), heads that are no share of the width, a square of positions smaller than
          the grids, untied head, fp32, as save_pretrained of transformers 5
hub_bf16  as the hub has Qwen3-VL-2B: text_config and vision_config with rope_theta and rope_scaling, sharded bf16, the names of
          transformers 5, tied head, as many deep blocks as the decoder has, patches of 16 pixels, chat template as JSON
"""
import sys
from pathlib import Path

from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import family  # noqa: E402
import qwen_vl  # noqa: E402


def make_small(folder, seed):
    tokenizer, _ = qwen_vl.tokenizer_of(300)
    stop = tokenizer.token_to_id("<|im_end|>")
    config = Qwen3VLConfig(
        vision_config={"depth": 3, "hidden_size": 16, "intermediate_size": 20, "out_hidden_size": 20, "num_heads": 2,
                       "patch_size": 4, "num_position_embeddings": 25, "deepstack_visual_indexes": [0, 2]},
        text_config={"hidden_size": 20, "intermediate_size": 40, "num_hidden_layers": 3, "num_attention_heads": 2,
                     "num_key_value_heads": 1, "head_dim": 12, "vocab_size": 304, "max_position_embeddings": 512,
                     "rope_parameters": {"rope_type": "default", "rope_theta": 500.0, "mrope_section": [2, 2, 2],
                                         "mrope_interleaved": True},
                     "bos_token_id": None, "eos_token_id": stop}, **qwen_vl.ids_of(tokenizer))
    qwen_vl.finish_small(folder, seed, Qwen3VLForConditionalGeneration(config), tokenizer, qwen_vl.TEMPLATE_3, "Qwen3VLProcessor",
                         image_mean=[0.5] * 3, image_std=[0.5] * 3)


def make_hub_bf16(folder, seed):
    tokenizer, _ = qwen_vl.tokenizer_of(292)
    stop = tokenizer.token_to_id("<|im_end|>")
    family.write_json(folder / "config.json", {
        "architectures": ["Qwen3VLForConditionalGeneration"], "model_type": "qwen3_vl", "tie_word_embeddings": True,
        "transformers_version": "4.57.0.dev0", **qwen_vl.ids_of(tokenizer),
        "text_config": {
            "attention_bias": False, "attention_dropout": 0.0, "bos_token_id": 0, "dtype": "bfloat16", "eos_token_id": stop,
            "head_dim": 16, "hidden_act": "silu", "hidden_size": 24, "initializer_range": 0.02, "intermediate_size": 40,
            "max_position_embeddings": 262144, "model_type": "qwen3_vl_text", "num_attention_heads": 2,
            "num_hidden_layers": 2, "num_key_value_heads": 2, "rms_norm_eps": 1e-06,
            "rope_scaling": {"mrope_interleaved": True, "mrope_section": [4, 2, 2], "rope_type": "default"},
            "rope_theta": 5000000, "tie_word_embeddings": True, "use_cache": True, "vocab_size": 296},
        "vision_config": {
            "deepstack_visual_indexes": [1, 2], "depth": 3, "hidden_act": "gelu_pytorch_tanh", "hidden_size": 16,
            "in_channels": 3, "initializer_range": 0.02, "intermediate_size": 20, "model_type": "qwen3_vl",
            "num_heads": 2, "num_position_embeddings": 16, "out_hidden_size": 24, "patch_size": 16,
            "spatial_merge_size": 2, "temporal_patch_size": 2}})
    family.write_json(folder / "generation_config.json", {
        "bos_token_id": 0, "do_sample": True, "eos_token_id": [stop, tokenizer.token_to_id("<|endoftext|>")],
        "pad_token_id": 0, "temperature": 0.7, "top_k": 20, "top_p": 0.8, "transformers_version": "4.56.0"})
    family.write_json(folder / "preprocessor_config.json", {
        "size": {"longest_edge": 12 * 1024, "shortest_edge": 4096}, "patch_size": 16, "temporal_patch_size": 2,
        "merge_size": 2, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5],
        "image_processor_type": "Qwen2VLImageProcessorFast", "processor_class": "Qwen3VLProcessor"})
    qwen_vl.finish_hub(folder, seed, Qwen3VLForConditionalGeneration, tokenizer, qwen_vl.TEMPLATE_3)


if __name__ == "__main__":
    family.make_all(HERE, [make_small, make_hub_bf16])
