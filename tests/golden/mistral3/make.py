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

from transformers import Mistral3Config, Mistral3ForConditionalGeneration, MistralConfig, PixtralVisionConfig

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
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


def make_small(folder, seed):
    tokenizer = tokenizer_of(320)
    vision = PixtralVisionConfig(hidden_size=24, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, patch_size=5,
                                 image_size=40, hidden_act="silu", rope_parameters={"rope_type": "axial", "rope_theta": 100.0})
    text = MistralConfig(hidden_size=24, intermediate_size=32, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
                         head_dim=10, vocab_size=324, max_position_embeddings=512, sliding_window=19, rms_norm_eps=1e-5,
                         eos_token_id=tokenizer.token_to_id("</s>"), bos_token_id=tokenizer.token_to_id("<s>"))
    config = Mistral3Config(vision_config=vision, text_config=text, image_token_index=tokenizer.token_to_id("[IMG]"),
                            spatial_merge_size=2, vision_feature_layer=-1, multimodal_projector_bias=True)
    random_weights(config, seed, tokenizer).save_pretrained(folder)
    family.write_json(folder / "processor_config.json", {**processor_of(5, 2), "image_processor": settings(45)})
    family.write_texts(folder, tokenizer, {"tokenizer_class": "TokenizersBackend", **TOKENS}, template(""), jinja=True)
    family.expect_folder(folder, ["wide", "tall", "gray", "rgba", "turned"])


def make_hub_bf16(folder, seed):
    tokenizer = tokenizer_of(320)
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
    family.write_texts(folder, tokenizer, {"tokenizer_class": "PreTrainedTokenizerFast", **TOKENS}, template("You are the cat. Say it."))
    family.save_hub(folder, random_weights(Mistral3Config.from_pretrained(folder), seed, tokenizer), family.PLAIN_NAMES)
    family.expect_folder(folder, ["gray", "turned"])


if __name__ == "__main__":
    family.make_all(HERE, [make_small, make_hub_bf16])
