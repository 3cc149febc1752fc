#!/usr/bin/env python3
"""Folders that SAELens writes, and what it computes with them. SAELENS is where its wheel was unpacked: its own code of the
autoencoders runs, entered without its __init__, which would want datasets and models; of TransformerLens, whose hooks only
watch, an identity stands in."""
import json
import os
import sys
import types
from pathlib import Path

import torch
from safetensors.torch import save_file

HERE = Path(__file__).resolve().parent


def enter(name, folder):
    package = types.ModuleType(name)
    package.__path__ = [str(folder)]
    sys.modules[name] = package
    return package


def saelens():
    root = Path(os.environ["SAELENS"]) / "sae_lens"
    enter("sae_lens", root).__version__ = "6"
    hook_points = enter("transformer_lens.hook_points", "")
    hook_points.HookPoint = torch.nn.Identity
    hook_points.HookedRootModule = type("HookedRootModule", (torch.nn.Module,), {"setup": lambda self: None})
    enter("transformer_lens", "").hook_points = hook_points
    enter("transformer_lens.HookedTransformer", "").HookedRootModule = hook_points.HookedRootModule
    enter("sae_lens.saes", root / "saes")
    enter("sae_lens.loading", root / "loading")
    for name in ("pretrained_sae_loaders", "pretrained_saes_directory"):  # of files on the hub
        module = types.ModuleType(f"sae_lens.loading.{name}")
        module.__getattr__ = lambda attribute: object
        sys.modules[module.__name__] = module
    from sae_lens.saes import jumprelu_sae, standard_sae, topk_sae
    return {"standard": (standard_sae.StandardSAE, standard_sae.StandardSAEConfig, {}),
            "topk": (topk_sae.TopKSAE, topk_sae.TopKSAEConfig, {"k": 3}),
            "topk_rescaled": (topk_sae.TopKSAE, topk_sae.TopKSAEConfig,
                              {"k": 3, "rescale_acts_by_decoder_norm": True}),
            "jumprelu": (jumprelu_sae.JumpReLUSAE, jumprelu_sae.JumpReLUSAEConfig, {"apply_b_dec_to_input": False})}


def main():
    torch.manual_seed(3)
    for name, (kind, config, more) in saelens().items():
        sae = kind(config(d_in=6, d_sae=10, dtype="float32", device="cpu", **{"apply_b_dec_to_input": True, **more}))
        with torch.no_grad():
            for parameter in sae.parameters():
                parameter.copy_(torch.randn_like(parameter) * (0.2 if parameter is getattr(sae, "threshold", None) else 1))
        sae.cfg.metadata.model_name = "tiny"
        sae.cfg.metadata.hook_name = "blocks.4.hook_resid_post"
        folder = HERE / name
        sae.save_model(folder)
        x = torch.randn(7, 6) * 2
        with torch.no_grad():
            latents = sae.encode(x)
            save_file({"x": x, "latents": latents.contiguous(), "reconstructed": sae.decode(latents).contiguous()},
                      folder / "expected.safetensors")
        print(name, sorted(path.name for path in folder.iterdir()), json.loads((folder / "cfg.json").read_text()))


if __name__ == "__main__":
    main()
