"""What the make.py of Qwen2.5-VL and Qwen3-VL share: tokenizer, template and expectations of a folder as transformers reads
it. The pictures are those of tests/golden/qwen2_vl."""
import importlib.util
import sys
from pathlib import Path

import torch
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE / "chat_template")]
import family  # noqa: E402
from templates import TEMPLATES  # noqa: E402

spec = importlib.util.spec_from_file_location("qwen2_vl_make", HERE / "qwen2_vl" / "make.py")
qwen2_vl = importlib.util.module_from_spec(spec)
spec.loader.exec_module(qwen2_vl)
tokenizer_of, ids_of, TEMPLATE = qwen2_vl.tokenizer_of, qwen2_vl.ids_of, qwen2_vl.TEMPLATE
TEMPLATE_3 = TEMPLATES["qwen3-vl"]
DIALOG = {"prompt": "And now?", "system": "You see what is there.",
          "earlier": [{"user": "What is in this picture?", "assistant": "A cat, 12."}]}


def randomized(model, seed, tokenizer):
    model = family.randomize(model, seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():  # the merger's own norm
            if name.endswith(("merger.ln_q.weight", "merger.norm.weight", ".norm.weight")) and "visual" in name:
                weight.add_(1)
    model = family.readable(model, tokenizer)
    model.tie_weights()
    return model


def finish_small(folder, seed, model, tokenizer, template, processor, **settings):
    """As save_pretrained of transformers 5 writes it, in float32; settings: of the pictures."""
    randomized(model, seed, tokenizer).save_pretrained(folder)
    family.write_texts(folder, tokenizer, family.QWEN2_TOKENS, template, jinja=True)
    pictures = Qwen2VLImageProcessorPil(size={"shortest_edge": 512, "longest_edge": 2400}, patch_size=4, **settings)
    family.write_json(folder / "processor_config.json", {"image_processor": pictures.to_dict(), "processor_class": processor})
    names = ["wide", "tall", "gray", "rgba", "turned"]
    family.expect_folder(folder, names, names[:3], DIALOG)


def finish_hub(folder, seed, model_class, tokenizer, template, names=()):
    """The model of the folder's config.json as the hub has it: bf16, with a tied head; names: of tensors."""
    model = model_class(model_class.config_class.from_pretrained(folder))
    family.write_texts(folder, tokenizer, family.QWEN2_TOKENS, template)
    family.save_hub(folder, randomized(model, seed, tokenizer), names, tied=True)
    family.expect_folder(folder, ["wide", "turned"], dialog=DIALOG)
