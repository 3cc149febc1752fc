#!/usr/bin/env python3
"""Makes the tiny random Qwen2-VL checkpoints of this folder and what transformers says about them.

    python tests/golden/qwen2_vl/make.py     (transformers 5.23, torch 2.13, tokenizers, safetensors, Pillow)

small     patches of 4 pixels, grouped-query attention, untied head, fp32, as save_pretrained of transformers 5
hub_bf16  as the hub has Qwen2-VL-2B: flat config without text_config and with defaults left out, sharded bf16, names
          visual.* and model.*, tied head, min_pixels and max_pixels, patches of 14 pixels, chat template as JSON
"""
import sys
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerFast, Qwen2VLConfig, Qwen2VLForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import family  # noqa: E402

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
           "<|image_pad|>", "<|video_pad|>"]
TEMPLATE = (
    "{% set image_count = namespace(value=0) %}{% set video_count = namespace(value=0) %}{% for message in messages %}"
    "{% if loop.first and message['role'] != 'system' %}<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
    "{% endif %}<|im_start|>{{ message['role'] }}\n{% if message['content'] is string %}{{ message['content'] }}"
    "<|im_end|>\n{% else %}{% for content in message['content'] %}{% if content['type'] == 'image' or 'image' in content "
    "or 'image_url' in content %}{% set image_count.value = image_count.value + 1 %}{% if add_vision_id %}Picture "
    "{{ image_count.value }}: {% endif %}<|vision_start|><|image_pad|><|vision_end|>{% elif 'text' in content %}"
    "{{ content['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endif %}{% endfor %}{% if add_generation_prompt %}"
    "<|im_start|>assistant\n{% endif %}")


def tokenizer_of(size):
    tokenizer = family.bytelevel_tokenizer(size, SPECIAL)
    return tokenizer, PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>",
                                              pad_token="<|endoftext|>", clean_up_tokenization_spaces=False)


def prepare(pictures, fast, picture, prompt):
    """What Qwen2VLProcessor does, whose class wants a video processor and with it torchvision."""
    message = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": prompt}]}
    text = fast.apply_chat_template([message], chat_template=TEMPLATE, add_generation_prompt=True, tokenize=False)
    inputs = dict(pictures(images=picture, return_tensors="pt"))
    count = int(inputs["image_grid_thw"].prod()) // pictures.merge_size**2
    text = text.replace("<|image_pad|>", "<|image_pad|>" * count)
    ids = torch.tensor([fast.encode(text, add_special_tokens=True)])
    image = fast.convert_tokens_to_ids("<|image_pad|>")
    return {**inputs, "input_ids": ids, "attention_mask": torch.ones_like(ids),
            "mm_token_type_ids": (ids == image).int()}


def ids_of(tokenizer):
    return {"image_token_id": tokenizer.token_to_id("<|image_pad|>"),
            "video_token_id": tokenizer.token_to_id("<|video_pad|>"),
            "vision_start_token_id": tokenizer.token_to_id("<|vision_start|>"),
            "vision_end_token_id": tokenizer.token_to_id("<|vision_end|>")}


def random_weights(config, seed, tokenizer):
    model = family.randomize(Qwen2VLForConditionalGeneration(config), seed)
    with torch.no_grad():
        model.model.visual.merger.ln_q.weight.add_(1)
    model = family.readable(model, tokenizer)
    model.tie_weights()
    return model


def make_small(folder, seed):
    tokenizer, fast = tokenizer_of(300)
    stop = tokenizer.token_to_id("<|im_end|>")
    config = Qwen2VLConfig(
        vision_config={"depth": 2, "embed_dim": 16, "hidden_size": 24, "num_heads": 2, "mlp_ratio": 2, "patch_size": 4},
        text_config={"hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 2,
                     "num_key_value_heads": 1, "vocab_size": 304, "max_position_embeddings": 512,
                     "rope_parameters": {"rope_type": "default", "rope_theta": 500.0, "mrope_section": [2, 1, 3]},
                     "bos_token_id": None, "eos_token_id": stop}, **ids_of(tokenizer))
    model = random_weights(config, seed, tokenizer)
    model.save_pretrained(folder)
    fast.save_pretrained(folder)
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    pictures = Qwen2VLImageProcessorPil(size={"shortest_edge": 256, "longest_edge": 448}, patch_size=4)
    family.write_json(folder / "processor_config.json", {"image_processor": pictures.to_dict(),
                                                         "processor_class": "Qwen2VLProcessor"})
    family.expect(folder, model, fast, lambda *case: prepare(pictures, fast, *case),
                  ["wide", "tall", "gray", "rgba", "turned"], config.image_token_id, stop, ["wide", "gray", "rgba"])


def make_hub_bf16(folder, seed):
    tokenizer, fast = tokenizer_of(292)
    stop = tokenizer.token_to_id("<|im_end|>")
    family.write_json(folder / "config.json", {
        "architectures": ["Qwen2VLForConditionalGeneration"], "attention_dropout": 0.0, "hidden_act": "silu",
        "eos_token_id": stop, "hidden_size": 32, "initializer_range": 0.02, "intermediate_size": 40,
        "max_window_layers": 28, "model_type": "qwen2_vl", "num_attention_heads": 2, "num_hidden_layers": 2,
        "num_key_value_heads": 1, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0, "sliding_window": 32768,
        "tie_word_embeddings": True, "torch_dtype": "bfloat16", "transformers_version": "4.41.2", "use_cache": True,
        "use_sliding_window": False, "vision_token_id": tokenizer.token_to_id("<|vision_pad|>"),
        "vision_config": {"depth": 1, "embed_dim": 8, "mlp_ratio": 2, "num_heads": 2, "in_chans": 3,
                          "hidden_size": 32, "spatial_patch_size": 14},
        "rope_scaling": {"type": "mrope", "mrope_section": [2, 3, 3]}, "vocab_size": 296, **ids_of(tokenizer)})
    family.write_json(folder / "generation_config.json", {
        "bos_token_id": 0, "do_sample": True, "eos_token_id": [stop, tokenizer.token_to_id("<|endoftext|>")],
        "pad_token_id": 0, "temperature": 0.01, "top_k": 1, "top_p": 0.001, "transformers_version": "4.37.0"})
    family.write_json(folder / "preprocessor_config.json", {
        "min_pixels": 784, "max_pixels": 1568, "patch_size": 14, "temporal_patch_size": 2, "merge_size": 2,
        "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711],
        "image_processor_type": "Qwen2VLImageProcessor", "processor_class": "Qwen2VLProcessor"})
    family.write_texts(folder, tokenizer, family.QWEN2_TOKENS, TEMPLATE)
    loaded = family.save_hub(folder, random_weights(Qwen2VLConfig.from_pretrained(folder), seed, tokenizer), family.QWEN_NAMES, tied=True)
    pictures = Qwen2VLImageProcessorPil.from_pretrained(folder)
    family.expect(folder, loaded, fast, lambda *case: prepare(pictures, fast, *case), ["turned"],
                  loaded.config.image_token_id, stop, ["turned"])


if __name__ == "__main__":
    family.pictures(HERE / "images")
    family.make_all(HERE, [make_small, make_hub_bf16])
