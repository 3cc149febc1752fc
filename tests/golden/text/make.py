#!/usr/bin/env python3
"""Makes tiny random language models without images and what transformers says about them.

    python tests/golden/text/make.py         (transformers 5.23, torch 2.13, tokenizers, safetensors)

llama  base model without chat template, grouped-query attention, untied head, fp32
mistral  [INST] turns, a window that is the class default, heads narrower than width / heads, bf16
qwen2  ChatML with a default system text, tied head, bf16
qwen3  head norms, heads wider than the hidden size, ChatML as Qwen3 writes it (no default system text), tied head, bf16
gemma  Gemma's turns, <bos> from the template, bf16
gemma2 soft caps that bend, windows of 9 tokens on every other layer (the prompts have more), bf16, hub spelling
gemma3 three of four layers slide, with other rotary frequencies; the full ones stretched; bf16, hub spelling
gemma3_list layer_types of its own, a window as long as the shortest prompt, as transformers 5 writes it, fp32
phi3   one matrix for query, key and value, half of a head turns, longrope, a window of 11 tokens, hub spelling, bf16
qwen2_sliding use_sliding_window from the second layer on, fp32
llama3 the headers of Llama 3.1 with its dates, two end tokens and a repetition penalty in generation_config.json, bf16
expected.json: per text, the negative log-likelihood of each token of the user's text but the first, and the reply.
"""
import json
import sys
from pathlib import Path

import torch
from transformers import (Gemma2Config, Gemma2ForCausalLM, Gemma3ForCausalLM, Gemma3TextConfig, GemmaConfig,
                          GemmaForCausalLM, LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM,
                          Phi3Config, Phi3ForCausalLM, PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM)

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import family  # noqa: E402

TEXTS = ["What is in this picture?", "a", "Say it again:  the cat, 12 or 3?\n Où?"]
CHATML = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\\n"
    "You are a helpful AI assistant.<|im_end|>\\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\\n' + "
    "message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|im_start|>assistant\\n' }}{% endif %}")
QWEN3 = (
    "{%- if messages[0].role == 'system' %}{{- '<|im_start|>system\n' + messages[0].content + '<|im_end|>\n' }}{%- endif %}"
    "{%- for message in messages %}{%- if (message.role == 'user') or (message.role == 'system' and not loop.first) %}"
    "{{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>' + '\n' }}"
    "{%- elif message.role == 'assistant' %}{{- '<|im_start|>' + message.role + '\n' + message.content.lstrip('\n') + "
    "'<|im_end|>\n' }}{%- endif %}{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}"
    "{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\n\n</think>\n\n' }}{%- endif %}{%- endif %}")
GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for message in messages %}{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}"
    "{% set role = message['role'] %}{% endif %}{{ '<start_of_turn>' + role + '\\n' + message['content'] | trim + "
    "'<end_of_turn>\\n' }}{% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model\\n'}}{% endif %}")

# of Phi-4-mini
PHI3 = ("{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% else %}{{ eos_token }}{% endif %}")

# of Mistral-7B-Instruct-v0.1
MISTRAL = (
    "{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}{% else %}"
    "{{ message['content'] + eos_token + ' ' }}{% endif %}{% endfor %}")

# of Llama 3.1, without its branches for tools
LLAMA3 = (
    "{{- bos_token }}{%- if not date_string is defined %}{%- set date_string = '26 Jul 2024' %}{%- endif %}"
    "{%- if messages[0]['role'] == 'system' %}{%- set system_message = messages[0]['content']|trim %}"
    "{%- set messages = messages[1:] %}{%- else %}{%- set system_message = '' %}{%- endif %}"
    "{{- '<|start_header_id|>system<|end_header_id|>\n\n' }}{{- 'Cutting Knowledge Date: December 2023\n' }}"
    "{{- 'Today Date: ' + date_string + '\n\n' }}{{- system_message }}{{- '<|eot_id|>' }}"
    "{%- for message in messages %}{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + "
    "message['content'] | trim + '<|eot_id|>' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{%- endif %}")


def expect(folder, model, fast, stop, template):
    rows = []
    for text in TEXTS:
        if template:
            whole = fast.apply_chat_template([{"role": "user", "content": text}], chat_template=template,
                                             add_generation_prompt=True, tokenize=False)
        else:
            whole = text
        begin = whole.rindex(text) if template else 0
        encoded = fast(whole, add_special_tokens=not template, return_offsets_mapping=True)
        ids, end = torch.tensor([encoded["input_ids"]]), begin + len(text)
        places = [i for i, (a, b) in enumerate(encoded["offset_mapping"]) if a < b and b > begin and a < end]
        with torch.no_grad():
            scores = model(ids).logits.float().log_softmax(-1)
        nll = [-scores[0, i - 1, ids[0, i]].item() for i in places[1:]]
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        reply_ids, reply, margin = family.reply_of(model, fast, inputs, stop)
        rows.append({"text": text, "nll": nll, "reply": reply})
        print(f"{folder.name}: {len(nll)} scores, margin {margin:.4f} {reply!r}")
    (folder / "expected.json").write_text(json.dumps({"cases": rows}, ensure_ascii=False) + "\n", encoding="utf-8")


