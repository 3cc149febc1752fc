#!/usr/bin/env python3
"""Makes the tiny random Mistral 3 checkpoints of this folder and what transformers says about them.

    python tests/golden/mistral3/make.py [NAME]   (transformers 5.23, torch 2.13, tokenizers, safetensors, Pillow)

Uses the pictures of tests/golden/qwen2_vl.
small     photos that shrink and photos that only grow to whole tiles, a window of 19 tokens, heads wider than width / heads,
          fp32, as save_pretrained of transformers 5 writes it
hub_bf16  as Mistral-Small-3.1 lies on the hub: defaults left out of config.json, sharded bf16, names language_model.model.*,
          a system text of its own in the template, so that text stands before the image
"""
import sys
from pathlib import Path

import torch
from transformers import Mistral3Config, Mistral3ForConditionalGeneration, MistralConfig, PixtralVisionConfig

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[2] / "samples")]
import compare_with_transformers as compare  # noqa: E402
import family  # noqa: E402

SPECIAL = ["<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[IMG]", "[IMG_BREAK]", "[IMG_END]",
           "<pad>"]
TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
TEMPLATE = (
    "{%- set default_system = DEFAULT %}{{- bos_token }}{%- if messages[0]['role'] == 'system' %}"
    "{%- if messages[0]['content'] is string %}{%- set system = messages[0]['content'] %}"
    "{%- else %}{%- set system = messages[0]['content'][0]['text'] %}{%- endif %}{%- set rest = messages[1:] %}"
    "{%- else %}{%- set system = default_system %}{%- set rest = messages %}{%- endif %}"
    "{%- if system %}{{- '[SYSTEM_PROMPT]' + system + '[/SYSTEM_PROMPT]' }}{%- endif %}"
    "{%- for message in rest %}{%- if message['role'] == 'user' %}{%- if message['content'] is string %}"
    "{{- '[INST]' + message['content'] + '[/INST]' }}{%- else %}{{- '[INST]' }}{%- for block in message['content'] %}"
    "{%- if block['type'] == 'text' %}{{- block['text'] }}{%- elif block['type'] in ['image', 'image_url'] %}{{- '[IMG]' }}"
    "{%- else %}{{- raise_exception('Only text and image blocks are supported in message content!') }}{%- endif %}{%- endfor %}"
    "{{- '[/INST]' }}{%- endif %}{%- elif message['role'] == 'assistant' %}{%- if message['content'] is string %}"
    "{{- message['content'] + eos_token }}{%- else %}{{- message['content'][0]['text'] + eos_token }}{%- endif %}{%- endif %}"
    "{%- endfor %}")


def template(system):
    return TEMPLATE.replace("DEFAULT", repr(system))


def settings(longest, **options):
    return {"do_convert_rgb": True, "do_normalize": True, "do_rescale": True, "do_resize": True,
            "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_processor_type": "PixtralImageProcessor",
            "image_std": [0.26862954, 0.26130258, 0.27577711], "patch_size": 14, "resample": 3,
            "rescale_factor": 0.00392156862745098, "size": {"longest_edge": longest}, **options}


def processor_of(patch, merge):
    return {"image_break_token": "[IMG_BREAK]", "image_end_token": "[IMG_END]", "image_token": "[IMG]", "patch_size": patch,
            "processor_class": "PixtralProcessor", "spatial_merge_size": merge}


def tokenizer_of(size):
    return family.bytelevel_tokenizer(size, SPECIAL)


def random_weights(config, seed, tokenizer):
    model = family.readable(family.randomize(Mistral3ForConditionalGeneration(config), seed), tokenizer)
    model.tie_weights()
    return model


def expect(folder, names):
    model, processor = compare.load(folder)
    inputs_of = lambda picture, prompt: compare.inputs_of(model, processor, picture, {"prompt": prompt})  # noqa: E731
    dialog = {"system": "You are kind.", "earlier": [{"user": "Who?", "assistant": "A cat."}], "prompt": "Sure?"}
    family.expect(folder, model, processor.tokenizer, inputs_of, names, model.config.image_token_id,
                  model.generation_config.eos_token_id, names[:2],
                  dialog=(dialog, lambda picture: compare.inputs_of(model, processor, picture, dialog)))


