#!/usr/bin/env python3
"""Expectations for `--views one`: what transformers says when a photo is one view (tests/golden/one_view).

    python tests/golden/one_view.py      (after the make.py of llava_next, llava_onevision and idefics3)
"""
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "samples")]
import compare_with_transformers as compare  # noqa: E402

CASES = [("llava_next/mistral", "wide.png"), ("llava_next/granite", "tall.png"), ("llava_onevision/anyres", "wide.png"), ("llava_onevision/hub_scaled", "tall.png"), ("llava_onevision/clip", "gray.png"),
         ("idefics3/hub_tiles", "tall.png")]
PROMPT, TARGET = "What is in this picture?", "Sure, it is"


def main():
    torch.set_num_threads(1)
    out = HERE / "one_view"
    out.mkdir(exist_ok=True)
    cases, tensors = [], {}
    for folder, picture in CASES:
        file = HERE / "idefics3" / "images" / picture
        model, processor = compare.load(HERE / folder)
        image = compare.open_image(file)
        trace = compare.expected_trace(model, processor, image, PROMPT, TARGET, "one")
        key = folder.replace("/", "_")
        for name in ("pixel_values", "target_logits", "pixel_gradient"):
            value = trace[name]
            tensors[f"{key}.{name}"] = (value.flatten(0, -4) if name.startswith("pixel") else value).contiguous()
        cases.append({"key": key, "folder": folder, "image": f"idefics3/images/{picture}", "prompt": PROMPT, "target": TARGET,
                      "input_ids": trace["input_ids"].tolist(), "loss": trace["loss"].item(),
                      "reply": compare.reply_of(model, processor, image, {"prompt": PROMPT}, 8, "one")})
        print(key, list(trace["pixel_values"].shape), trace["loss"].item(), repr(cases[-1]["reply"]))
    save_file(tensors, out / "expected.safetensors")
    (out / "expected.json").write_text(json.dumps({"cases": cases}, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
