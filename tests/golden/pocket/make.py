#!/usr/bin/env python3
"""Replies of the shipped model in transformers 5.23, for tests/models/pocket_golden_test.cpp.

    .venv/bin/python tests/golden/pocket/make.py        (pip install transformers==5.23 Pillow)
"""
import json
from pathlib import Path

import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoTokenizer

ROOT = Path(__file__).resolve().parents[3]
MODEL = ROOT / "samples" / "pocket"
PHOTOS = ["chelsea.png", "coffee.png"]
PROMPTS_PER_PHOTO = 12


def main():
    torch.set_num_threads(1)
    model = AutoModelForImageTextToText.from_pretrained(MODEL, dtype=torch.float32).eval()
    processor = AutoImageProcessor.from_pretrained(MODEL, backend="pil")
    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    lines = (ROOT / "samples/contexts/pocket.jsonl").read_text().splitlines()
    prompts = [row["prompt"] for row in map(json.loads, lines) if row["split"] == "test"][:PROMPTS_PER_PHOTO]
    patches = (model.config.vision_config.image_size // model.config.vision_config.patch_size) ** 2
    rows = []
    for photo in PHOTOS:
        pixels = processor(Image.open(ROOT / "samples/images" / photo).convert("RGB"),
                           return_tensors="pt")["pixel_values"]
        for prompt in prompts:
            text = f"USER: {'<image>' * patches}\n{prompt} ASSISTANT:"
            ids = tokenizer(text, return_tensors="pt")["input_ids"]
            with torch.no_grad():
                out = model.generate(input_ids=ids, pixel_values=pixels, attention_mask=torch.ones_like(ids),
                                     max_new_tokens=40, do_sample=False)
            reply = tokenizer.decode(out[0, ids.shape[1]:], skip_special_tokens=True)
            rows.append({"image": photo, "prompt": prompt, "reply": reply})
    file = Path(__file__).with_name("replies.json")
    file.write_text(json.dumps(rows, indent=0, ensure_ascii=False) + "\n")
    print(f"{len(rows)} replies in {file}")


if __name__ == "__main__":
    main()
