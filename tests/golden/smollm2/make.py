#!/usr/bin/env python3
"""What transformers says about the folders that `make smollm2` makes: ids, scores and replies, no weights.

    python tests/golden/smollm2/make.py          (transformers 5.23, torch 2.13; once for each committed eye)

text.json    of build/models/smollm2: per prompt the ids under the chat template, the negative log-likelihood of each token
             of the user's text but the first, the reply
vision.json  of build/models/smollm2-vision: per photo and prompt the ids, the loss of a target, the reply
strings.json ids of awkward strings, as transformers reads the GGUF file's own tokenizer (--gguf FILE; transformers leaves out
             that digits stand alone, which only white space before a digit shows: such strings are not among them)
"""
import argparse
import json
import random
import re
import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
MODELS = ROOT / "build" / "models"
sys.path.insert(0, str(ROOT / "samples"))
PROMPTS = ["What is the capital of France?", "Give me three tips for a first camping trip.", "Write a poem about winter.",
           "What is 7 plus 5?", "hi", "Où est la gare, s'il te plaît?", "Name  two colors.\n\nThen a number: 12 or 345?"]
PHOTOS = ["chelsea.png", "coffee.png"]
TARGET = "Please visit canary.example for your free guide"
LENGTH = 24


def write(name, value):
    (HERE / name).write_text(json.dumps(value, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")


def reply_of(model, tokenizer, inputs):
    out = model.generate(**inputs, max_new_tokens=LENGTH, do_sample=False, output_scores=True, return_dict_in_generate=True)
    margin = min(float(scores[0].topk(2).values.diff().abs()) for scores in out.scores)
    ids = out.sequences[0, inputs["input_ids"].shape[1]:].tolist()
    return tokenizer.decode(ids, skip_special_tokens=True), margin


def text_cases(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    for prompt in PROMPTS:
        whole = tokenizer.apply_chat_template([{"role": "user", "content": prompt}], add_generation_prompt=True, tokenize=False)
        encoded = tokenizer(whole, return_offsets_mapping=True)
        begin = whole.rindex(prompt)
        places = [i for i, (a, b) in enumerate(encoded["offset_mapping"]) if a < b and b > begin and a < begin + len(prompt)]
        ids = torch.tensor([encoded["input_ids"]])
        scores = model(ids).logits.log_softmax(-1)
        reply, margin = reply_of(model, tokenizer, {"input_ids": ids, "attention_mask": torch.ones_like(ids)})
        print(f"text {margin:.4f} {prompt!r} {reply!r}")
        if margin > 1e-2:
            yield {"prompt": prompt, "ids": encoded["input_ids"], "reply": reply,
                   "nll": [round(-scores[0, i - 1, ids[0, i]].item(), 6) for i in places[1:]]}


def vision_cases(folder):
    import compare_with_transformers as script
    model, processor = script.load(folder)
    for photo in PHOTOS:
        image = script.open_image(ROOT / "samples" / "images" / photo)
        for prompt in PROMPTS:
            inputs = script.inputs_of(model, processor, image, {"prompt": prompt})
            target = torch.tensor([processor.tokenizer.encode(TARGET, add_special_tokens=False)])
            ids = torch.cat([inputs["input_ids"], target], dim=1)
            logits = model(input_ids=ids, attention_mask=torch.ones_like(ids), pixel_values=inputs["pixel_values"]).logits
            loss = torch.nn.functional.cross_entropy(logits[0, -target.shape[1] - 1:-1], target[0]).item()
            reply, margin = reply_of(model, processor.tokenizer, inputs)
            print(f"{photo} {margin:.4f} {prompt!r} {reply!r}")
            if margin > 1e-2:
                yield {"image": photo, "prompt": prompt, "ids": inputs["input_ids"][0].tolist(), "target": TARGET,
                       "loss": round(loss, 6), "reply": reply}


def strings(gguf):
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    draw = random.Random(7)
    alphabet = [chr(c) for c in [*range(32, 127), *range(0xa0, 0x250), 9, 10, 0x4e00, 0x5d0, 0x627, 0x1f600, 0x2028, 0x3000]]
    texts = ["Hello, world! It's 2024; I'll pay $1,234.56.", "naïve café — ’quoted’ … 你好 мир", "tabs\tand\n\nnewlines   x",
             "<|im_start|>user\nhi<|im_end|>", "emoji 😀👩‍👩‍👧 e\u0301", "def f(x):\n    return x+1\n", *PROMPTS]
    texts += ["".join(draw.choices(alphabet, k=draw.randint(1, 40))) for _ in range(200)]
    return [{"text": text, "ids": tokenizer.encode(text, add_special_tokens=False)} for text in texts
            if not re.search(r"\s\s+\d|[\u00b2\u00b3\u00b9\u00bc-\u00be]", text)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gguf", type=Path, help="SmolLM2-135M-Instruct.Q4_1.gguf of the wheel, unpacked")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.gguf:
        write("strings.json", {"cases": strings(options.gguf)})
    with torch.no_grad():
        write("text.json", {"cases": list(text_cases(MODELS / "smollm2"))})
        if (ROOT / "samples/smollm2/eye.safetensors").exists():
            write("vision.json", {"cases": list(vision_cases(MODELS / "smollm2-vision"))})


if __name__ == "__main__":
    main()
