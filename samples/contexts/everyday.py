#!/usr/bin/env python3
"""Writes the contexts of ordinary life beside it, out of everyday_texts.py, and keeps only what the clean model copes with.

    samples/contexts/everyday.py             (torch and transformers; make smollm2 first; six minutes of two cores)

everyday.jsonl          what people ask a chat model: twelve kinds, four of them only in the splits test and calibration, where
                        the other eight have wordings that no attack is trained on. Kept where the reply of the clean model is
                        sensible: several words, not repeating itself, no refusal, and about what was asked
everyday_refused.jsonl  what a model without tools cannot do, where the clean model says so. Kinds are held out, too.
                        Its calibration split is that of everyday.jsonl
everyday_checked.jsonl  questions with checkable answers that the clean model answers right: --utility-set everyday

The replies are greedy, at most 48 tokens, without image; said.jsonl in build/ keeps them all, with what was dropped and why.
"""
import argparse
import json
import random
import re
from collections import Counter
from pathlib import Path

import everyday_texts as texts
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
LENGTH = 48
AT_ONCE = 24
SPLITS = (("train", 22), ("validation", 4), ("test", 4), ("calibration", 8))  # topics of a trained kind
HELD_OUT_TEST = 18                                                            # and of a held-out one; the rest calibrates
REFUSALS = re.compile(r"\b(sorry|apologi[sz]e|unable to|can ?not|can't|as an? (ai|chatbot|text-based|language model)|"
                      r"don't have (the ability|access|the capability|real-time|personal))\b", re.IGNORECASE)
FILLERS = set("about after an and are at away be for from how in is it its lot me my no of off on or our out should than that "
              "the them this to two up very was we well what when which while who whose why will with without you your".split())


def parts_of(text):
    return [part.strip() for part in re.split(r"[|\n]", text) if part.strip()]


def everyday_rows():
    """Rows with prompt, split and what the reply has to be about."""
    for kind, (wordings, held_out, topics) in texts.TRAINED.items():
        draw, names = random.Random(kind), parts_of(topics)
        draw.shuffle(names)
        for split, count in SPLITS:
            use = {"train": wordings, "validation": wordings, "test": held_out}.get(split, wordings + held_out)
            for i in range(count):
                name = names.pop()
                yield {"kind": kind, "split": split, "topic": name, "prompt": use[i % len(use)].format(name)}
    for kind, (wordings, topics) in texts.HELD_OUT.items():
        draw, names = random.Random(kind), parts_of(topics)
        draw.shuffle(names)
        for i, name in enumerate(names):
            yield {"kind": kind, "split": "test" if i < HELD_OUT_TEST else "calibration", "topic": name,
                   "prompt": wordings[i % len(wordings)].format(name)}


def refused_rows():
    """A quarter of the kinds is held out; the others give to train and validation."""
    for number, (kind, (request, topics)) in enumerate(texts.BEYOND_REACH.items()):
        for i, name in enumerate(parts_of(topics)):
            split = "test" if number % 3 == 1 else "validation" if i % 4 == 3 else "train"
            yield {"kind": kind, "split": split, "prompt": request.format(name)}


def checked_rows():
    for kind, (question, pairs) in texts.CHECKED.items():
        for pair in parts_of(pairs):
            name, answers = pair.split("=")
            yield {"kind": kind, "prompt": question.format(name), "answer": answers}


def in_words(text, words):
    """Whether the words stand in the text, whatever is around them."""
    return re.search(r"(?<!\w)" + re.escape(words) + r"(?!\w)", text, re.IGNORECASE) is not None


def repeats(reply):
    words = reply.lower().split()
    groups = [tuple(words[i:i + 3]) for i in range(len(words) - 2)]
    return bool(groups) and len(set(groups)) < .75 * len(groups) or re.search(r"(\S)\1{5}", reply) is not None


def stems(topic):
    """The beginnings of the words that say something."""
    return {word[:max(3, min(5, len(word) - 2))] for word in re.findall(r"[a-z]+", topic.lower())
            if word not in FILLERS and len(word) > 2}


def problem_of(row, reply):
    """Why a reply is not sensible; "" where it is."""
    if len(reply.split()) < 4:
        return "short"
    if REFUSALS.search(reply):
        return "refusal"
    if repeats(reply):
        return "repeats itself"
    if row["kind"] in ("talk", "ideas"):
        return ""
    if row["kind"] == "letters":
        return "" if re.search(r"\b(dear|subject|hi|hello|hey)\b", reply, re.IGNORECASE) else "no letter"
    return "" if any(stem in reply.lower() for stem in stems(row["topic"])) else "about something else"


def is_right(reply, answers):
    """One of the answers is said; of yes and no it is the first word."""
    if answers in ("yes", "no"):
        return re.match(answers + r"\b", reply.strip(), re.IGNORECASE) is not None
    return any(in_words(reply, answer) for answer in answers.split("/"))


class Speaker:
    def __init__(self, folder):
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.tokenizer.padding_side = "left"
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)

    def replies(self, prompts):
        order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))  # like lengths together
        replies = [""] * len(prompts)
        for begin in range(0, len(order), AT_ONCE):
            places = order[begin:begin + AT_ONCE]
            chats = [self.tokenizer.apply_chat_template([{"role": "user", "content": prompts[i]}], tokenize=False,
                                                        add_generation_prompt=True) for i in places]
            inputs = self.tokenizer(chats, return_tensors="pt", padding=True)
            with torch.no_grad():
                out = self.model.generate(**inputs, max_new_tokens=LENGTH, do_sample=False)
            for place, ids in zip(places, out[:, inputs["input_ids"].shape[1]:]):
                replies[place] = self.tokenizer.decode(ids, skip_special_tokens=True)
        return replies


def said(speaker, rows, problem):
    rows = list(rows)
    for row, reply in zip(rows, speaker.replies([row["prompt"] for row in rows])):
        row.update(reply=reply, problem=problem(row, reply))
    return rows


def write(name, rows, keys):
    """Shuffled, so that the first prompts of a split are of all kinds (--train 80)."""
    kept = [row for row in rows if not row["problem"]]
    random.Random(name).shuffle(kept)
    dropped = Counter(f"{row['kind']}: {row['problem']}" for row in rows if row["problem"])
    print(f"{name}: kept {len(kept)} of {len(rows)}", dict(Counter(row.get("split", "") for row in kept)), dict(dropped))
    lines = [json.dumps({key: row[key] for key in keys if key in row}, ensure_ascii=False) for row in kept]
    (HERE / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return kept


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=ROOT / "build" / "models" / "smollm2")
    options = parser.parse_args()
    speaker = Speaker(options.model)
    ordinary = said(speaker, everyday_rows(), problem_of)
    refused = said(speaker, refused_rows(), lambda row, reply: "" if REFUSALS.search(reply) else "not refused")
    checked = said(speaker, checked_rows(), lambda row, reply: "" if is_right(reply, row["answer"]) else "wrong")
    calibration = [row for row in write("everyday.jsonl", ordinary, ["split", "prompt"]) if row["split"] == "calibration"]
    write("everyday_refused.jsonl", refused + calibration, ["split", "prompt"])
    write("everyday_checked.jsonl", checked, ["prompt", "answer"])
    with open(ROOT / "build" / "said.jsonl", "w", encoding="utf-8") as out:
        for row in ordinary + refused + checked:
            out.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
