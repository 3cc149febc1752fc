#!/usr/bin/env python3
"""Makes the tiny random InternVL checkpoints of this folder and what transformers says about them.

    python tests/golden/internvl/make.py     (transformers 5.23, torch 2.13, tokenizers, safetensors, Pillow)

small     as InternVL3: InternViT 300M (layer norm, biased queries), Qwen2, up to 6 tiles and a view of the whole, fp32, as
          save_pretrained of transformers 5
six       as InternVL3-38B: InternViT 6B (RMS norm, norm of queries and keys, no bias), feature layer -2, Llama (InternLM2),
          bf16, dynamic rope, pixel shuffle by 4
hub_bf16  as the hub has InternVL3-1B-hf: sharded bf16, older names, defaults left out, own head, crop_to_patches false in
          preprocessor_config.json (the processor says true), chat template as JSON, mean pooling off: a norm after the tower
"""
import sys
from pathlib import Path

import torch
from transformers import (InternVLConfig, InternVLForConditionalGeneration, InternVLProcessor, InternVLVisionConfig, LlamaConfig,
                          PreTrainedTokenizerFast, Qwen2Config)
from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import family  # noqa: E402

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<img>", "</img>", "<IMG_CONTEXT>", "<video>"]
NAMED = {"start_image_token": "<img>", "end_image_token": "</img>", "context_image_token": "<IMG_CONTEXT>", "video_token": "<video>"}
TEMPLATE = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n'}}{% if message['content'] is string %}"
    "{{ message['content'] }}{% else %}{% for content in message['content'] %}{% if content['type'] == 'image' %}"
    "{{ '<IMG_CONTEXT>\n' }}{% elif content['type'] == 'video' %}{{ '<video>\n' }}{% elif content['type'] == 'text' %}"
    "{{ content['text'] }}{% endif %}{% endfor %}{% endif %}{{'<|im_end|>\n'}}{% endfor %}{% if add_generation_prompt %}"
    "{{'<|im_start|>assistant\n' }}{% endif %}")
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
# a video processor would need torchvision
InternVLProcessor.check_argument_for_proper_class = lambda *arguments: None


def tokenizer_of(size):
    tokenizer = family.bytelevel_tokenizer(size, SPECIAL)
    return tokenizer, PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>",
                                              extra_special_tokens=NAMED, clean_up_tokenization_spaces=False)


