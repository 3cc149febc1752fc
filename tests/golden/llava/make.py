#!/usr/bin/env python3
"""Makes the tiny random LLaVA checkpoints of this folder and what transformers says about them.

    python tests/golden/llava/make.py [NAME]   (transformers 5.23, torch 2.13, tokenizers, safetensors, Pillow)

clip_gqa  CLIP tower, feature layer -1, Llama with grouped-query attention, fp32, as save_pretrained of transformers 5
hub_bf16  CLIP tower, feature layer -2, as the hub has llava-1.5: sharded bf16, old tensor names, defaults left out of
          config.json, two preprocessor files, chat template as JSON
siglip    SigLIP tower, strategy "full", byte-level tokenizer, tied head, bf16, transformers 5 names
lists     three feature layers side by side, rope of type llama3, bf16
Every folder gets expected.json (texts, ids, losses, replies) and expected.safetensors (numbers, computed in fp32).
"""
import json
import sys
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import save_file
from transformers import (CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor,
                          PreTrainedTokenizerFast, SiglipVisionConfig)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import family  # noqa: E402

TEMPLATE = (
    "{% for message in messages %}{% if message['role'] != 'system' %}{{ message['role'].upper() + ': '}}{% endif %}"
    "{# Render all images first #}{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}"
    "{{ '<image>\n' }}{% endfor %}{# Render all text next #}{% if message['role'] != 'assistant' %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ content['text'] + ' '}}"
    "{% endfor %}{% else %}{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}"
    "{% generation %}{{ content['text'] + ' '}}{% endgeneration %}{% endfor %}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}")
LLAMA_TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}


def images():
    """Small pictures with edges and noise: wide and tall color PNG, gray PNG."""
    generator = torch.Generator().manual_seed(5)
    made = {}
    for name, (height, width) in {"wide": (37, 61), "tall": (45, 30), "gray": (28, 33)}.items():
        y = torch.linspace(0, 1, height).view(-1, 1, 1)
        x = torch.linspace(0, 1, width).view(1, -1, 1)
        phase = torch.tensor([0.0, 2.1, 4.2])
        color = 0.5 + 0.4 * torch.sin(9 * x + 5 * y + phase) * torch.cos(4 * y - 3 * x * x)
        color = torch.where(((x - 0.6) ** 2 + (y - 0.4) ** 2 < 0.05), 1 - color, color)
        color = (color + 0.08 * torch.randn(height, width, 3, generator=generator)).clamp(0, 1)
        picture = Image.fromarray((color * 255).round().to(torch.uint8).numpy())
        made[name] = picture.convert("L") if name == "gray" else picture
    (HERE / "images").mkdir(exist_ok=True)
    for name, picture in made.items():
        picture.save(HERE / "images" / f"{name}.png", optimize=True)


def model_of(vision, text, tokenizer, seed, **options):
    config = LlavaConfig(vision_config=vision, text_config=text, **options)
    return family.readable(family.randomize(LlavaForConditionalGeneration(config), seed), tokenizer)


def make_clip_gqa(folder, seed):
    tokenizer = family.llama_tokenizer(310)
    image_id = tokenizer.token_to_id("<image>")
    vision = CLIPVisionConfig(hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2,
                              image_size=28, patch_size=7, projection_dim=16)
    text = LlamaConfig(hidden_size=24, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4,
                       num_key_value_heads=2, vocab_size=312, max_position_embeddings=256, rms_norm_eps=1e-5,
                       rope_parameters={"rope_type": "default", "rope_theta": 500.0}, bos_token_id=1, eos_token_id=2)
    model = model_of(vision, text, tokenizer, seed, image_token_index=image_id, vision_feature_layer=-1, image_seq_length=16)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>",
                                   pad_token="<pad>", clean_up_tokenization_spaces=False)
    pictures = CLIPImageProcessorPil(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28})
    processor = LlavaProcessor(pictures, fast, patch_size=7, vision_feature_select_strategy="default",
                               chat_template=TEMPLATE, num_additional_image_tokens=1)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return model, processor


