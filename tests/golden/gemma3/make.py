#!/usr/bin/env python3
"""Makes the tiny random Gemma 3 checkpoints of this folder and what transformers says about them.

    python tests/golden/gemma3/make.py [NAME]   (transformers 5.23, torch 2.13, tokenizers, safetensors, Pillow)

Uses the pictures of tests/golden/qwen2_vl.
small     a window of 6 tokens, less than the image has; patches that do not fill their squares; a system text, which stands
          before the image; heads wider than width / heads; fp32, as save_pretrained of transformers 5 writes it
hub_bf16  as the hub has gemma-3-4b-it: defaults left out of config.json, sharded bf16, names language_model.model.* and
          vision_tower.vision_model.*, a stretched rope; the window ends with the image, so that the first token after it
          sees all but the first
"""
import sys
from pathlib import Path

import torch
from tokenizers import AddedToken
from transformers import Gemma3Config, Gemma3ForConditionalGeneration, Gemma3TextConfig, SiglipVisionConfig

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "chat_template")]
import family  # noqa: E402
from more_templates import MORE_TEMPLATES  # noqa: E402

TEMPLATE = MORE_TEMPLATES["gemma3"]
SPECIAL = ["<start_of_turn>", "<end_of_turn>", "<start_of_image>", "<end_of_image>", "<image_soft_token>"]
TOKENS = {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>", "unk_token": "<unk>",
          "boi_token": "<start_of_image>", "eoi_token": "<end_of_image>", "image_token": "<image_soft_token>"}


def tokenizer_of(size):
    """As Gemma 3's, which has tokens of several line feeds."""
    tokenizer = family.gemma_tokenizer(size - 2, SPECIAL)
    tokenizer.add_tokens([AddedToken(feeds, special=False, normalized=False) for feeds in ("\n\n", "\n\n\n")])
    return tokenizer


def ids_of(tokenizer):
    return {"boi_token_index": tokenizer.token_to_id("<start_of_image>"), "eoi_token_index": tokenizer.token_to_id("<end_of_image>"),
            "image_token_index": tokenizer.token_to_id("<image_soft_token>")}


def settings(side):
    return {"do_convert_rgb": None, "do_normalize": True, "do_pan_and_scan": None, "do_rescale": True, "do_resize": True,
            "image_mean": [0.5, 0.5, 0.5], "image_processor_type": "Gemma3ImageProcessor", "image_std": [0.5, 0.5, 0.5],
            "pan_and_scan_max_num_crops": None, "pan_and_scan_min_crop_size": None,
            "pan_and_scan_min_ratio_to_activate": None, "resample": 2, "rescale_factor": 0.00392156862745098,
            "size": {"height": side, "width": side}}


def random_weights(config, seed, tokenizer):
    model = family.randomize(Gemma3ForConditionalGeneration(config), seed)
    family.shift_norms(model, 0.2)
    with torch.no_grad():
        weight = model.model.multi_modal_projector.mm_input_projection_weight
        weight.mul_((weight.shape[1] / weight.shape[0]) ** 0.5)  # stored the other way round
    model = family.readable(model, tokenizer)
    model.tie_weights()
    return model


def make_small(folder, seed):
    tokenizer = tokenizer_of(330)
    vision = SiglipVisionConfig(hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=3, image_size=63,
                                patch_size=7, vision_use_head=False)
    text = Gemma3TextConfig(hidden_size=24, intermediate_size=32, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2,
                            head_dim=10, vocab_size=332, max_position_embeddings=512, query_pre_attn_scalar=12, sliding_window=6,
                            layer_types=["sliding_attention", "sliding_attention", "full_attention", "sliding_attention"],
                            rope_parameters={"full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 5000.0},
                                             "sliding_attention": {"rope_type": "default", "rope_theta": 50.0}})
    config = Gemma3Config(vision_config=vision, text_config=text, mm_tokens_per_image=16, eos_token_id=[1, tokenizer.token_to_id("<end_of_turn>")], **ids_of(tokenizer))
    model = random_weights(config, seed, tokenizer)
    model.save_pretrained(folder)
    family.write_json(folder / "processor_config.json", {"image_processor": settings(63), "image_seq_length": 16,
                                                         "processor_class": "Gemma3Processor"})
    family.write_texts(folder, tokenizer, {"tokenizer_class": "TokenizersBackend", **TOKENS}, TEMPLATE, jinja=True)
    family.expect_folder(folder, ["wide", "tall", "gray", "rgba", "turned"])


def make_hub_bf16(folder, seed):
    tokenizer = tokenizer_of(330)
    before = tokenizer.encode("<bos><start_of_turn>user\n\n\n<start_of_image>", add_special_tokens=False).ids
    family.write_json(folder / "config.json", {
        "architectures": ["Gemma3ForConditionalGeneration"], "eos_token_id": [1, tokenizer.token_to_id("<end_of_turn>")],
        "initializer_range": 0.02, "mm_tokens_per_image": 16, "model_type": "gemma3", **ids_of(tokenizer),
        "text_config": {"head_dim": 8, "hidden_size": 16, "intermediate_size": 24, "max_position_embeddings": 512,
                        "model_type": "gemma3_text", "num_attention_heads": 4, "num_hidden_layers": 7, "num_key_value_heads": 2,
                        "query_pre_attn_scalar": 9, "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
                        "sliding_window": len(before) + 16, "vocab_size": 336},
        "torch_dtype": "bfloat16", "transformers_version": "4.50.0.dev0",
        "vision_config": {"hidden_size": 16, "image_size": 56, "intermediate_size": 24, "model_type": "siglip_vision_model",
                          "num_attention_heads": 2, "num_hidden_layers": 2, "patch_size": 7, "vision_use_head": False}})
    family.write_json(folder / "generation_config.json", {
        "_from_model_config": True, "bos_token_id": 2, "cache_implementation": "hybrid",
        "eos_token_id": [1, tokenizer.token_to_id("<end_of_turn>")], "pad_token_id": 0})
    family.write_json(folder / "preprocessor_config.json", {**settings(56), "image_seq_length": 16,
                                                            "processor_class": "Gemma3Processor"})
    family.write_json(folder / "processor_config.json", {"image_seq_length": 16, "processor_class": "Gemma3Processor"})
    family.write_texts(folder, tokenizer, {"add_bos_token": True, "add_eos_token": False, "tokenizer_class": "GemmaTokenizerFast",
                                           **TOKENS}, TEMPLATE)
    family.save_hub(folder, random_weights(Gemma3Config.from_pretrained(folder), seed, tokenizer), family.HUB_NAMES, tied=True)
    family.expect_folder(folder, ["gray", "turned"])


if __name__ == "__main__":
    family.make_all(HERE, [make_small, make_hub_bf16])