def make_small(folder, seed):
    tokenizer = tokenizer_of(320)
    tokenizer.save(str(folder / "tokenizer.json"))
    vision = PixtralVisionConfig(hidden_size=24, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, patch_size=5,
                                 image_size=40, hidden_act="silu", rope_parameters={"rope_type": "axial", "rope_theta": 100.0})
    text = MistralConfig(hidden_size=24, intermediate_size=32, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
                         head_dim=10, vocab_size=324, max_position_embeddings=512, sliding_window=19, rms_norm_eps=1e-5,
                         eos_token_id=tokenizer.token_to_id("</s>"), bos_token_id=tokenizer.token_to_id("<s>"))
    config = Mistral3Config(vision_config=vision, text_config=text, image_token_index=tokenizer.token_to_id("[IMG]"),
                            spatial_merge_size=2, vision_feature_layer=-1, multimodal_projector_bias=True)
    random_weights(config, seed, tokenizer).save_pretrained(folder)
    family.write_json(folder / "processor_config.json", {**processor_of(5, 2), "image_processor": settings(45)})
    family.write_json(folder / "tokenizer_config.json", {"tokenizer_class": "TokenizersBackend", **TOKENS})
    (folder / "chat_template.jinja").write_text(template(""), encoding="utf-8")
    expect(folder, ["wide", "tall", "gray", "rgba", "turned"])


def hub_name(name):
    for new, old in (("model.vision_tower.", "vision_tower."), ("lm_head.", "language_model.lm_head."),
                     ("model.language_model.", "language_model.model."), ("model.multi_modal_projector.", "multi_modal_projector.")):
        if name.startswith(new):
            return old + name[len(new):]
    raise ValueError(name)


def make_hub_bf16(folder, seed):
    tokenizer = tokenizer_of(320)
    tokenizer.save(str(folder / "tokenizer.json"))
    end = tokenizer.token_to_id("</s>")
    family.write_json(folder / "config.json", {
        "architectures": ["Mistral3ForConditionalGeneration"], "image_token_index": tokenizer.token_to_id("[IMG]"),
        "model_type": "mistral3", "multimodal_projector_bias": False, "projector_hidden_act": "gelu", "spatial_merge_size": 2,
        "text_config": {"attention_dropout": 0.0, "head_dim": 8, "hidden_act": "silu", "hidden_size": 16, "initializer_range": 0.02,
                        "intermediate_size": 24, "max_position_embeddings": 512, "model_type": "mistral", "num_attention_heads": 4,
                        "num_hidden_layers": 2, "num_key_value_heads": 2, "rms_norm_eps": 1e-05, "rope_theta": 1000000000.0,
                        "sliding_window": None, "use_cache": True, "vocab_size": 320},
        "torch_dtype": "bfloat16", "transformers_version": "4.50.0.dev0",
        "vision_config": {"attention_dropout": 0.0, "head_dim": 8, "hidden_act": "gelu", "hidden_size": 16, "image_size": 56,
                          "initializer_range": 0.02, "intermediate_size": 24, "model_type": "pixtral", "num_attention_heads": 2,
                          "num_channels": 3, "num_hidden_layers": 2, "patch_size": 7, "rope_theta": 10000.0},
        "tie_word_embeddings": False, "vision_feature_layer": -1})
    family.write_json(folder / "generation_config.json", {"_from_model_config": True, "bos_token_id": tokenizer.token_to_id("<s>"),
                                                          "eos_token_id": end, "transformers_version": "4.50.0.dev0"})
    family.write_json(folder / "preprocessor_config.json", {**settings(56), "processor_class": "PixtralProcessor"})
    family.write_json(folder / "processor_config.json", processor_of(7, 2))
    family.write_json(folder / "chat_template.json", {"chat_template": template("You are the cat. Say it.")})
    family.write_json(folder / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast", **TOKENS})
    model = random_weights(Mistral3Config.from_pretrained(folder), seed, tokenizer).to(torch.bfloat16)
    tensors = {hub_name(name): value for name, value in model.state_dict().items()}
    family.save_sharded(tensors, folder)
    loaded = Mistral3ForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    for name, value in loaded.state_dict().items():
        assert torch.equal(value, tensors[hub_name(name)].float()), name
    expect(folder, ["gray", "turned"])


if __name__ == "__main__":
    wanted = sys.argv[1:]
    family.make_all(HERE, [make for make in (make_small, make_hub_bf16)
                           if not wanted or make.__name__.removeprefix("make_") in wanted])
