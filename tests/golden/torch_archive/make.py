#!/usr/bin/env python3
"""State dicts as torch.save writes them, and their tensors as safetensors.

    python make.py      (torch, safetensors; writes *.bin, *.pt and expected.safetensors beside itself)

plain.bin      an OrderedDict with metadata (module.state_dict()), parameters, types, a transposed and an offset view,
               a tied tensor, a scalar, an empty one
wrapped.pt     {"epoch", "state_dict"}, as open_clip and training scripts save it
protocol4.bin  the same with pickle's protocol 4
"""
import collections
import pathlib

import torch
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).resolve().parent


def main():
    torch.manual_seed(0)
    base = torch.randn(4, 6)
    state = collections.OrderedDict(torch.nn.Linear(3, 2).state_dict())
    state._metadata = collections.OrderedDict({"": {"version": 1}, "inner": {"version": 2}})
    state["parameter"] = torch.nn.Parameter(torch.randn(2, 2))
    state["transposed"] = base.t()
    state["offset"] = base[1:, 2:]
    state["whole"] = base
    state["tied"] = state["weight"]
    state["scalar"] = torch.tensor(7)
    state["empty"] = torch.empty(0, 5)
    for name, dtype in (("half", torch.float16), ("brain", torch.bfloat16), ("double", torch.float64),
                        ("int", torch.int32), ("byte", torch.uint8), ("bool", torch.bool)):
        state[name] = (torch.arange(5) % 2 if dtype == torch.bool else torch.arange(5)).to(dtype)
    torch.save(state, HERE / "plain.bin")
    torch.save({"epoch": 3, "name": "x", "best": 0.5, "state_dict": dict(state)}, HERE / "wrapped.pt")
    torch.save(state, HERE / "protocol4.bin", pickle_protocol=4)
    save_file({name: value.detach().clone().contiguous() for name, value in state.items()}, HERE / "expected.safetensors")


if __name__ == "__main__":
    main()
