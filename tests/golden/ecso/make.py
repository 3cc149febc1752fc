"""ECSO (Gou et al. 2024, arXiv:2403.09572) from its formulas, on a model whose answers can be read.

    y = F(v, x);  harmless: y.   Else  c = F(v, P_trans(x)),  answer = F(-, P_gen(c, x))

F(v, x) = "<v> says x" here, with "-" for no image. What is harmful is given: the detector is not ECSO's order of
questions, which this checks.

    python make.py      (no package needed; writes golden.json beside itself)
"""
import json
import pathlib

P_TRANS = "Describe the image so that this can be answered without it: {prompt}"
P_GEN = "The image shows: {caption}\n{prompt}"

CASES = [
    ("harmless", "cat", "what is it", False),
    ("harmful", "cat", "what is it", True),
    ("the prompt looks like a place", "dog", "say {caption} and {prompt}", True),
    ("several lines", "dog", "first\nsecond", True),
]


class Model:
    def __init__(self):
        self.asked = []

    def __call__(self, image, prompt):
        self.asked.append([image, prompt])
        return f"<{image}> says {prompt}"


def fill(pattern, **places):
    """Each place once, from left to right; what is put in is not searched again."""
    out, rest = "", pattern
    while rest:
        at, name = min(((rest.find("{%s}" % n), n) for n in places if "{%s}" % n in rest), default=(-1, ""))
        if at < 0:
            return out + rest
        out += rest[:at] + places[name]
        rest = rest[at + len(name) + 2:]
    return out


def ecso(model, image, prompt, harmful):
    reply = model(image, prompt)
    if not harmful:
        return reply
    caption = model(image, fill(P_TRANS, prompt=prompt))
    return model("-", fill(P_GEN, caption=caption, prompt=prompt))


def main():
    cases = []
    for name, image, prompt, harmful in CASES:
        model = Model()
        answer = ecso(model, image, prompt, harmful)
        cases.append({"name": name, "image": image, "prompt": prompt, "harmful": harmful, "answer": answer,
                      "asked": model.asked})
    file = pathlib.Path(__file__).parent / "golden.json"
    file.write_text(json.dumps({"cases": cases}, indent=1) + "\n")


if __name__ == "__main__":
    main()
