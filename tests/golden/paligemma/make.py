#!/usr/bin/env python3
"""Makes the tiny random PaliGemma checkpoints of this folder and what transformers says about them.

    python tests/golden/paligemma/make.py [NAME]   (transformers 5.23, torch 2.13, tokenizers, safetensors, Pillow)

Uses the pictures of tests/golden/qwen2_vl. The processor passes token_type_ids: without them the reference is
bidirectional over the target too.
small     two key-value heads, heads wider than width / heads, fp32, as save_pretrained of transformers 5
hub_bf16  as the hub has paligemma-3b-pt-224: defaults left out of config.json, sharded bf16, names language_model.* and
          vision_tower.vision_model.*, one key-value head, an image token outside of the embeddings
gemma2    PaliGemma 2: soft caps that bend, a window of 7 tokens, which the prompt's block reaches beyond, fp32
hub_gemma2  the same as the hub has paligemma2-3b-mix-224, the first reply tokens at the window's edge
"""
import sys
from pathlib import Path

from transformers import (Gemma2Config, GemmaConfig, PaliGemmaConfig, PaliGemmaForConditionalGeneration, PaliGemmaProcessor,
                          PreTrainedTokenizerFast, SiglipVisionConfig)
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import family  # noqa: E402

IMAGE_SIZE, PATCH = 28, 7
TOKENS = (IMAGE_SIZE // PATCH) ** 2


def processor_of(tokenizer):
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<bos>", eos_token="<eos>", pad_token="<pad>",
                                   unk_token="<unk>", clean_up_tokenization_spaces=False)
    pictures = SiglipImageProcessorPil(size={"height": IMAGE_SIZE, "width": IMAGE_SIZE}, resample=3)
    pictures.image_seq_length = TOKENS
    return PaliGemmaProcessor(pictures, fast), pictures


def random_weights(config, seed, tokenizer):
    model = family.randomize(PaliGemmaForConditionalGeneration(config), seed)
    family.shift_norms(model, 0.5)
    model = family.readable(model, tokenizer)
    model.tie_weights()
    return model


def inputs_of(processor, picture, prompt):
    return processor(images=picture, text="<image>" + prompt, return_tensors="pt")


def expect(folder, model, processor, names, image_token):
    family.expect(folder, model, processor.tokenizer, lambda *case: inputs_of(processor, *case), names, image_token, 1,
                  names[:2])


def make_small(folder, seed):
    make_current(folder, seed, ["wide", "tall", "gray", "rgba", "turned"], GemmaConfig(
        hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=8,
        vocab_size=320, max_position_embeddings=256, rope_parameters={"rope_type": "default", "rope_theta": 500.0}))


def make_gemma2(folder, seed):
    make_current(folder, seed, ["wide", "tall", "rgba"], Gemma2Config(
        hidden_size=24, intermediate_size=40, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2, head_dim=8,
        vocab_size=320, max_position_embeddings=256, query_pre_attn_scalar=5, sliding_window=7, attn_logit_softcapping=3.0,
        final_logit_softcapping=4.0, rope_parameters={"rope_type": "default", "rope_theta": 500.0}))


def make_current(folder, seed, names, text):
    """As save_pretrained of transformers 5 writes it."""
    tokenizer = family.gemma_tokenizer(320, ["<image>"])
    tokenizer.save(str(folder / "tokenizer.json"))  # before the processor adds its 1152 tokens for places
    image_token = tokenizer.token_to_id("<image>")
    vision = SiglipVisionConfig(hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=3,
                                image_size=IMAGE_SIZE, patch_size=PATCH, vision_use_head=False)
    config = PaliGemmaConfig(vision_config=vision, text_config=text, image_token_index=image_token, projection_dim=24,
                             hidden_size=24, vocab_size=320)
    model = random_weights(config, seed, tokenizer)
    model.save_pretrained(folder)
    processor, pictures = processor_of(tokenizer)
    family.write_json(folder / "processor_config.json", {"image_processor": pictures.to_dict(),
                                                         "processor_class": "PaliGemmaProcessor"})
    family.write_json(folder / "tokenizer_config.json", {"bos_token": "<bos>", "eos_token": "<eos>",
                                                         "tokenizer_class": "TokenizersBackend"})
    expect(folder, model, processor, names, image_token)


def make_hub_bf16(folder, seed):
    make_hub(folder, seed, {"model_type": "gemma", "head_dim": 16, "num_attention_heads": 2, "num_hidden_layers": 2,
                            "num_key_value_heads": 1})


def make_hub_gemma2(folder, seed):
    make_hub(folder, seed, {"model_type": "gemma2", "head_dim": 12, "num_attention_heads": 4, "num_hidden_layers": 3,
                            "num_key_value_heads": 2, "query_pre_attn_scalar": 9, "sliding_window": 40,
                            "hidden_activation": "gelu_pytorch_tanh", "attn_logit_softcapping": 5.0})


def make_hub(folder, seed, decoder):
    tokenizer = family.gemma_tokenizer(320, ["<image>"])
    tokenizer.save(str(folder / "tokenizer.json"))
    image_token = tokenizer.token_to_id("<image>")
    family.write_json(folder / "config.json", {
        "architectures": ["PaliGemmaForConditionalGeneration"], "bos_token_id": 2, "eos_token_id": 1, "hidden_size": 16,
        "ignore_index": -100, "image_token_index": image_token, "model_type": "paligemma", "pad_token_id": 0,
        "projection_dim": 16,
        "text_config": {"hidden_size": 16, "intermediate_size": 24, "num_image_tokens": TOKENS, "torch_dtype": "float32",
                        "vocab_size": image_token, **decoder},
        "torch_dtype": "bfloat16", "transformers_version": "4.41.0.dev0",
        "vision_config": {"hidden_size": 16, "image_size": IMAGE_SIZE, "intermediate_size": 24,
                          "model_type": "siglip_vision_model", "num_attention_heads": 2, "num_hidden_layers": 1,
                          "num_image_tokens": TOKENS, "patch_size": PATCH, "projection_dim": 16,
                          "projector_hidden_act": "gelu_fast", "vision_use_head": False}})
    family.write_json(folder / "generation_config.json", {"_from_model_config": True, "bos_token_id": 2,
                                                          "eos_token_id": 1, "pad_token_id": 0})
    family.write_json(folder / "preprocessor_config.json", {
        "do_convert_rgb": None, "do_normalize": True, "do_rescale": True, "do_resize": True,
        "image_mean": [0.5, 0.5, 0.5], "image_processor_type": "SiglipImageProcessor", "image_seq_length": TOKENS,
        "image_std": [0.5, 0.5, 0.5], "processor_class": "PaliGemmaProcessor", "resample": 3,
        "rescale_factor": 0.00392156862745098, "size": {"height": IMAGE_SIZE, "width": IMAGE_SIZE}})
    family.write_json(folder / "tokenizer_config.json", {
        "add_bos_token": True, "add_eos_token": False, "tokenizer_class": "GemmaTokenizer",
        "bos_token": {"__type": "AddedToken", "content": "<bos>", "lstrip": False, "normalized": False, "rstrip": False,
                      "single_word": False, "special": True}, "eos_token": "<eos>"})
    loaded = family.save_hub(folder, random_weights(PaliGemmaConfig.from_pretrained(folder), seed, tokenizer), family.HUB_NAMES, tied=True)
    expect(folder, loaded, processor_of(tokenizer)[0], ["gray", "turned"], image_token)


if __name__ == "__main__":
    family.make_all(HERE, [make_small, make_hub_bf16, make_gemma2, make_hub_gemma2])
