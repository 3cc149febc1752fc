"""What the make.py of Qwen2.5-VL and Qwen3-VL share: tokenizer, template and expectations of a folder as transformers reads
it. The pictures are those of tests/golden/qwen2_vl."""
import importlib.util
import sys
from pathlib import Path

import torch

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE / "chat_template"), str(HERE.parents[1] / "samples")]
import compare_with_transformers as compare  # noqa: E402
import family  # noqa: E402
from templates import TEMPLATES  # noqa: E402

spec = importlib.util.spec_from_file_location("qwen2_vl_make", HERE / "qwen2_vl" / "make.py")
qwen2_vl = importlib.util.module_from_spec(spec)
spec.loader.exec_module(qwen2_vl)
tokenizer_of, ids_of, hub_name, TEMPLATE = qwen2_vl.tokenizer_of, qwen2_vl.ids_of, qwen2_vl.hub_name, qwen2_vl.TEMPLATE
TEMPLATE_3 = TEMPLATES["qwen3-vl"]
DIALOG = {"prompt": "And now?", "system": "You see what is there.",
          "earlier": [{"user": "What is in this picture?", "assistant": "A cat, 12."}]}


def randomized(model, seed, tokenizer):
    model = family.randomize(model, seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():  # the merger's own norm
            if name.endswith(("merger.ln_q.weight", "merger.norm.weight", ".norm.weight")) and "visual" in name:
                weight.add_(1)
    model = family.readable(model, tokenizer)
    model.tie_weights()
    return model


def expect(folder, names, stop, gradients):
    model, processor = compare.load(folder)
    family.expect(folder, model, processor.tokenizer,
                  lambda picture, prompt: compare.inputs_of(model, processor, picture, {"prompt": prompt}), names,
                  model.config.image_token_id, stop, gradients,
                  (DIALOG, lambda picture: compare.inputs_of(model, processor, picture, DIALOG)))


def write_texts(folder, tokenizer, template, place):
    """tokenizer.json, tokenizer_config.json and the chat template as chat_template.jinja or chat_template.json."""
    tokenizer.save(str(folder / "tokenizer.json"))
    family.write_json(folder / "tokenizer_config.json", {
        "add_prefix_space": False, "bos_token": None, "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>",
        "tokenizer_class": "Qwen2Tokenizer", "unk_token": None, "errors": "replace"})
    if place == "jinja":
        (folder / "chat_template.jinja").write_text(template)
    else:
        family.write_json(folder / "chat_template.json", {"chat_template": template})


def save_bf16(folder, model, name_of=lambda name: name):
    """Sharded and without a tied head; returns what was saved."""
    tied = model.config.tie_word_embeddings
    tensors = {name_of(name): value for name, value in model.to(torch.bfloat16).state_dict().items()
               if not tied or name != "lm_head.weight"}
    family.save_sharded(tensors, folder)
