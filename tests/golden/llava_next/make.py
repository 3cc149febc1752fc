#!/usr/bin/env python3
"""Makes the tiny random LLaVA-NeXT checkpoints of this folder and what transformers says about them.

    python tests/golden/llava_next/make.py [NAME]   (transformers 5.23, torch 2.13, tokenizers, safetensors, Pillow)

Uses the pictures of tests/golden/qwen2_vl.
mistral    CLIP tower, Mistral without a window, [INST] turns, resolutions of unequal sides, fp32, as save_pretrained of
           transformers 5 writes it
hub_vicuna as llava-v1.6-vicuna lies on the hub: sharded bf16, old tensor names, defaults left out, patches that do not
           fill the view, a long text before the image
granite    as Granite Vision: SigLIP tower, four feature layers side by side, strategy "full", Qwen2 with a tied head, many
           resolutions, bf16
"""
import sys
from pathlib import Path

import torch
from transformers import (CLIPVisionConfig, LlavaNextConfig, LlavaNextForConditionalGeneration, MistralConfig, Qwen2Config,
                          SiglipVisionConfig)

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import family  # noqa: E402

MISTRAL = (
    "{% for message in messages %}{% if message['role'] == 'system' %}{{ '<<SYS>>\n' + message['content'][0]['text'] + "
    "'\n<</SYS>>\n\n' }}{% elif message['role'] == 'user' %}{{ '[INST] ' }}{% for content in message['content'] | "
    "selectattr('type', 'equalto', 'image') %}{{ '<image>\n' }}{% endfor %}{% for content in message['content'] | "
    "selectattr('type', 'equalto', 'text') %}{{ content['text'] + ' ' }}{% endfor %}{{ '[/INST]' }}"
    "{% elif message['role'] == 'assistant' %}{{ ' ' + message['content'][0]['text'] + '</s> ' }}{% endif %}{% endfor %}")
VICUNA = (
    "{% if messages[0]['role'] != 'system' %}{{ 'A chat between a curious human and an artificial intelligence assistant. '"
    " }}{% endif %}{% for message in messages %}{% if message['role'] != 'system' %}{{ message['role'].upper() + ': ' }}"
    "{% endif %}{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\n' }}{% endfor %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ content['text'] + ' ' }}{% endfor %}"
    "{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}")
CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}{% for content in message['content'] %}"
    "{% if content['type'] == 'image' %}{{ '<image>' }}{% else %}{{ content['text'] }}{% endif %}{% endfor %}"
    "{{ '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}")
LLAMA_TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
ALL = [[height, width] for height in (30, 60, 90) for width in (30, 60, 90)]


def settings(side, pinpoints, **options):
    return {"crop_size": {"height": side, "width": side}, "do_center_crop": True, "do_convert_rgb": True, "do_normalize": True,
            "do_pad": True, "do_rescale": True, "do_resize": True, "image_grid_pinpoints": pinpoints,
            "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_processor_type": "LlavaNextImageProcessor",
            "image_std": [0.26862954, 0.26130258, 0.27577711], "resample": 3, "rescale_factor": 1 / 255,
            "size": {"shortest_edge": side}, **options}


def processor_of(patch, strategy, more):
    return {"image_token": "<image>", "num_additional_image_tokens": more, "patch_size": patch,
            "processor_class": "LlavaNextProcessor", "vision_feature_select_strategy": strategy}


def write_texts(folder, tokenizer, tokens, template, jinja):
    family.write_texts(folder, tokenizer, {"clean_up_tokenization_spaces": False, "model_max_length": 4096,
                                           "tokenizer_class": "PreTrainedTokenizerFast", **tokens}, template, jinja)


def random_weights(config, seed, tokenizer):
    model = family.readable(family.randomize(LlavaNextForConditionalGeneration(config), seed), tokenizer)
    model.tie_weights()
    return model


