#!/usr/bin/env python3
"""The same attack step in transformers, one at a time, as told on the standard input (driven by side_by_side.py).

    peer.py MODEL_DIR MODE dtype=float32 threads=0 device=cpu

MODE published: as published loops do it: the image repeated for every context, eager attention, the loss from `labels=`
                over all positions; weights frozen (published loops often even leave them trainable)
MODE best:      transformers' own best switches: frozen weights, SDPA, logits at the target only; the image is still
                repeated, because its API has no other way
Commands as in step_server.cpp: "inputs FILE" reads what that wrote; "step", "gradient FILE", "quit".
"""
import json
import sys
import time

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForImageTextToText


def process_memory():
    fields = {}
    with open("/proc/self/status", encoding="ascii") as status:
        for line in status:
            key, value = line.split(":", 1)
            fields[key] = value.split()
    kilobytes = {key: int(fields[key][0]) * 1024 for key in ("VmHWM", "VmRSS", "RssFile")}
    return {"peak_bytes": kilobytes["VmHWM"], "resident_bytes": kilobytes["VmRSS"],
            "mapped_file_bytes": kilobytes["RssFile"]}


def reset_peak_memory():
    with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
        file.write("5")


class Peer:
    def __init__(self, folder, mode, dtype, device):
        self.published = mode == "published"
        self.autocast = dtype == "autocast"
        self.dtype = torch.float32 if self.autocast else getattr(torch, dtype)
        self.model = AutoModelForImageTextToText.from_pretrained(
            folder, dtype=self.dtype, attn_implementation="eager" if self.published else "sdpa")
        self.model.eval().requires_grad_(False).to(device)
        self.device = device
        self.gradient = None

    def inputs(self, file):
        tensors = load_file(file)
        target = tensors["target_ids"]
        self.ids = torch.cat([tensors["input_ids"], target], dim=1)
        self.targets = target
        self.pixels = tensors["pixel_values"].to(self.dtype).to(self.device)
        self.ids, self.targets = self.ids.to(self.device), self.targets.to(self.device)
        return {"tokens": tensors["input_ids"].shape[1]}

    def picture(self, pixels):
        """The image once for every context, as this family's forward takes it."""
        contexts = len(self.ids)
        family = self.model.config.model_type
        if family == "llava":
            return {"pixel_values": pixels.expand(contexts, -1, -1, -1)}
        repeated = {"pixel_values": pixels.unsqueeze(0).expand(contexts, -1, -1, -1, -1)}
        if family == "llava_onevision":
            side = pixels.shape[-1]
            repeated["image_sizes"] = torch.tensor([[side, side]] * contexts)
            if len(pixels) == 1:  # several images in a batch are taken as single views
                repeated["batch_num_images"] = torch.tensor([max(contexts, 2)])
        return repeated

    def step(self):
        begin, cpu_begin = time.perf_counter(), time.process_time()
        pixels = self.pixels.clone().requires_grad_()
        settings = {"input_ids": self.ids, "attention_mask": torch.ones_like(self.ids), "use_cache": False}
        with torch.autocast(self.pixels.device.type, torch.bfloat16, enabled=self.autocast):
            loss = self.loss(settings, pixels)
        self.gradient, = torch.autograd.grad(loss, pixels)
        self.gradient = self.gradient.cpu()  # waits for the device
        return {"seconds": time.perf_counter() - begin, "cpu_seconds": time.process_time() - cpu_begin,
                "loss": loss.item()}

    def loss(self, settings, pixels):
        length = self.targets.shape[1]
        if self.published:
            labels = self.ids.clone()
            labels[:, :-length] = -100
            return self.model(**settings, **self.picture(pixels), labels=labels).loss
        logits = self.model(**settings, **self.picture(pixels), logits_to_keep=length + 1).logits[:, :-1]
        return torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), self.targets.flatten())

    def write_gradient(self, file):
        save_file({"pixel_gradient": self.gradient.float().contiguous()}, file)
        return {"written": file}


def main():
    folder, mode, *rest = sys.argv[1:]
    settings = dict(text.split("=", 1) for text in rest)
    if int(settings.get("threads", 0)):
        torch.set_num_threads(int(settings["threads"]))
    peer = Peer(folder, mode, settings.get("dtype", "float32"), settings.get("device", "cpu"))
    reset_peak_memory()
    for line in sys.stdin:
        command, _, file = line.strip().partition(" ")
        if command == "quit":
            break
        answer = {"inputs": peer.inputs, "gradient": peer.write_gradient}[command](file) if file else peer.step()
        print(json.dumps({**answer, **process_memory()}), flush=True)


if __name__ == "__main__":
    main()
