#!/usr/bin/env python3
"""Our attack step beside the published-style loop and transformers at its own best, alternating in one run.

    python tests/bench/side_by_side.py [--models smolvlm-256m,...] [--contexts 1,8] [--dtypes float32] [--threads 1] [--device cpu]
                                       [--rounds 3] [--published-rounds 1] [--limit 240] [--rows FILE] [--table]

Every contestant is a process of its own that is kept alive and told to do a step in turn (step_server.cpp, peer.py).
Printed and appended to --rows: median seconds per step, ratios, peak memory of each process while it steps, the cosine of
the gradients at the pixel values, and our share of the floor: the multiply-adds that forward and backward to the input
need at least, at the rate of a large matrix product measured between the steps. Seconds are processor seconds divided by
the threads (on a machine that others use, the wall clock measures them); the rows hold both. A step that would take longer than
--limit seconds is not tried; the row says so. --table prints what the rows hold as Markdown and measures nothing.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file

from contestant import Contestant, Ended, median

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CONTESTANTS = ["ours", "published", "best"]


def weight_shapes(folder):
    shapes = {}
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, "pt") as tensors:
            shapes.update({name: tensors.get_slice(name).get_shape() for name in tensors.keys()})
    return shapes


def multiply_adds(folder, views, image_tokens, prefix, suffix, target, contexts):
    """What one step needs at least. Each weight once per token forward and once backward to the input; attention two
    products forward and four backward; the head, and the decoder's last block but its keys and values, only where a
    target token is predicted; the image once."""
    config = json.loads((folder / "config.json").read_text())
    vision, text = config["vision_config"], config["text_config"]
    patches = (vision["image_size"] // vision["patch_size"]) ** 2 + (vision["model_type"] == "clip_vision_model")
    used = vision["num_hidden_layers"] + 1 + config.get("vision_feature_layer", -1)
    used = vision["num_hidden_layers"] if config["model_type"] == "smolvlm" else used
    tokens, read = prefix + contexts * suffix, contexts * target
    total = 0
    for name, shape in weight_shapes(folder).items():
        size = torch.Size(shape).numel()
        if len(shape) < 2 or "embed_tokens" in name or "position_embedding" in name or "lm_head" in name:
            continue
        if "vision" in name:
            layer = name.split("layers.")[1].split(".")[0] if "layers." in name else "0"
            total += 2 * size * patches * views if int(layer) < used else 0
        elif "projector" in name:
            total += 2 * size * patches * views
        elif "connector" in name:
            total += 2 * size * image_tokens
        else:
            last = f"layers.{text['num_hidden_layers'] - 1}." in name and "k_proj" not in name and "v_proj" not in name
            total += 2 * size * (read if last else tokens)
    total += 2 * text["vocab_size"] * text["hidden_size"] * read
    pairs = prefix * (prefix + 1) / 2 + contexts * (suffix * prefix + suffix * (suffix + 1) / 2)
    last_pairs = read * (prefix + suffix - (target - 1) / 2)
    heads = text["num_attention_heads"]
    head_width = heads * (text.get("head_dim") or text["hidden_size"] // heads)
    total += 6 * head_width * (pairs * (text["num_hidden_layers"] - 1) + last_pairs)
    total += 6 * patches**2 * vision["hidden_size"] * used * views
    return total


def image_tokens_of(folder, ids):
    config = json.loads((folder / "config.json").read_text())
    token = config.get("image_token_id", config.get("image_token_index"))
    places = (ids[0] == token).nonzero().flatten()
    return len(places), int(places[-1]) + 1


def seconds_of(contestant, threads, device="cpu"):
    """Processor seconds of a busy machine; of a device, which this has alone, the clock's."""
    return median(contestant.steps, "cpu_seconds") / threads if device == "cpu" else median(contestant.steps, "seconds")


def device_bytes(contestant):
    """What the process holds on the device, as its driver says."""
    listed = subprocess.run(["nvidia-smi", "--query-compute-apps=pid,used_memory", "--format=csv,noheader,nounits"],
                            capture_output=True, text=True, check=False).stdout
    rows = dict(line.split(", ") for line in listed.splitlines() if ", " in line)
    return int(rows.get(str(contestant.process.pid), 0)) << 20


