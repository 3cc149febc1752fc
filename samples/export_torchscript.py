#!/usr/bin/env python3
"""Writes a model of your own as a folder that `hijack --model` takes (see models/families/torchscript.h for the form).

    export_torchscript.py --out DIR --tokenizer DIR_OR_NAME            (pip install torch transformers)

Exports a small network as an example: put your own in place of Example. forward(input_ids int64 [1,L],
pixel_values float32 [1,3,h,w]) must return logits [1,L,V], take any L, and be differentiable to the pixels: no
torch.no_grad, no .detach(), no conversion to numpy inside. IMAGE_TOKENS image tokens stand in input_ids.
"""
import argparse
import json
from pathlib import Path

import torch
from transformers import AutoTokenizer

SIDE, IMAGE_TOKENS = 224, 49


class Example(torch.nn.Module):
    """Image patches as tokens in front of a recurrent language model."""

    def __init__(self, vocabulary, image_token, width=64):
        super().__init__()
        self.image_token = image_token
        self.patches = torch.nn.Conv2d(3, width, 32, 32)
        self.embedding = torch.nn.Embedding(vocabulary, width)
        self.recurrent = torch.nn.GRU(width, width, batch_first=True)
        self.head = torch.nn.Linear(width, vocabulary)

    def forward(self, input_ids, pixel_values):
        x = self.embedding(input_ids)
        features = self.patches(pixel_values).flatten(2).transpose(1, 2)  # [1,49,D]
        place = (input_ids == self.image_token).unsqueeze(-1)
        x = x.masked_scatter(place, features)
        return self.head(self.recurrent(x)[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tokenizer", required=True, help="of your model")
    args = parser.parse_args()
    args.out.mkdir(parents=True)
    tokenizer = AutoTokenizer.from_pretrained(args.tokenizer)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
    tokenizer.save_pretrained(args.out)  # tokenizer.json
    image_token = tokenizer.convert_tokens_to_ids("<image>")

    torch.manual_seed(0)
    model = Example(len(tokenizer), image_token).eval().requires_grad_(False)
    # script follows every path; torch.jit.trace(model, (ids, pixels)) works where nothing depends on the values
    torch.jit.script(model).save(str(args.out / "model.pt"))

    (args.out / "config.json").write_text(json.dumps({
        "model_type": "torchscript", "script": "model.pt", "prompt": "USER: <image>\n{prompt} ASSISTANT:",
        "image_token": "<image>", "image_tokens": IMAGE_TOKENS, "max_position_embeddings": 2048,
        "eos_token_id": tokenizer.eos_token_id}, indent=1))
    (args.out / "preprocessor_config.json").write_text(json.dumps({
        "image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": SIDE},
        "crop_size": {"height": SIDE, "width": SIDE}, "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711], "resample": 3}, indent=1))


if __name__ == "__main__":
    main()