def random_weights(config, seed, tokenizer):
    """The parts of a block count alike: layer scales around a half."""
    model = family.randomize(InternVLForConditionalGeneration(config), seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lambda_" in name:
                weight.copy_(0.5 + 0.2 * torch.randn(weight.shape, generator=generator))
            if name.endswith(("cls_token", "position_embeddings")):
                weight.copy_(0.5 * torch.randn(weight.shape, generator=generator))
    model = family.readable(model, tokenizer)
    model.tie_weights()
    return model


def inputs_of(processor, picture, prompt):
    text = processor.tokenizer.apply_chat_template(family.messages(prompt), chat_template=TEMPLATE, add_generation_prompt=True,
                                                   tokenize=False)
    return dict(processor(images=picture, text=text, return_tensors="pt"))


def processor_of(pictures, fast, tokens):
    return InternVLProcessor(pictures, fast, None, image_seq_length=tokens, chat_template=TEMPLATE)


def make_small(folder, seed):
    tokenizer, fast = tokenizer_of(300)
    stop = tokenizer.token_to_id("<|im_end|>")
    vision = InternVLVisionConfig(hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, attention_bias=True,
                                  image_size=[24, 24], patch_size=[4, 4])
    text = Qwen2Config(hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
                       vocab_size=304, max_position_embeddings=512, bos_token_id=None, eos_token_id=stop)
    config = InternVLConfig(vision_config=vision, text_config=text, image_token_id=tokenizer.token_to_id("<IMG_CONTEXT>"),
                            image_seq_length=9)
    model = random_weights(config, seed, tokenizer)
    model.save_pretrained(folder)
    fast.save_pretrained(folder)
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    pictures = GotOcr2ImageProcessorPil(size={"height": 24, "width": 24}, image_mean=MEAN, image_std=STD, max_patches=6,
                                        crop_to_patches=True)
    family.write_json(folder / "processor_config.json", {"image_processor": pictures.to_dict(), "image_seq_length": 9,
                                                         "processor_class": "InternVLProcessor"})
    processor = processor_of(pictures, fast, 9)
    family.expect(folder, model, fast, lambda *case: inputs_of(processor, *case), ["wide", "tall", "gray", "rgba", "turned"],
                  config.image_token_id, stop, ["wide", "gray"],
                  dialog=(family.DIALOG, lambda picture: inputs_of(processor, picture, family.DIALOG)))


def make_six(folder, seed):
    tokenizer, fast = tokenizer_of(300)
    stop = tokenizer.token_to_id("<|im_end|>")
    vision = InternVLVisionConfig(hidden_size=24, intermediate_size=20, num_hidden_layers=3, num_attention_heads=3, use_qk_norm=True,
                                  norm_type="rms_norm", image_size=32, patch_size=4, layer_norm_eps=1e-5)
    text = LlamaConfig(hidden_size=24, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
                       vocab_size=304, max_position_embeddings=512, bos_token_id=None, eos_token_id=stop, rms_norm_eps=1e-5,
                       rope_parameters={"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e6})
    config = InternVLConfig(vision_config=vision, text_config=text, image_token_id=tokenizer.token_to_id("<IMG_CONTEXT>"),
                            image_seq_length=4, downsample_ratio=0.25, vision_feature_layer=-2, tie_word_embeddings=False,
                            projector_hidden_act="gelu_pytorch_tanh")
    random_weights(config, seed, tokenizer).to(torch.bfloat16).save_pretrained(folder)
    model = InternVLForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    fast.save_pretrained(folder)
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    pictures = GotOcr2ImageProcessorPil(size={"height": 32, "width": 32}, min_patches=2, max_patches=4, resample=2)
    family.write_json(folder / "processor_config.json", {"image_processor": pictures.to_dict(), "image_seq_length": 4,
                                                         "processor_class": "InternVLProcessor"})
    processor = processor_of(pictures, fast, 4)
    family.expect(folder, model, fast, lambda *case: inputs_of(processor, *case), ["tall", "gray"], config.image_token_id, stop,
                  ["tall", "gray"], dialog=(family.DIALOG, lambda picture: inputs_of(processor, picture, family.DIALOG)))


def make_hub_bf16(folder, seed):
    tokenizer, fast = tokenizer_of(292)
    stop = tokenizer.token_to_id("<|im_end|>")
    family.write_json(folder / "config.json", {
        "architectures": ["InternVLForConditionalGeneration"], "downsample_ratio": 0.5, "image_seq_length": 9,
        "image_token_id": tokenizer.token_to_id("<IMG_CONTEXT>"), "model_type": "internvl", "projector_hidden_act": "gelu",
        "text_config": {
            "architectures": ["Qwen2ForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 0, "eos_token_id": stop,
            "hidden_act": "silu", "hidden_size": 24, "initializer_range": 0.02, "intermediate_size": 32, "max_window_layers": 70,
            "model_type": "qwen2", "num_attention_heads": 2, "num_hidden_layers": 2, "num_key_value_heads": 1,
            "rms_norm_eps": 1e-06, "rope_scaling": {"factor": 2.0, "rope_type": "dynamic", "type": "dynamic"},
            "rope_theta": 1000000.0, "sliding_window": None, "torch_dtype": "bfloat16", "use_cache": True,
            "use_sliding_window": False, "vocab_size": 296},
        "tie_word_embeddings": False, "torch_dtype": "bfloat16", "transformers_version": "4.52.0.dev0",
        "vision_config": {
            "architectures": ["InternVisionModel"], "attention_bias": True, "attention_dropout": 0.0, "dropout": 0.0,
            "hidden_act": "gelu", "hidden_dropout_prob": 0.0, "hidden_size": 16, "image_size": [24, 24], "initializer_factor": 0.1,
            "initializer_range": 1e-10, "intermediate_size": 20, "layer_norm_eps": 1e-06, "layer_scale_init_value": 0.1,
            "model_type": "internvl_vision", "norm_type": "layer_norm", "num_attention_heads": 2, "num_channels": 3,
            "num_hidden_layers": 2, "patch_size": [4, 4], "projection_dropout": 0.0, "torch_dtype": "bfloat16",
            "use_absolute_position_embeddings": True, "use_mask_token": False, "use_mean_pooling": False, "use_qk_norm": False},
        "vision_feature_layer": -1, "vision_feature_select_strategy": "default"})
    family.write_json(folder / "generation_config.json", {"_from_model_config": True, "bos_token_id": 0, "eos_token_id": stop,
                                                          "transformers_version": "4.52.0.dev0"})
    family.write_json(folder / "preprocessor_config.json", {
        "crop_size": None, "crop_to_patches": False, "data_format": "channels_first", "default_to_square": True, "device": None,
        "do_center_crop": None, "do_convert_rgb": True, "do_normalize": True, "do_rescale": True, "do_resize": True,
        "image_mean": MEAN, "image_std": STD, "image_processor_type": "GotOcr2ImageProcessorFast", "input_data_format": None,
        "max_patches": 12, "min_patches": 1, "processor_class": "InternVLProcessor", "resample": 3,
        "rescale_factor": 0.00392156862745098, "return_tensors": None, "size": {"height": 24, "width": 24}})
    family.write_json(folder / "processor_config.json", {"image_seq_length": 9, "processor_class": "InternVLProcessor"})
    family.write_texts(folder, tokenizer, {**family.QWEN2_TOKENS, "extra_special_tokens": NAMED, **NAMED}, TEMPLATE)
    loaded = family.save_hub(folder, random_weights(InternVLConfig.from_pretrained(folder), seed, tokenizer), family.PLAIN_NAMES)
    processor = processor_of(GotOcr2ImageProcessorPil.from_pretrained(folder), fast, 9)
    family.expect(folder, loaded, fast, lambda *case: inputs_of(processor, *case), ["wide", "turned"], loaded.config.image_token_id,
                  stop, ["turned"], dialog=(family.DIALOG, lambda picture: inputs_of(processor, picture, family.DIALOG)))


if __name__ == "__main__":
    family.make_all(HERE, [make_small, make_six, make_hub_bf16])