def open_contestant(name, args, folder, contexts, dtype, threads):
    if name == "ours":
        views = 1 if "onevision" in folder.name else 0
        command = [args.server, folder, f"contexts={contexts}", f"prompt={args.prompt}", f"target={args.target}",
                   f"dtype={dtype}", f"threads={threads}", f"views={views}", f"device={args.device}"]
    else:
        command = [sys.executable, HERE / "peer.py", folder, name, f"dtype={dtype}", f"threads={threads}", f"device={args.device}"]
    return Contestant([str(part) for part in command], threads)


def peer_bf16_rate():
    """Multiply-adds a second of bfloat16 in libtorch here; a small product, since it may be very slow."""
    a = torch.randn(256, 256, dtype=torch.bfloat16)
    a @ a
    begin = __import__("time").process_time()
    a @ a
    return 256**3 / (__import__("time").process_time() - begin)


def compare(args, folder, contexts, dtype, threads, work_folder):
    inputs = work_folder / "inputs.safetensors"
    ours = open_contestant("ours", args, folder, contexts, dtype, threads)
    everyone = {"ours": ours}
    try:
        ours.ask(f"inputs {inputs}")
        tensors = load_file(inputs)
        count, prefix = image_tokens_of(folder, tensors["input_ids"])
        shared = int((tensors["input_ids"] == tensors["input_ids"][0]).all(0).int().cumprod(0).sum())
        prefix = max(prefix, min(shared, tensors["input_ids"].shape[1] - 1))
        suffix = tensors["input_ids"].shape[1] + args.target - 1 - prefix
        floor = multiply_adds(folder, tensors["pixel_values"].shape[0], count, prefix, suffix, args.target, contexts)
        alone = multiply_adds(folder, tensors["pixel_values"].shape[0], count, prefix, suffix, args.target, 1) * contexts
        rates = [ours.ask("rate")]
        ours.step()  # warms up: not counted
        ours.steps.clear()
        peer_rate = peer_bf16_rate() if dtype in ("bfloat16", "autocast") else rates[0]["multiply_adds_per_cpu_second"] / threads
        skipped = {}
        for name in args.against:
            expected = alone / peer_rate / threads * (2 if name == "published" else 1.2)
            if expected > args.limit:
                skipped[name] = f"not run: about {expected:.0f} s a step on this machine"
                continue
            everyone[name] = open_contestant(name, args, folder, contexts, dtype, threads)
            everyone[name].ask(f"inputs {inputs}")
        for round_ in range(args.rounds):
            for name, contestant in list(everyone.items()):
                if name != "published" or round_ < args.published_rounds:
                    try:
                        answer = contestant.step()
                    except Ended as end:
                        if name == "ours":
                            raise
                        skipped[name] = str(end)
                        del everyone[name]
                        continue
                    print(f"  {folder.name} B={contexts} {dtype} {threads} thread(s) {name}: "
                          f"{answer['cpu_seconds']:.2f} cpu s, {answer['seconds']:.2f} s", flush=True)
            rates.append(ours.ask("rate"))
        gradients = {}
        for name, contestant in everyone.items():
            contestant.ask(f"gradient {work_folder / name}.safetensors")
            gradients[name] = load_file(work_folder / f"{name}.safetensors")["pixel_gradient"].double().flatten()
        rate = median(rates, "multiply_adds_per_cpu_second")  # per thread
        rows = []
        for name in ["ours", *args.against]:
            row = {"model": folder.name, "contexts": contexts, "dtype": dtype, "threads": threads, "device": args.device, "contestant": name,
                   "prefix_tokens": prefix, "suffix_tokens": suffix, "target_tokens": args.target}
            if name in skipped:
                rows.append({**row, "note": skipped[name]})
                continue
            contestant = everyone[name]
            if args.device != "cpu":
                contestant.steps[-1]["peak_bytes"] = device_bytes(contestant) or contestant.steps[-1]["peak_bytes"]
            row.update(seconds=seconds_of(contestant, threads, args.device), wall_seconds=median(contestant.steps, "seconds"),
                       steps=len(contestant.steps), peak_bytes=contestant.steps[-1]["peak_bytes"],
                       loss=contestant.steps[-1]["loss"])
            if name == "ours":
                row.update(multiply_adds=floor, multiply_adds_per_second=rate,
                           share_of_floor=floor / rate / (seconds_of(contestant, threads) * threads) if args.device == "cpu" else None)
            else:
                row.update(ratio=row["seconds"] / seconds_of(ours, threads, args.device),
                           memory_ratio=row["peak_bytes"] / ours.steps[-1]["peak_bytes"],
                           cosine=torch.nn.functional.cosine_similarity(gradients["ours"], gradients[name], dim=0).item())
            rows.append(row)
        return rows
    finally:
        for contestant in everyone.values():
            contestant.close()


