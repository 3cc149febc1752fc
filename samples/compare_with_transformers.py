#!/usr/bin/env python3
"""Checks hijack against transformers on a checkpoint of yours (pip install torch transformers Pillow safetensors).

    compare_with_transformers.py trace  --model DIR --image F --prompt "…" --target "…" [--hijack build/release/hijack]
        runs `hijack trace` and compares ids, pixel values, logits at the target, loss and pixel gradient
    compare_with_transformers.py replay RUN [--model DIR] [--limit N]
        loads the PNGs of a run folder in transformers, asks what replies.jsonl says was asked, compares the replies

Prints counts and the largest differences; exit code 1 where something differs.
"""
import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import torch
from PIL import Image, ImageOps
from safetensors.torch import load_file
from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoProcessor


def load(folder):
    """Model in float32 and processor, with the PIL image processor: the torchvision one differs by a gray level."""
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval().requires_grad_(False)
    processor = AutoProcessor.from_pretrained(folder)
    processor.image_processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    return model, processor


def open_image(file):
    return ImageOps.exif_transpose(Image.open(file)).convert("RGB")


def conversation(context, with_image):
    """The image belongs to the first user turn."""
    messages = []
    if context.get("system"):
        messages.append({"role": "system", "content": [{"type": "text", "text": context["system"]}]})
    turns = [*context.get("earlier", []), {"user": context["prompt"]}]
    for index, turn in enumerate(turns):
        image = [{"type": "image"}] if with_image and index == 0 else []
        messages.append({"role": "user", "content": [*image, {"type": "text", "text": turn["user"]}]})
        if "assistant" in turn:
            messages.append({"role": "assistant", "content": [{"type": "text", "text": turn["assistant"]}]})
    return messages


def inputs_of(processor, image, context):
    text = processor.apply_chat_template(conversation(context, True), add_generation_prompt=True)
    return processor(images=image, text=text, return_tensors="pt")


def relative(actual, expected):
    return ((actual - expected).abs().max() / expected.abs().max().clamp_min(1e-30)).item()


def trace(args):
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "trace.safetensors"
        subprocess.run([args.hijack, "trace", "--model", args.model, "--image", args.image, "--prompt", args.prompt,
                        "--target", args.target, "--dtype", "float32", "--out", str(out)], check=True)
        ours = load_file(out)
    model, processor = load(args.model)
    inputs = inputs_of(processor, open_image(args.image), {"prompt": args.prompt})
    target = torch.tensor(processor.tokenizer.encode(args.target, add_special_tokens=False))
    pixels = inputs["pixel_values"].float().requires_grad_()
    ids = torch.cat([inputs["input_ids"], target.unsqueeze(0)], dim=1)
    output = model(input_ids=ids, pixel_values=pixels, attention_mask=torch.ones_like(ids))
    logits = output.logits[0, -len(target) - 1:-1].float()
    loss = torch.nn.functional.cross_entropy(logits, target)
    gradient, = torch.autograd.grad(loss, pixels)

    cosine = torch.nn.functional.cosine_similarity(ours["pixel_gradient"].flatten(), gradient.flatten(), dim=0).item()
    checks = {
        "input ids equal": torch.equal(ours["input_ids"].flatten(), inputs["input_ids"].flatten()),
        "target ids equal": torch.equal(ours["target_ids"].flatten(), target),
    }
    numbers = {
        "pixel values, largest difference": ((ours["pixel_values"].flatten() - pixels.detach().flatten()).abs().max()
                                             .item(), 1e-5),
        "target logits, relative": (relative(ours["target_logits"].view_as(logits), logits.detach()), 2e-4),
        "loss, difference": (abs(ours["loss"].item() - loss.item()), 1e-3),
        "pixel gradient, 1 - cosine": (1 - cosine, 1e-4),
    }
    for name, (value, bound) in numbers.items():
        checks[f"{name}: {value:.2e} (bound {bound:.0e})"] = value <= bound
    for name, passed in checks.items():
        print(f"{'same  ' if passed else 'DIFFERS'} {name}")
    return all(checks.values())


def reply_of(model, processor, image, context, length):
    inputs = inputs_of(processor, image, context)
    with torch.no_grad():
        ids = model.generate(**inputs, max_new_tokens=length, do_sample=False)
    return processor.tokenizer.decode(ids[0, inputs["input_ids"].shape[1]:], skip_special_tokens=True)


def rows_of(file):
    """JSON lines; a half-written last line is left out, as hijack does."""
    lines = file.read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines[:-1] if line]


def replay(args):
    run = Path(args.run)
    trials = {row["id"]: row for row in rows_of(run / "trials.jsonl")}
    plans = {plan["id"]: plan["config"] for plan in
             json.loads((run / "manifest.json").read_text(encoding="utf-8")).get("plans", [])}
    # text_suffix rows carry their suffix in the context; with defenses the submission is not the stored one
    images = {"attack": "image_file", "clean": "origin_file", "noise": "noise_file"}
    rows = [row for row in rows_of(run / "replies.jsonl") if row["defense"] == "none" and row["condition"] in images]
    rows = rows[:args.limit] if args.limit else rows
    models, same, total = {}, Counter(), Counter()
    for row in rows:
        trial = trials[row["trial"]]
        folder = args.model or trial["model"]
        if folder not in models:
            models[folder] = load(folder)
        length = plans.get(row["trial"], {}).get("max_new_tokens", 48)
        image = open_image(run / trial[images[row["condition"]]])
        reply = reply_of(*models[folder], image, row["context"], length)
        total[row["condition"]] += 1
        if reply.strip() == row["reply"].strip():
            same[row["condition"]] += 1
        else:
            print(f"DIFFERS {row['trial']} {row['condition']} {row['context']['prompt']!r}:\n"
                  f"  hijack       {row['reply']!r}\n  transformers {reply!r}")
    for condition in total:
        print(f"{condition}: {same[condition]} of {total[condition]} replies the same in transformers")
    return bool(total) and same == total


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("trace")
    for name in ("--model", "--image", "--prompt", "--target"):
        one.add_argument(name, required=True)
    one.add_argument("--hijack", default="build/release/hijack")
    one.set_defaults(work=trace)
    two = commands.add_parser("replay")
    two.add_argument("run")
    two.add_argument("--model", default="", help="folder of the model, where it lies elsewhere than in the run's rows")
    two.add_argument("--limit", type=int, default=0, help="only the first N replies")
    two.set_defaults(work=replay)
    args = parser.parse_args()
    sys.exit(0 if args.work(args) else 1)


if __name__ == "__main__":
    main()