def make(folder, model, seed, tokenizer, tokens, template, dtype, respell=None):
    model = family.randomize(model, seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if model.config.model_type.startswith("gemma") and "norm" in name:
                weight.sub_(1)
            if model.config.model_type in ("gemma2", "gemma3_text") and "embed_tokens" in name:
                weight.mul_(0.4)  # else a token beside its own scaled embedding predicts itself
    model = family.readable(model, tokenizer)
    model.tie_weights()
    model.to(dtype).save_pretrained(folder)
    if respell:
        config = json.loads((folder / "config.json").read_text())
        config["torch_dtype"] = config.pop("dtype")
        respell(config)
        family.write_json(folder / "config.json", config)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, clean_up_tokenization_spaces=False, **tokens)
    tokenizer.save(str(folder / "tokenizer.json"))
    family.write_json(folder / "tokenizer_config.json", tokens | ({"chat_template": template} if template else {}))
    expect(folder, type(model).from_pretrained(folder, dtype=torch.float32).eval(), fast, model.config.eos_token_id,
           template)


def make_llama(folder, seed):
    tokenizer = family.llama_tokenizer(310)
    config = LlamaConfig(hidden_size=24, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4,
                         num_key_value_heads=2, vocab_size=312, max_position_embeddings=256, rms_norm_eps=1e-5)
    make(folder, LlamaForCausalLM(config), seed, tokenizer, {"bos_token": "<s>", "eos_token": "</s>"}, None,
         torch.float32)


def make_mistral(folder, seed):
    tokenizer = family.llama_tokenizer(310)
    config = MistralConfig(hidden_size=24, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
                           head_dim=10, vocab_size=312, max_position_embeddings=256, rms_norm_eps=1e-5)
    make(folder, MistralForCausalLM(config), seed, tokenizer, {"bos_token": "<s>", "eos_token": "</s>"}, MISTRAL, torch.bfloat16)


