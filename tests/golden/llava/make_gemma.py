#!/usr/bin/env python3
"""Makes the LLaVAs over Gemma of this folder, with make.py.

    python tests/golden/llava/make_gemma.py [NAME]   (transformers 5.23, torch 2.13, tokenizers, safetensors, Pillow)

gemma2    SigLIP tower, Gemma 2 whose soft caps bend (LLaVA leaves out the one of logits) and whose window is shorter than
          the image, its turns, fp32, as save_pretrained of transformers 5 writes it
hub_gemma CLIP tower, Gemma 1, sharded bf16, old tensor names, defaults left out of config.json
"""
import sys
from pathlib import Path

import torch
from transformers import (Gemma2Config, LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor, PreTrainedTokenizerFast,
                          SiglipVisionConfig)
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]
import family  # noqa: E402
import make as llava  # noqa: E402

SPECIAL = ["<start_of_turn>", "<end_of_turn>", "<image>"]
GEMMA = (
    "{% for message in messages %}{{ '<start_of_turn>' + ('model' if message['role'] == 'assistant' else "
    "message['role']) + '\n' }}{% for content in message['content'] %}{% if content['type'] == 'image' %}{{ '<image>\n' }}"
    "{% else %}{{ content['text'] | trim }}{% endif %}{% endfor %}{{ '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}")
GEMMA_TOKENS = {"bos_token": "<bos>", "eos_token": "<eos>", "unk_token": "<unk>", "pad_token": "<pad>"}


def make_gemma2(folder, seed):
    tokenizer = family.gemma_tokenizer(320, SPECIAL)
    vision = SiglipVisionConfig(hidden_size=24, intermediate_size=40, num_hidden_layers=3, num_attention_heads=3, image_size=28,
                                patch_size=7, vision_use_head=False)
    text = Gemma2Config(hidden_size=24, intermediate_size=32, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
                        head_dim=8, vocab_size=324, max_position_embeddings=256, query_pre_attn_scalar=5, sliding_window=9,
                        attn_logit_softcapping=3.0, final_logit_softcapping=4.0)
    config = LlavaConfig(vision_config=vision, text_config=text, image_token_index=tokenizer.token_to_id("<image>"),
                         vision_feature_select_strategy="full", vision_feature_layer=-2, image_seq_length=16,
                         tie_word_embeddings=True)
    model = family.randomize(LlavaForConditionalGeneration(config), seed)
    family.shift_norms(model, 0.4)
    model = family.readable(model, tokenizer)
    model.tie_weights()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, clean_up_tokenization_spaces=False, **GEMMA_TOKENS)
    processor = LlavaProcessor(SiglipImageProcessorPil(size={"height": 28, "width": 28}), fast, patch_size=7,
                               vision_feature_select_strategy="full", chat_template=GEMMA, num_additional_image_tokens=0)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return LlavaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval(), processor


def make_hub_gemma(folder, seed):
    text = {"architectures": ["GemmaForCausalLM"], "model_type": "gemma", "head_dim": 10, "hidden_size": 24,
            "intermediate_size": 32, "num_attention_heads": 4, "num_hidden_layers": 2, "num_key_value_heads": 1,
            "torch_dtype": "bfloat16", "vocab_size": 324}
    return llava.make_hub(folder, seed, family.gemma_tokenizer(320, SPECIAL), text, GEMMA, GEMMA_TOKENS, tied=True,
                          prepare=lambda model: family.shift_norms(model, 0.4))


if __name__ == "__main__":
    family.make_all(HERE, [make_gemma2, make_hub_gemma], llava.finish)
