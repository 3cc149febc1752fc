"""Writes golden.json: what transformers renders for every template of templates.py and every conversation, with
contents that are a text and contents that are a list of parts; null where it refuses. Needs transformers."""
import json
import pathlib

from transformers import PreTrainedTokenizerFast
from transformers.utils.chat_template_utils import render_jinja_template

from templates import TEMPLATES

HERE = pathlib.Path(__file__).parent
TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
SYSTEM = ("system", "You are terse.", None)
CONVERSATIONS = [
    [("user", "Hello there", None)],
    [("user", "What is in this picture?", "first")],
    [("user", "What is in this picture?", "last")],
    [SYSTEM, ("user", "Describe it.", "first")],
    [SYSTEM, ("user", "Describe it.", "first"), ("assistant", "A cat's \"bed\".", None), ("user", "Où est-il ?\n12 or 3", None)],
    [("user", "One", None), ("assistant", "<think>\nwhy\n</think>\n\nTwo", None), ("user", "Three", None)],
    [("system", "  Räume\n", None), ("user", "\n  spaces  around\t", None)],
    [SYSTEM, ("user", "a\\b {{ x }}", None), ("assistant", " straße ", None), ("user", "東京 🙂", None), ("assistant", "ok", None),
     ("user", "{% raw %} last\u00a0", "last")],
]


def message(role, text, image, parts):
    if not parts:
        return {"role": role, "content": text}
    content = [{"type": "text", "text": text}]
    if image:
        content.insert(0 if image == "first" else 1, {"type": "image"})
    return {"role": role, "content": content}


def rendered(template, messages):
    try:
        return render_jinja_template([messages], chat_template=template, add_generation_prompt=True, **TOKENS)[0][0]
    except Exception:  # whatever the template or jinja2 says
        return None


def main():
    conversations = [[message(*turn, parts) for turn in turns] for parts in (False, True) for turns in CONVERSATIONS]
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(HERE.parent / "tokenizer" / "qwen2.json"))
    ids = {name: tokenizer.apply_chat_template(conversations[5], chat_template=template, add_generation_prompt=True, return_dict=False,
                                               **TOKENS)
           for name, template in TEMPLATES.items() if rendered(template, conversations[5]) is not None}
    golden = {"tokens": TOKENS, "conversations": conversations,
              "templates": [{"name": name, "template": template, "expected": [rendered(template, one) for one in conversations],
                             "ids": ids.get(name)} for name, template in TEMPLATES.items()]}
    (HERE / "golden.json").write_text(json.dumps(golden, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
