#!/usr/bin/env python3
"""Random tiny checkpoints of every family, in the layouts of real folders, compared with transformers through the program.

    python tests/golden/random_checkpoints.py --hijack build/release/hijack [--families llava,qwen2_vl] [--seeds 0-9]
                                              [--keep DIR]

Every seed draws sizes, switches, processor settings, layout (transformers 5; or the hub's: old tensor names, sharded bf16,
defaults left out, preprocessor_config.json, chat template as JSON or in tokenizer_config.json) and pictures (gray, palette,
RGBA, EXIF-turned, very wide, tall, tiny). Compared: ids, pixel values, logits, loss, pixel gradient, greedy reply. Prints
one line for each checkpoint, the largest differences of each family, and exits with 1 where a bound is broken.
"""
import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections import defaultdict
from pathlib import Path

import torch
from PIL import Image

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "samples")]
import compare_with_transformers as compare  # noqa: E402
from random_models import MAKERS  # noqa: E402

PROMPTS = ["What is in this picture?", "Où est le chat, 12 or 3?\n\n  Say it. ", "a", "日本語 😀 e\u0301 <b>\tx</b>  two  spaces",
           " leading", "USER: hi\nASSISTANT: no"]
TARGETS = ["Sure, it is", "cat 4.", "x", " Visit https://example.org now!", "été\nthe"]


def pictures(folder):
    generator = torch.Generator().manual_seed(3)
    sizes = {"wide": (37, 61), "tall": (75, 30), "gray": (28, 33), "rgba": (40, 52), "palette": (33, 47), "la": (31, 20),
             "long": (9, 150), "thin": (140, 11), "tiny": (3, 2), "one": (1, 1), "big": (130, 171), "square": (56, 56),
             **{f"exif{i}": (24 + 2 * i, 45) for i in range(1, 9)}, "grayjpeg": (40, 31), "binary": (30, 44)}
    files = []
    for name, (height, width) in sizes.items():
        y, x = torch.linspace(0, 1, height).view(-1, 1, 1), torch.linspace(0, 1, width).view(1, -1, 1)
        color = 0.5 + 0.4 * torch.sin(8 * x + 6 * y + torch.tensor([0.0, 2.1, 4.2])) * torch.cos(5 * y - 2 * x * x)
        color = torch.where((x - 0.5).abs() + (y - 0.6).abs() < 0.3, 1 - color, color)
        color = (color + 0.08 * torch.randn(height, width, 3, generator=generator)).clamp(0, 1)
        picture = Image.fromarray((color * 255).round().to(torch.uint8).numpy())
        kind = {"gray": "L", "palette": "P", "la": "LA", "grayjpeg": "L", "binary": "1"}.get(name)
        picture = picture.convert(kind) if kind else picture
        if name == "rgba":
            picture.putalpha(Image.fromarray((255 * (x + 0 * y))[..., 0].round().to(torch.uint8).numpy()))
        jpeg = name.startswith("exif") or name == "grayjpeg"
        exif = Image.Exif()
        if name.startswith("exif"):
            exif[0x0112] = int(name[4:])
        file = folder / f"{name}.{'jpg' if jpeg else 'png'}"
        picture.save(file, **({"quality": 93, "exif": exif} if jpeg else {}))
        files.append(file)
    return files


def clear_reply(model, processor, image, context, length, views):
    """The greedy reply, or None where two tokens nearly tie."""
    inputs = compare.inputs_of(model, processor, image, context, views)
    with torch.no_grad():
        out = model.generate(**inputs, max_new_tokens=length, do_sample=False, output_scores=True, return_dict_in_generate=True)
    margins = [float(score[0].topk(2).values.diff().abs()) for score in out.scores]
    ids = out.sequences[0, inputs["input_ids"].shape[1]:]
    image_token = getattr(model.config, "image_token_id", None)
    if min(margins) < 1e-3 or image_token in ids.tolist():
        return None
    return processor.tokenizer.decode(ids, skip_special_tokens=True)


def check(program, folder, name, draw, files, worst):
    model, processor = compare.load(folder)
    problems = []
    for file in draw.sample(files, 2):
        prompt, target = draw.choice(PROMPTS), draw.choice(TARGETS)
        views = "one" if draw.random() < 0.3 and name in ("idefics3", "llava_next", "llava_onevision", "internvl") else "all"
        case = f"{file.name} {prompt!r} {target!r} {views}"
        image = compare.open_image(file)
        try:
            theirs = compare.expected_trace(model, processor, image, prompt, target, views)
        except Exception as error:  # noqa: BLE001 (transformers itself cannot)
            print(f"    transformers fails on {case}: {type(error).__name__} {str(error)[:100]!r}")
            continue
        try:
            ours = compare.hijack_trace(program, folder, file, prompt, target, views)
        except subprocess.CalledProcessError:
            problems.append(f"{case}: hijack failed")
            continue
        for what, (value, bound) in compare.differences(ours, theirs).items():
            worst[name, what] = max(worst[name, what], value)
            if not value <= bound:
                problems.append(f"{case}: {what} {value:.2e}")
        reply = clear_reply(model, processor, image, {"prompt": prompt}, 16, views)
        if reply is not None:
            said = compare.hijack_reply(program, folder, file, prompt, 16, views)
            worst[name, "replies"] += 1
            if said != reply:
                problems.append(f"{case}: reply {said!r}, not {reply!r}")
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hijack", default="build/release/hijack")
    parser.add_argument("--families", default=",".join(MAKERS))
    parser.add_argument("--seeds", default="0-9")
    parser.add_argument("--keep", default="", help="folder in which checkpoints with differences are kept")
    args = parser.parse_args()
    torch.set_num_threads(1)
    first, last = (int(part) for part in (args.seeds + "-" + args.seeds).split("-")[:2])
    worst, failed = defaultdict(float), 0
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        (work / "pictures").mkdir()
        files = pictures(work / "pictures")
        for seed in range(first, last + 1):
            for name in args.families.split(","):
                folder = work / f"{name}-{seed}"
                folder.mkdir()
                draw = random.Random(f"{name}-{seed}")
                try:
                    layout = MAKERS[name](folder, draw, seed)
                    problems = check(args.hijack, folder, name, draw, files, worst)
                except Exception:  # noqa: BLE001 (the next checkpoint may still tell something)
                    layout, problems = "?", [traceback.format_exc(limit=-3)]
                failed += bool(problems)
                print(f"{'DIFFERS' if problems else 'same   '} {folder.name} {layout}", flush=True)
                for problem in problems:
                    print("    " + problem, flush=True)
                if problems and args.keep:
                    shutil.copytree(folder, Path(args.keep) / folder.name, dirs_exist_ok=True)
                    shutil.copytree(work / "pictures", Path(args.keep) / "pictures", dirs_exist_ok=True)
                shutil.rmtree(folder)
    for (name, what), value in sorted(worst.items()):
        print(f"{name:16} {what:15} {value:.1e}" if what != "replies" else f"{name:16} {int(value)} replies compared")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