def make_qwen2(folder, seed):
    tokenizer = family.bytelevel_tokenizer(300, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    stop = tokenizer.token_to_id("<|im_end|>")
    config = Qwen2Config(hidden_size=24, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4,
                         num_key_value_heads=1, vocab_size=304, max_position_embeddings=256, tie_word_embeddings=True,
                         eos_token_id=stop, rope_parameters={"rope_type": "default", "rope_theta": 1000000.0})
    make(folder, Qwen2ForCausalLM(config), seed, tokenizer, {"eos_token": "<|im_end|>"}, CHATML, torch.bfloat16)


def make_qwen3(folder, seed):
    tokenizer = family.bytelevel_tokenizer(300, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    stop = tokenizer.token_to_id("<|im_end|>")
    config = Qwen3Config(hidden_size=20, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4,
                         num_key_value_heads=2, head_dim=8, vocab_size=304, max_position_embeddings=256,
                         tie_word_embeddings=True, eos_token_id=stop,
                         rope_parameters={"rope_type": "default", "rope_theta": 1000000.0})
    make(folder, Qwen3ForCausalLM(config), seed, tokenizer, {"eos_token": "<|im_end|>"}, QWEN3, torch.bfloat16)


def make_llama3(folder, seed):
    special = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
    tokenizer = family.bytelevel_tokenizer(300, special)
    begin, end, turn = (tokenizer.token_to_id(special[i]) for i in (0, 1, 4))
    config = LlamaConfig(hidden_size=24, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4,
                         num_key_value_heads=2, vocab_size=304, max_position_embeddings=256, bos_token_id=begin,
                         eos_token_id=[end, turn], tie_word_embeddings=True)
    model = LlamaForCausalLM(config)
    model.generation_config.repetition_penalty = 1.3
    make(folder, model, seed, tokenizer, {"bos_token": special[0], "eos_token": special[4]}, LLAMA3, torch.bfloat16)


def make_gemma(folder, seed):
    tokenizer = family.gemma_tokenizer(310, ["<start_of_turn>", "<end_of_turn>"])
    config = GemmaConfig(hidden_size=24, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
                         num_key_value_heads=1, head_dim=8, vocab_size=312, max_position_embeddings=256)
    make(folder, GemmaForCausalLM(config), seed, tokenizer, {"bos_token": "<bos>", "eos_token": "<eos>"}, GEMMA,
         torch.bfloat16)


GEMMA_TOKENS = {"bos_token": "<bos>", "eos_token": "<eos>"}


def make_gemma2(folder, seed):
    """As the hub spells it: no layer_types, rope_theta, both names of the activation."""
    tokenizer = family.gemma_tokenizer(310, ["<start_of_turn>", "<end_of_turn>"])
    config = Gemma2Config(hidden_size=24, intermediate_size=32, num_hidden_layers=3, num_attention_heads=4,
                          num_key_value_heads=2, head_dim=8, vocab_size=312, max_position_embeddings=256,
                          query_pre_attn_scalar=11, sliding_window=9, attn_logit_softcapping=2.0,
                          final_logit_softcapping=3.0, rope_parameters={"rope_type": "default", "rope_theta": 500.0})

    def respell(config):
        config.update(rope_theta=config.pop("rope_parameters")["rope_theta"], hidden_act="gelu_pytorch_tanh",
                      cache_implementation="hybrid", sliding_window_size=9)
        config.pop("layer_types")
    make(folder, Gemma2ForCausalLM(config), seed, tokenizer, GEMMA_TOKENS, GEMMA, torch.bfloat16, respell)


def make_gemma3(folder, seed):
    tokenizer = family.gemma_tokenizer(310, ["<start_of_turn>", "<end_of_turn>"])
    config = Gemma3TextConfig(hidden_size=24, intermediate_size=32, num_hidden_layers=5, num_attention_heads=4,
                              num_key_value_heads=2, head_dim=8, vocab_size=312, max_position_embeddings=256,
                              query_pre_attn_scalar=13, sliding_window=9, sliding_window_pattern=4, eos_token_id=[1, 307],
                              rope_parameters={"full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 5000.0},
                                               "sliding_attention": {"rope_type": "default", "rope_theta": 50.0}})

    def respell(config):
        ropes = config.pop("rope_parameters")
        full = ropes["full_attention"]
        config.update(rope_theta=full.pop("rope_theta"), rope_scaling=full, sliding_window_pattern=4,
                      rope_local_base_freq=ropes["sliding_attention"]["rope_theta"])
        config.pop("layer_types")
    make(folder, Gemma3ForCausalLM(config), seed, tokenizer, GEMMA_TOKENS, GEMMA, torch.bfloat16, respell)


def make_gemma3_list(folder, seed):
    tokenizer = family.gemma_tokenizer(310, ["<start_of_turn>", "<end_of_turn>"])
    kinds = ["full_attention", "sliding_attention", "sliding_attention"]
    config = Gemma3TextConfig(hidden_size=20, intermediate_size=32, num_hidden_layers=3, num_attention_heads=2,
                              num_key_value_heads=1, head_dim=12, vocab_size=312, max_position_embeddings=256,
                              query_pre_attn_scalar=12, sliding_window=23, layer_types=kinds, attention_bias=True,
                              final_logit_softcapping=4.0, attn_logit_softcapping=1.0, tie_word_embeddings=False,
                              rope_parameters={"full_attention": {"rope_type": "default", "rope_theta": 1e6},
                                               "sliding_attention": {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}})
    make(folder, Gemma3ForCausalLM(config), seed, tokenizer, GEMMA_TOKENS, GEMMA, torch.float32)


def make_qwen2_sliding(folder, seed):
    tokenizer = family.bytelevel_tokenizer(300, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    stop = tokenizer.token_to_id("<|im_end|>")
    config = Qwen2Config(hidden_size=24, intermediate_size=32, num_hidden_layers=3, num_attention_heads=4,
                         num_key_value_heads=2, vocab_size=304, max_position_embeddings=256, tie_word_embeddings=True,
                         eos_token_id=stop, use_sliding_window=True, sliding_window=7, max_window_layers=1,
                         rope_parameters={"rope_type": "default", "rope_theta": 1000.0})
    make(folder, Qwen2ForCausalLM(config), seed, tokenizer, {"eos_token": "<|im_end|>"}, CHATML, torch.float32)


def make_phi3(folder, seed):
    tokenizer = family.bytelevel_tokenizer(300, ["<|endoftext|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"])
    stop = tokenizer.token_to_id("<|end|>")
    config = Phi3Config(hidden_size=32, intermediate_size=36, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
                        vocab_size=308, max_position_embeddings=512, original_max_position_embeddings=128, tie_word_embeddings=True,
                        bos_token_id=0, eos_token_id=stop, pad_token_id=0, sliding_window=11,
                        rope_parameters={"rope_type": "longrope", "rope_theta": 100.0, "partial_rotary_factor": 0.5,
                                         "short_factor": [1.0, 1.7], "long_factor": [2.0, 9.0]})

    def respell(config):
        rope = config.pop("rope_parameters")
        config.update(rope_theta=rope["rope_theta"], partial_rotary_factor=rope["partial_rotary_factor"],
                      rope_scaling={"type": "longrope", "short_factor": rope["short_factor"], "long_factor": rope["long_factor"]})
    make(folder, Phi3ForCausalLM(config), seed, tokenizer, {"eos_token": "<|endoftext|>"}, PHI3, torch.bfloat16, respell)


MAKERS = [make_llama, make_qwen2, make_qwen3, make_gemma, make_llama3, make_mistral, make_gemma2, make_gemma3, make_gemma3_list, make_qwen2_sliding,
          make_phi3]

if __name__ == "__main__":
    family.make_all(HERE, MAKERS)