def make_siglip(folder, seed):
    tokenizer = family.digits_tokenizer(300)
    vision = SiglipVisionConfig(hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=3,
                                image_size=28, patch_size=7, vision_use_head=False)
    text = LlamaConfig(hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=3, head_dim=12,
                       num_key_value_heads=1, vocab_size=304, max_position_embeddings=256, bos_token_id=0,
                       eos_token_id=1, tie_word_embeddings=True)
    model = model_of(vision, text, tokenizer, seed, image_token_index=tokenizer.token_to_id("<image>"), vision_feature_layer=-1,
                     vision_feature_select_strategy="full", projector_hidden_act="gelu_pytorch_tanh",
                     image_seq_length=16, tie_word_embeddings=True)
    model.tie_weights()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>",
                                   clean_up_tokenization_spaces=False)
    pictures = SiglipImageProcessorPil(size={"height": 28, "width": 28}, resample=3)
    processor = LlavaProcessor(pictures, fast, patch_size=7, vision_feature_select_strategy="full",
                               chat_template=TEMPLATE, num_additional_image_tokens=0)
    model.to(torch.bfloat16).save_pretrained(folder)
    processor.save_pretrained(folder)
    return LlavaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval(), processor


def make_lists(folder, seed):
    tokenizer = family.llama_tokenizer(306)
    vision = CLIPVisionConfig(hidden_size=16, intermediate_size=24, num_hidden_layers=3, num_attention_heads=2,
                              image_size=28, patch_size=7, projection_dim=16, hidden_act="gelu")
    rope = {"rope_type": "llama3", "rope_theta": 500.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 32}
    text = LlamaConfig(hidden_size=24, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, vocab_size=308,
                       max_position_embeddings=256, rope_parameters=rope, bos_token_id=1, eos_token_id=2)
    model = model_of(vision, text, tokenizer, seed, image_token_index=tokenizer.token_to_id("<image>"),
                     vision_feature_layer=[-2, 1, -1], image_seq_length=16)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>",
                                   pad_token="<pad>", clean_up_tokenization_spaces=False)
    pictures = CLIPImageProcessorPil(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28})
    processor = LlavaProcessor(pictures, fast, patch_size=7, vision_feature_select_strategy="default",
                               chat_template=TEMPLATE, num_additional_image_tokens=1)
    model.to(torch.bfloat16).save_pretrained(folder)
    processor.save_pretrained(folder)
    return LlavaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval(), processor


def make_hub_bf16(folder, seed):
    text = {"_name_or_path": "lmsys/vicuna-7b-v1.5", "architectures": ["LlamaForCausalLM"], "model_type": "llama",
            "hidden_size": 24, "intermediate_size": 32, "num_attention_heads": 4, "num_hidden_layers": 2,
            "max_position_embeddings": 4096, "rms_norm_eps": 1e-05, "torch_dtype": "bfloat16", "vocab_size": 312}
    return make_hub(folder, seed, family.llama_tokenizer(310), text, TEMPLATE, LLAMA_TOKENS)


def make_hub(folder, seed, tokenizer, text, template, tokens, tied=False, prepare=lambda model: None):
    image_id, pad_id = tokenizer.token_to_id("<image>"), tokenizer.token_to_id("<pad>")
    begin, end = tokenizer.token_to_id(tokens["bos_token"]), tokenizer.token_to_id(tokens["eos_token"])
    vision = {"model_type": "clip_vision_model", "hidden_size": 16, "image_size": 28, "intermediate_size": 24,
              "num_attention_heads": 2, "num_hidden_layers": 3, "patch_size": 7, "projection_dim": 16,
              "vocab_size": 320}
    config = {"architectures": ["LlavaForConditionalGeneration"], "ignore_index": -100,
              "image_token_index": image_id, "model_type": "llava", "pad_token_id": pad_id,
              "projector_hidden_act": "gelu", "text_config": text, "tie_word_embeddings": False,
              "torch_dtype": "bfloat16", "transformers_version": "4.36.0.dev0", "vision_config": vision,
              "vision_feature_layer": -2, "vision_feature_select_strategy": "default"}
    family.write_json(folder / "config.json", config)
    family.write_json(folder / "generation_config.json", {"_from_model_config": True, "bos_token_id": begin, "eos_token_id": end,
                                                          "pad_token_id": pad_id, "transformers_version": "4.36.0.dev0"})
    model = family.randomize(LlavaForConditionalGeneration(LlavaConfig.from_pretrained(folder)), seed)
    prepare(model)
    loaded = family.save_hub(folder, family.readable(model, tokenizer), family.HUB_NAMES, tied)
    kind = {"tokenizer_class": text["model_type"].capitalize() + "Tokenizer"}
    family.write_texts(folder, tokenizer, {**kind, **tokens, "clean_up_tokenization_spaces": False, "legacy": False}, template)
    family.write_json(folder / "processor_config.json", {"image_token": "<image>", "num_additional_image_tokens": 1,
                                                         "patch_size": 7, "processor_class": "LlavaProcessor",
                                                         "vision_feature_select_strategy": "default"})
    family.write_json(folder / "preprocessor_config.json", {
        "crop_size": {"height": 28, "width": 28}, "do_center_crop": True, "do_convert_rgb": True,
        "do_normalize": True, "do_rescale": True, "do_resize": True,
        "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_processor_type": "CLIPImageProcessor",
        "image_std": [0.26862954, 0.26130258, 0.27577711], "processor_class": "LlavaProcessor", "resample": 3,
        "rescale_factor": 0.00392156862745098, "size": {"shortest_edge": 28}})
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, clean_up_tokenization_spaces=False, **tokens)
    pictures = CLIPImageProcessorPil.from_pretrained(folder)
    processor = LlavaProcessor(pictures, fast, patch_size=7, vision_feature_select_strategy="default",
                               chat_template=template, num_additional_image_tokens=1)
    return loaded, processor