def table(rows):
    lines = ["| model | B | dtype | threads | loop | s/step | ours faster by | peak memory | less memory by | cosine | "
             "share of the floor |", "|---|---|---|---|---|---|---|---|---|---|---|"]
    names = {"ours": "**ours**", "published": "published style", "best": "transformers' best"}
    for row in rows:
        head = f"| {row['model']} | {row['contexts']} | {row['dtype']} | {row['threads']} | {names[row['contestant']]} | "
        if "note" in row:
            lines.append(head + f"{row['note']} | | | | | |")
            continue
        peer = row["contestant"] != "ours"
        lines.append(head + f"{row['seconds']:.2f} | {'%.1fx' % row['ratio'] if peer else ''} | "
                     f"{row['peak_bytes'] / 1e9:.2f} GB | {'%.1fx' % row['memory_ratio'] if peer else ''} | "
                     f"{'%.7f' % row['cosine'] if peer else ''} | "
                     f"{'' if peer or row['share_of_floor'] is None else '%.0f %%' % (100 * row['share_of_floor'])} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    listed = lambda text: text.split(",")
    parser.add_argument("--models", type=listed, default=["pocket", "smolvlm-256m", "llava-7b-slice"])
    parser.add_argument("--contexts", type=listed, default=["1", "8"])
    parser.add_argument("--dtypes", type=listed, default=["float32"])
    parser.add_argument("--threads", type=listed, default=["1"], help="0 = all")
    parser.add_argument("--device", default="cpu", help="cpu or cuda: there seconds are the clock's, and memory is the device's")
    parser.add_argument("--against", type=listed, default=["published", "best"])
    parser.add_argument("--prompt", type=int, default=32, help="tokens after the image")
    parser.add_argument("--target", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--published-rounds", type=int, default=1)
    parser.add_argument("--limit", type=float, default=240, help="seconds a step may take to be tried")
    parser.add_argument("--checkpoints", type=Path, default=ROOT / "build/bench")
    parser.add_argument("--server", type=Path, default=ROOT / "build/release/tests/hijack_step")
    parser.add_argument("--rows", type=Path, default=ROOT / "samples/reports/bench/steps.jsonl")
    parser.add_argument("--table", action="store_true")
    args = parser.parse_args()
    if not args.table:
        args.rows.parent.mkdir(parents=True, exist_ok=True)
        for model in args.models:
            folder = ROOT / "samples/pocket" if model == "pocket" else args.checkpoints / model
            for contexts in args.contexts:
                for dtype in args.dtypes:
                    for threads in args.threads:
                        with tempfile.TemporaryDirectory() as work:
                            rows = compare(args, folder, int(contexts), dtype, int(threads) or os.cpu_count(), Path(work))
                        with open(args.rows, "a", encoding="utf-8") as file:
                            file.writelines(json.dumps(row) + "\n" for row in rows)
    print(table([json.loads(line) for line in args.rows.read_text(encoding="utf-8").splitlines()]))


if __name__ == "__main__":
    main()
