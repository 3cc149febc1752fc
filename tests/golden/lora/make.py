#!/usr/bin/env python3
"""LoRA adapters as PEFT saves them, for tests/golden/llava/clip_gqa, and the logits of the merged models.

    python make.py      (torch, transformers, peft; writes plain/ and stabilized/ beside itself)

plain        q_proj and gate_proj, of the decoder and, by its name, of the tower
stabilized   use_rslora, all linear layers of the decoder, another rank
"""
import json
import pathlib
import shutil

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import LlavaForConditionalGeneration

HERE = pathlib.Path(__file__).resolve().parent
MODEL = HERE.parent / "llava" / "clip_gqa"
CASES = {
    "plain": LoraConfig(r=2, lora_alpha=6, target_modules=["q_proj", "gate_proj"]),
    "stabilized": LoraConfig(r=3, lora_alpha=2, use_rslora=True, target_modules=r".*language_model.*\.(q|k|v|o|up|down)_proj"),
}


def logits_of(model):
    """Behind the golden folder's first photo, prompt and target: what predicts the target."""
    case = json.loads((MODEL / "expected.json").read_text())["cases"][0]
    ids = torch.tensor([case["input_ids"] + case["target_ids"]])
    pixels = load_file(MODEL / "expected.safetensors")[case["key"].split(".")[0] + ".pixel_values"]
    with torch.no_grad():
        logits = model(input_ids=ids, pixel_values=pixels, attention_mask=torch.ones_like(ids)).logits[0]
    return logits[len(case["input_ids"]) - 1:-1].float().contiguous()


def main():
    expected = {}
    for seed, (name, config) in enumerate(CASES.items()):
        torch.manual_seed(seed)
        model = get_peft_model(LlavaForConditionalGeneration.from_pretrained(MODEL, dtype=torch.float32), config)
        for key, value in model.named_parameters():
            if "lora_" in key:
                torch.nn.init.normal_(value, std=0.3)
        shutil.rmtree(HERE / name, ignore_errors=True)
        model.save_pretrained(HERE / name)
        (HERE / name / "README.md").unlink(missing_ok=True)
        config_file = HERE / name / "adapter_config.json"
        saved = json.loads(config_file.read_text())
        saved["base_model_name_or_path"] = "llava/clip_gqa"
        config_file.write_text(json.dumps(saved, indent=1, sort_keys=True) + "\n")
        loaded = PeftModel.from_pretrained(LlavaForConditionalGeneration.from_pretrained(MODEL, dtype=torch.float32),
                                           HERE / name)
        expected[name] = logits_of(loaded.merge_and_unload())
    save_file(expected, HERE / "expected.safetensors")


if __name__ == "__main__":
    main()