def conversation(prompt):
    return [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": prompt}]}]


def inputs_of(processor, picture, messages):
    text = processor.apply_chat_template(messages, add_generation_prompt=True)
    return processor(images=picture, text=text, return_tensors="pt")


def logits_at(model, inputs, pixels, target):
    ids = torch.cat([inputs["input_ids"], target.unsqueeze(0)], dim=1)
    logits = model(input_ids=ids, pixel_values=pixels, attention_mask=torch.ones_like(ids)).logits.float()
    return logits[0, -len(target) - 1:-1]


def expect(folder, model, processor, pictures):
    model.requires_grad_(False)
    tensors, cases = {}, []
    for picture_name in pictures:
        picture = Image.open(HERE / "images" / f"{picture_name}.png").convert("RGB")
        joint = None
        for index, (prompt, target_text) in enumerate(zip(family.PROMPTS, family.TARGETS)):
            inputs = inputs_of(processor, picture, conversation(prompt))
            target = torch.tensor(processor.tokenizer.encode(target_text, add_special_tokens=False))
            pixels = inputs["pixel_values"].float().requires_grad_()
            logits = logits_at(model, inputs, pixels, target)
            loss = torch.nn.functional.cross_entropy(logits, target)
            gradient, = torch.autograd.grad(loss, pixels)
            reply_ids, reply, margin = family.reply_of(model, processor.tokenizer, inputs, model.generation_config.eos_token_id,
                                                        model.config.image_token_index, 16)
            key = f"{picture_name}.{index}"
            tensors[f"{picture_name}.pixel_values"] = pixels.detach()
            if index == 0 or picture_name == pictures[0]:
                tensors[f"{key}.target_logits"] = logits.detach().contiguous()
            if index == 0:
                tensors[f"{key}.pixel_gradient"] = gradient
            joint = gradient if joint is None else joint + gradient
            cases.append({"key": key, "image": f"images/{picture_name}.png", "prompt": prompt, "target": target_text,
                          "input_ids": inputs["input_ids"][0].tolist(), "target_ids": target.tolist(),
                          "loss": loss.item(), "reply_ids": reply_ids, "reply": reply})
            print(f"{folder.name} {key}: loss {loss.item():.3f} margin {margin:.4f} {reply!r}")
        if picture_name == pictures[0]:
            tensors[f"{picture_name}.batch_gradient"] = joint  # of the sum of the contexts' mean losses
    dialog = [{"role": "system", "content": [{"type": "text", "text": "You are kind."}]}, *conversation("Who?")]
    picture = Image.open(HERE / "images" / f"{pictures[0]}.png").convert("RGB")
    system_ids = inputs_of(processor, picture, dialog)["input_ids"][0].tolist()
    system = {"system": "You are kind.", "prompt": "Who?", "input_ids": system_ids}
    text = json.dumps({"family": "llava", "cases": cases, "system": system}, ensure_ascii=False)
    (folder / "expected.json").write_text(text + "\n", encoding="utf-8")
    save_file(tensors, folder / "expected.safetensors")


PICTURES = {"clip_gqa": ["wide", "tall", "gray"], "hub_bf16": ["wide", "gray"], "siglip": ["wide"], "lists": ["gray"],
            "gemma2": ["wide", "tall"], "hub_gemma": ["gray"]}


def finish(folder, made):
    expect(folder, *made, PICTURES[folder.name])


if __name__ == "__main__":
    images()
    family.make_all(HERE, [make_clip_gqa, make_hub_bf16, make_siglip, make_lists], finish)
