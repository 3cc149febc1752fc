#!/usr/bin/env python3
"""What transformers computes under torch.autocast("cpu", torch.bfloat16) with tiny checkpoints of other goldens.

    python tests/golden/autocast/make.py   (transformers 5.23, torch 2.13, safetensors)

Weights are float32; the first case of each folder's expected.json gives prompt, target and pixels. expected.safetensors
gets FOLDER.logits of the target and FOLDER.gradient of its mean loss by the pixels, and the script prints how far both are
from the float32 ones of the folder.
"""
import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForImageTextToText

HERE = Path(__file__).resolve().parent
FOLDERS = ["llava/clip_gqa", "idefics3/one_view", "internvl/small", "mistral3/small"]


def relative(a, b):
    return ((a - b).norm() / b.norm()).item()


def main():
    torch.set_num_threads(1)
    made = {}
    for name in FOLDERS:
        folder = HERE.parent / name
        case = json.loads((folder / "expected.json").read_text(encoding="utf-8"))["cases"][0]
        exact = load_file(folder / "expected.safetensors")
        model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval().requires_grad_(False)
        key, picture = case["key"], case["key"].split(".")[0]
        levels = exact.get(f"{picture}.levels")  # of a processor with mean and standard deviation 1/2
        leaf = exact[f"{picture}.pixel_values"] if levels is None else (levels.float() / 255 - 0.5) / 0.5
        leaf.requires_grad_()
        pixels = leaf.unsqueeze(0) if name.startswith("idefics3") else leaf
        target = torch.tensor(case["target_ids"])
        ids = torch.cat([torch.tensor(case["input_ids"]), target]).unsqueeze(0)
        more = {"image_sizes": torch.tensor([leaf.shape[-2:]])} if name.startswith("mistral3") else {}
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(input_ids=ids, attention_mask=torch.ones_like(ids), pixel_values=pixels, **more).logits
        logits = logits.float()[0, -len(target) - 1:-1]
        gradient, = torch.autograd.grad(torch.nn.functional.cross_entropy(logits, target), leaf)
        made[f"{name}.logits"], made[f"{name}.gradient"] = logits.detach().contiguous(), gradient
        print(f"{name}: logits {relative(logits.detach(), exact[key + '.target_logits']):.2g}, "
              f"gradient {relative(gradient, exact[key + '.pixel_gradient']):.2g} from float32")
    save_file(made, HERE / "expected.safetensors")


if __name__ == "__main__":
    main()
