#!/usr/bin/env python3
"""What transformers computes inside of the golden checkpoints: the residual stream before every layer and behind the last
one, what attention and MLP of each layer add to it, and the logits of the last. Run after the families' make.py."""
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2] / "samples"))
import compare_with_transformers as peer  # noqa: E402

FOLDERS = ["llava/clip_gqa", "llava/gemma2", "llava_next/mistral", "llava_onevision/clip", "idefics3/one_view",
           "internvl/small", "qwen2_vl/small", "qwen2_5_vl/small", "qwen3_vl/small", "gemma3/small", "paligemma/small",
           "paligemma/gemma2", "instructblip/small", "mistral3/small", "text/qwen3", "text/gemma3"]
QUERY, REPLY = {"prompt": "Where is it?"}, "a red ring"


def decoder_of(model):
    for path in ("model.language_model", "model.text_model", "language_model.model", "model"):
        found = model
        for part in path.split("."):
            found = getattr(found, part, None)
        if found is not None and hasattr(found, "layers"):
            return found
    raise SystemExit(f"no decoder in {type(model)}")


def states_of(model, inputs):
    decoder, found, handles = decoder_of(model), {}, []

    def keep(name, module, before=False):
        def hook(_module, arguments, keywords, output=None):
            value = (arguments[0] if arguments else keywords["hidden_states"]) if before else output
            found[name] = (value[0] if isinstance(value, tuple) else value)[0].contiguous()
        register = module.register_forward_pre_hook if before else module.register_forward_hook
        handles.append(register(hook, with_kwargs=True))

    for index, layer in enumerate(decoder.layers):
        keep(f"residual.{index}", layer, before=True)
        # Gemma 2 and 3 add what a norm behind attention and MLP leaves
        outer = hasattr(layer, "pre_feedforward_layernorm")
        keep(f"attention.{index + 1}", layer.post_attention_layernorm if outer else layer.self_attn)
        keep(f"mlp.{index + 1}", layer.post_feedforward_layernorm if outer else layer.mlp)
    keep(f"residual.{len(decoder.layers)}", decoder.norm, before=True)
    with torch.no_grad():
        output = model(**inputs, output_hidden_states=True)
    for handle in handles:
        handle.remove()
    if model.config.model_type != "qwen3_vl":  # whose DeepStack adds between the layers
        said = getattr(output, "language_model_outputs", output).hidden_states  # InstructBLIP
        for index, states in enumerate(said[:-1]):  # the last one is behind the norm
            assert torch.equal(states[0], found[f"residual.{index}"]), index
    return found, output.logits[0].float()


def main():
    torch.set_num_threads(1)
    cases = {}
    for folder in FOLDERS:
        model, processor = peer.load(HERE.parent / folder)
        with_image = not folder.startswith("text/")
        picture = peer.open_image(HERE.parent / "qwen2_vl" / "images" / "tall.png") if with_image else None
        inputs = peer.inputs_of(model, processor, picture, QUERY)
        reply = torch.tensor(processor.tokenizer.encode(REPLY, add_special_tokens=False))
        prompt = inputs["input_ids"].shape[1]
        states, logits = states_of(model, peer.with_target(inputs, reply, model.config.model_type))
        states["logits"] = logits[prompt - 1:]
        name = folder.replace("/", "_")
        save_file(states, HERE / f"{name}.safetensors")
        cases[name] = {"folder": folder, "ids": inputs["input_ids"][0].tolist(), "reply": reply.tolist(),
                       "image": "../qwen2_vl/images/tall.png" if with_image else ""}
        print(name, prompt, len(reply), len(states))
    (HERE / "cases.json").write_text(json.dumps({"query": QUERY, "cases": cases}) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
