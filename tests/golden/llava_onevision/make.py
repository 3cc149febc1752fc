#!/usr/bin/env python3
"""Makes the tiny random LLaVA-OneVision checkpoints of this folder and what transformers says about them.

    python tests/golden/llava_onevision/make.py     (as tests/golden/idefics3/make.py, whose pictures are used)

anyres    four resolutions, SigLIP with patches that do not fill the view, Qwen2 with a tied head, fp32, as save_pretrained
          of transformers 5 writes it
hub_scaled as llava-onevision-qwen2 lies on the hub: sharded bf16, old tensor names, defaults left out, feature layer -2,
          features scaled down ("anyres_max_1"), own head
clip      CLIP tower without its class token, bf16, fewer settings
"""
import importlib.util
import json
import sys
from pathlib import Path

import torch
from transformers import (CLIPVisionConfig, LlavaOnevisionConfig, LlavaOnevisionForConditionalGeneration,
                          LlavaOnevisionProcessor, PreTrainedTokenizerFast, Qwen2Config, SiglipVisionConfig)
from transformers.models.llava_onevision.image_processing_pil_llava_onevision import LlavaOnevisionImageProcessorPil

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import family  # noqa: E402

spec = importlib.util.spec_from_file_location("idefics3_make", HERE.parent / "idefics3" / "make.py")
idefics3 = importlib.util.module_from_spec(spec)
spec.loader.exec_module(idefics3)

TEMPLATE = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + ' '}}{# Render all images first #}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>' }}{% endfor %}"
    "{# Render all text next #}{% if message['role'] != 'assistant' %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ '\n' + content['text'] }}"
    "{% endfor %}{% else %}{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}"
    "{% generation %}{{ '\n' + content['text'] }}{% endgeneration %}{% endfor %}{% endif %}{{'<|im_end|>'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}")
PINPOINTS = [[height, width] for height in (30, 60) for width in (30, 60)]
WIDE_PINPOINTS = [[height, width] for height in (30, 60, 90) for width in (30, 60, 90)]


def qwen_tokenizer():
    return idefics3.smol_tokenizer(310, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], ["<image>", "<video>"])


def fast(tokenizer):
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>",
                                   clean_up_tokenization_spaces=False)


# a video processor would need torchvision
LlavaOnevisionProcessor.check_argument_for_proper_class = lambda *arguments: None


def processor_of(pictures, tokenizer, tokens, aspect, strategy="full"):
    return LlavaOnevisionProcessor(pictures, fast(tokenizer), None, num_image_tokens=tokens,
                                   vision_feature_select_strategy=strategy, chat_template=TEMPLATE,
                                   vision_aspect_ratio=aspect)


def save_processor(folder, processor):
    """As save_pretrained of transformers 5 would, with a video processor of other sizes."""
    processor.tokenizer.save_pretrained(folder)
    pictures = json.loads(processor.image_processor.to_json_string())
    family.write_json(folder / "processor_config.json", {
        "image_processor": pictures, "image_token": "<image>", "num_image_tokens": processor.num_image_tokens,
        "processor_class": "LlavaOnevisionProcessor", "video_processor": {"size": {"height": 99, "width": 99}},
        "video_token": "<video>", "vision_aspect_ratio": processor.vision_aspect_ratio,
        "vision_feature_select_strategy": processor.vision_feature_select_strategy})
    (folder / "chat_template.jinja").write_text(TEMPLATE, encoding="utf-8")


def text_config(tokenizer, **options):
    return Qwen2Config(**{"hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
                          "num_key_value_heads": 2, "vocab_size": 312, "max_position_embeddings": 1024,
                          "rope_parameters": {"rope_type": "default", "rope_theta": 700.0},
                          "bos_token_id": tokenizer.token_to_id("<|endoftext|>"),
                          "eos_token_id": tokenizer.token_to_id("<|im_end|>"), **options})


def model_of(vision, text, tokenizer, seed, **options):
    config = LlavaOnevisionConfig(vision_config=vision, text_config=text, image_token_index=tokenizer.token_to_id("<image>"),
                                  video_token_index=tokenizer.token_to_id("<video>"), **options)
    return family.readable(family.randomize(LlavaOnevisionForConditionalGeneration(config), seed), tokenizer)


def make_anyres(folder, seed):
    tokenizer = qwen_tokenizer()
    vision = SiglipVisionConfig(hidden_size=12, intermediate_size=20, num_hidden_layers=2, num_attention_heads=2,
                                image_size=30, patch_size=7, vision_use_head=False)
    model = model_of(vision, text_config(tokenizer, tie_word_embeddings=True), tokenizer, seed,
                     image_grid_pinpoints=PINPOINTS, tie_word_embeddings=True)
    model.tie_weights()
    pictures = LlavaOnevisionImageProcessorPil(size={"height": 30, "width": 30}, image_grid_pinpoints=PINPOINTS)
    processor = processor_of(pictures, tokenizer, 16, "anyres_max_9")
    model.save_pretrained(folder)
    save_processor(folder, processor)
    return model, processor