def make_mistral(folder, seed):
    tokenizer = family.llama_tokenizer(310)
    pinpoints = [[28, 56], [56, 28], [56, 56], [84, 28], [28, 84]]
    vision = CLIPVisionConfig(hidden_size=16, intermediate_size=24, num_hidden_layers=3, num_attention_heads=2, image_size=28,
                              patch_size=7, projection_dim=16)
    text = MistralConfig(hidden_size=24, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
                         vocab_size=312, max_position_embeddings=512, sliding_window=None, rms_norm_eps=1e-5,
                         rope_parameters={"rope_type": "default", "rope_theta": 1000000.0})
    config = LlavaNextConfig(vision_config=vision, text_config=text, image_token_index=tokenizer.token_to_id("<image>"),
                             image_grid_pinpoints=pinpoints)
    random_weights(config, seed, tokenizer).save_pretrained(folder)
    write_texts(folder, tokenizer, LLAMA_TOKENS, MISTRAL, True)
    family.write_json(folder / "processor_config.json", {**processor_of(7, "default", 1), "image_processor": settings(28, pinpoints)})
    family.expect_folder(folder, ["wide", "tall", "gray", "turned"])


def make_hub_vicuna(folder, seed):
    tokenizer = family.llama_tokenizer(310)
    text = {"_name_or_path": "lmsys/vicuna-7b-v1.5", "architectures": ["LlamaForCausalLM"], "hidden_size": 24,
            "intermediate_size": 32, "max_position_embeddings": 4096, "model_type": "llama", "num_attention_heads": 4,
            "num_hidden_layers": 2, "pad_token_id": 0, "rms_norm_eps": 1e-05, "torch_dtype": "float16", "vocab_size": 312}
    vision = {"hidden_size": 16, "image_size": 30, "intermediate_size": 24, "model_type": "clip_vision_model",
              "num_attention_heads": 2, "num_hidden_layers": 2, "patch_size": 7, "projection_dim": 16, "vocab_size": 32000}
    pinpoints = [[30, 60], [60, 30], [60, 60], [90, 30], [30, 90]]
    family.write_json(folder / "config.json", {
        "architectures": ["LlavaNextForConditionalGeneration"], "ignore_index": -100, "image_grid_pinpoints": pinpoints,
        "image_token_index": tokenizer.token_to_id("<image>"), "model_type": "llava_next", "projector_hidden_act": "gelu",
        "text_config": text, "torch_dtype": "float16", "transformers_version": "4.39.0.dev0",
        "use_image_newline_parameter": True, "vision_config": vision, "vision_feature_layer": -2,
        "vision_feature_select_strategy": "default"})
    family.write_json(folder / "generation_config.json", {"_from_model_config": True, "bos_token_id": 1, "eos_token_id": 2,
                                                          "pad_token_id": 0, "transformers_version": "4.39.0.dev0"})
    model = random_weights(LlavaNextConfig.from_pretrained(folder), seed, tokenizer)
    write_texts(folder, tokenizer, LLAMA_TOKENS, VICUNA, False)
    family.write_json(folder / "processor_config.json", processor_of(7, "default", 1))
    family.write_json(folder / "preprocessor_config.json", {"processor_class": "LlavaNextProcessor", **settings(30, pinpoints)})
    family.save_hub(folder, model, family.HUB_NAMES)
    family.expect_folder(folder, ["tall", "wide", "rgba"])


def make_granite(folder, seed):
    tokenizer = family.bytelevel_tokenizer(310, ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>"])
    end = tokenizer.token_to_id("<|im_end|>")
    vision = SiglipVisionConfig(hidden_size=16, intermediate_size=24, num_hidden_layers=4, num_attention_heads=2, image_size=30,
                                patch_size=10, vision_use_head=False)
    text = Qwen2Config(hidden_size=24, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
                       vocab_size=312, max_position_embeddings=1024, tie_word_embeddings=True, bos_token_id=0, eos_token_id=end)
    config = LlavaNextConfig(vision_config=vision, text_config=text, image_token_index=tokenizer.token_to_id("<image>"),
                             image_grid_pinpoints=ALL, vision_feature_layer=[-4, -3, -2, -1], tie_word_embeddings=True,
                             vision_feature_select_strategy="full")
    random_weights(config, seed, tokenizer).to(torch.bfloat16).save_pretrained(folder)
    write_texts(folder, tokenizer, {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}, CHATML, True)
    half = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "size": {"height": 30, "width": 30}}
    family.write_json(folder / "processor_config.json", {**processor_of(10, "full", 0), "image_processor": settings(30, ALL, **half)})
    family.expect_folder(folder, ["gray", "wide"])


if __name__ == "__main__":
    family.make_all(HERE, [make_mistral, make_hub_vicuna, make_granite])