def make_clip(folder, seed):
    tokenizer = qwen_tokenizer()
    vision = CLIPVisionConfig(hidden_size=16, intermediate_size=20, num_hidden_layers=2, num_attention_heads=2,
                              image_size=30, patch_size=10, projection_dim=16)
    model = model_of(vision, text_config(tokenizer), tokenizer, seed, image_grid_pinpoints=[[60, 60]],
                     vision_feature_select_strategy="default", vision_aspect_ratio="anyres_max_2",
                     multimodal_projector_bias=False)
    pictures = LlavaOnevisionImageProcessorPil(size={"height": 30, "width": 30}, image_grid_pinpoints=[[60, 60]], resample=2)
    processor = processor_of(pictures, tokenizer, 9, "anyres_max_2")
    model.to(torch.bfloat16).save_pretrained(folder)
    save_processor(folder, processor)
    return LlavaOnevisionForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval(), processor


def make_hub_scaled(folder, seed):
    tokenizer = qwen_tokenizer()
    end = tokenizer.token_to_id("<|im_end|>")
    text = {"_name_or_path": "Qwen/Qwen2-0.5B-Instruct", "architectures": ["Qwen2ForCausalLM"], "bos_token_id": 0,
            "eos_token_id": end, "hidden_size": 24, "intermediate_size": 32, "max_window_layers": 24, "model_type": "qwen2",
            "num_attention_heads": 3, "num_hidden_layers": 2, "num_key_value_heads": 1, "rope_theta": 1000000.0,
            "sliding_window": None, "torch_dtype": "bfloat16", "vocab_size": 312}
    vision = {"hidden_size": 16, "image_size": 30, "intermediate_size": 20, "model_type": "siglip_vision_model",
              "num_attention_heads": 2, "num_hidden_layers": 3, "patch_size": 7, "vision_use_head": False}
    config = {"architectures": ["LlavaOnevisionForConditionalGeneration"], "ignore_index": -100,
              "image_grid_pinpoints": WIDE_PINPOINTS, "image_token_index": tokenizer.token_to_id("<image>"),
              "model_type": "llava_onevision", "projector_hidden_act": "gelu", "text_config": text,
              "tie_word_embeddings": False, "torch_dtype": "float16", "transformers_version": "4.45.0.dev0",
              "use_image_newline_parameter": True, "video_token_index": tokenizer.token_to_id("<video>"),
              "vision_aspect_ratio": "anyres_max_1", "vision_config": vision, "vision_feature_layer": -2,
              "vision_feature_select_strategy": "full"}
    write = family.write_json
    write(folder / "config.json", config)
    write(folder / "generation_config.json", {"_from_model_config": True, "bos_token_id": 0, "eos_token_id": end,
                                              "transformers_version": "4.45.0.dev0"})
    model = family.randomize(LlavaOnevisionForConditionalGeneration(LlavaOnevisionConfig.from_pretrained(folder)), seed)
    loaded = family.save_hub(folder, family.readable(model, tokenizer), family.HUB_NAMES, thirds=(1, 3))
    family.write_texts(folder, tokenizer, {"tokenizer_class": "Qwen2Tokenizer", "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>",
                                           "clean_up_tokenization_spaces": False}, TEMPLATE)
    write(folder / "processor_config.json", {"image_token": "<image>", "num_image_tokens": 16,
                                             "processor_class": "LlavaOnevisionProcessor", "video_token": "<video>",
                                             "vision_feature_select_strategy": "full"})
    write(folder / "preprocessor_config.json", {
        "do_convert_rgb": True, "do_normalize": True, "do_pad": True, "do_rescale": True, "do_resize": True,
        "image_grid_pinpoints": WIDE_PINPOINTS, "image_mean": [0.5, 0.5, 0.5],
        "image_processor_type": "LlavaOnevisionImageProcessor", "image_std": [0.5, 0.5, 0.5],
        "processor_class": "LlavaOnevisionProcessor", "resample": 3, "rescale_factor": 0.00392156862745098,
        "size": {"height": 30, "width": 30}})
    processor = processor_of(LlavaOnevisionImageProcessorPil.from_pretrained(folder), tokenizer, 16, "anyres_max_1")
    return loaded, processor


PICTURES = {"anyres": ["wide.png", "gray.png", "turned.jpg"], "hub_scaled": ["wide.png", "long.png", "tall.png", "alpha.png"],
            "clip": ["tall.png", "gray.png"]}


if __name__ == "__main__":
    family.make_all(HERE, [make_anyres, make_hub_scaled, make_clip],
                    lambda folder, made: idefics3.expect(folder, "llava_onevision", *made, PICTURES[folder.name]))
