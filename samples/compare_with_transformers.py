#!/usr/bin/env python3
"""Checks hijack against transformers on a checkpoint of yours.

    pip install torch transformers Pillow safetensors      (torchvision and num2words where transformers asks for them)

    compare_with_transformers.py trace  --model DIR --image F --prompt "…" --target "…" [--views one]
                                        [--max-pixels N] [--hijack build/release/hijack]
        runs `hijack trace` and `hijack chat`; compares ids, pixel values, logits at the target, loss, pixel gradient and
        the greedy reply (without --image those of a language model). Every family of `hijack models --list`.
    compare_with_transformers.py replay RUN [--model DIR] [--limit N]
        loads the PNGs of a run folder in transformers, asks what replies.jsonl says was asked, compares the replies. The
        model is the one that the run's manifest names, here or among the shipped ones; --model names another place
Prints the largest differences with their bounds; exit code 1 where something differs.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import torch
from PIL import Image, ImageOps
from safetensors.torch import load_file
from transformers import (AutoConfig, AutoImageProcessor, AutoModelForCausalLM, AutoModelForImageTextToText,
                          AutoProcessor, AutoTokenizer)
from transformers.models.auto.video_processing_auto import AutoVideoProcessor
from transformers.processing_utils import ProcessorMixin

BOUNDS = {"pixel values": 1e-5, "target logits": 2e-5, "loss": 2e-5, "pixel gradient": 1e-4}


def without_videos():
    """Lets processors of families with videos load where torchvision is missing: only photos are compared."""
    try:
        import torchvision  # noqa: F401
    except ImportError:
        check = ProcessorMixin.check_argument_for_proper_class
        AutoVideoProcessor.from_pretrained = classmethod(lambda *arguments, **options: None)
        ProcessorMixin.check_argument_for_proper_class = (
            lambda self, name, value: None if name == "video_processor" else check(self, name, value))


def cap(pictures, pixels):
    """What --max-pixels does: an image processor of the Qwen-VL families makes at most so many pixels of a photo."""
    most, least = min(pictures.size["longest_edge"], pixels), pictures.size["shortest_edge"]
    token = (pictures.patch_size * pictures.merge_size) ** 2
    pictures.size = {"shortest_edge": least if most > least else token, "longest_edge": most}


def pixtral_processor():
    """PixtralProcessor also where torchvision is missing: it takes one function of sizes from there."""
    from transformers.models.pixtral import image_processing_pil_pixtral as pictures
    try:
        import torchvision  # noqa: F401
    except ImportError:
        sys.modules.setdefault("transformers.models.pixtral.image_processing_pixtral", pictures)
    from transformers.models.pixtral.processing_pixtral import PixtralProcessor
    return PixtralProcessor


def load(folder, max_pixels=0):
    """Model in float32 and processor, with the PIL image processor: the torchvision one differs by a gray level. Of a
    language model, the tokenizer alone stands for the processor."""
    if not hasattr(AutoConfig.from_pretrained(folder), "vision_config"):
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval().requires_grad_(False)
        return model, SimpleNamespace(tokenizer=AutoTokenizer.from_pretrained(folder))
    without_videos()
    allow_first_view()
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval().requires_grad_(False)
    pictures = AutoImageProcessor.from_pretrained(folder, backend="pil")
    if max_pixels and "longest_edge" in dict(pictures.size):
        cap(pictures, max_pixels)
    original = AutoImageProcessor.from_pretrained
    AutoImageProcessor.from_pretrained = classmethod(lambda *arguments, **options: pictures)
    try:
        kind = pixtral_processor() if model.config.model_type == "mistral3" else AutoProcessor
        processor = kind.from_pretrained(folder)
    finally:
        AutoImageProcessor.from_pretrained = original
    if hasattr(processor, "vision_aspect_ratio"):  # old folders say it in config.json only
        processor.vision_aspect_ratio = model.config.vision_aspect_ratio
    if getattr(processor, "video_processor", 0) is None:
        processor.video_processor = SimpleNamespace(num_frames=1, fps=1, size={})  # read when a prompt is rendered
    return model, processor


def allow_first_view():
    """LLaVA-NeXT counts the views of a photo by its size; one of 0 x 0 pixels is one view."""
    from transformers.models.llava_next import modeling_llava_next as module
    count = module.image_size_to_num_patches
    if getattr(count, "one_view", False):
        return
    module.image_size_to_num_patches = lambda image_size, **others: (
        1 if torch.as_tensor(image_size).sum() == 0 else count(image_size=image_size, **others))
    module.image_size_to_num_patches.one_view = True


def open_image(file):
    return ImageOps.exif_transpose(Image.open(file)).convert("RGB")


def conversation(context, with_image):
    """The image belongs to the first user turn."""
    messages = []
    if context.get("system"):
        messages.append({"role": "system", "content": [{"type": "text", "text": context["system"]}]})
    turns = [*context.get("earlier", []), {"user": context["prompt"]}]
    for index, turn in enumerate(turns):
        image = [{"type": "image"}] if with_image and index == 0 else []
        messages.append({"role": "user", "content": [*image, {"type": "text", "text": turn["user"]}]})
        if "assistant" in turn:
            messages.append({"role": "assistant", "content": [{"type": "text", "text": turn["assistant"]}]})
    return messages


def plain(context):
    """Models without chat template (PaliGemma): the texts, each on lines of its own."""
    turns = [text for turn in context.get("earlier", []) for text in (turn["user"], turn["assistant"])]
    return "\n".join([*filter(None, [context.get("system")]), *turns, context["prompt"]])


class Several(int):
    """A number of images that transformers takes for more than one, whatever it is: then each is one view."""

    def __eq__(self, other):
        return False

    def __ne__(self, other):
        return True

    __hash__ = int.__hash__


def special_tokens(processor, text):
    """Whether the tokenizer still has to add its begin token: not where the chat template has written it."""
    begin = processor.tokenizer.bos_token
    return {"add_special_tokens": False} if begin and text.startswith(begin) else {}


def one_view_of_several(processor, image, text):
    """LLaVA-OneVision gives each image one view when a prompt has several: the first of two equal ones, for one image."""
    pixels = torch.as_tensor(processor.image_processor([[image, image]], return_tensors="pt")["pixel_values"][:1, 0])
    count = processor.num_image_tokens + 1 - (processor.vision_feature_select_strategy == "default")
    inputs = dict(processor.tokenizer(text.replace("<image>", "<image>" * count), return_tensors="pt",
                                      **special_tokens(processor, text)))
    return {**inputs, "pixel_values": pixels, "image_sizes": torch.tensor([[image.height, image.width]]),
            "batch_num_images": [Several(1)]}


def first_view(processor, image, text):
    """LLaVA-NeXT's photo squeezed into one view, alone: a photo of 0 x 0 pixels for the model, see load."""
    pixels = torch.as_tensor(processor.image_processor(image, return_tensors="pt")["pixel_values"][:, :1])
    height, width = pixels.shape[-2:]
    count = (height // processor.patch_size) * (width // processor.patch_size) + processor.num_additional_image_tokens + 1
    count -= processor.vision_feature_select_strategy == "default"
    inputs = dict(processor.tokenizer(text.replace("<image>", "<image>" * count), return_tensors="pt",
                                      **special_tokens(processor, text)))
    return {**inputs, "pixel_values": pixels, "image_sizes": torch.tensor([[0, 0]])}


def inputs_of_text(tokenizer, context):
    """What a language model is asked; without chat template the texts as they are."""
    messages = [{**message, "content": message["content"][0]["text"]} for message in conversation(context, False)]
    if not tokenizer.chat_template:
        return dict(tokenizer(plain(context), return_tensors="pt"))
    text = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    return dict(tokenizer(text, return_tensors="pt", add_special_tokens=False))


def inputs_of(model, processor, image, context, views="all"):
    """What the processor makes of the context: ids, pixels, and the further tensors that its model wants."""
    if image is None:
        return inputs_of_text(processor.tokenizer, context)
    if model.config.model_type in ("paligemma", "instructblip"):
        text = ("<image>" if model.config.model_type == "paligemma" else "") + plain(context)
    else:
        template = processor.chat_template or processor.tokenizer.chat_template
        text = processor.apply_chat_template(conversation(context, True), chat_template=template, add_generation_prompt=True)
    if views == "one" and model.config.model_type == "llava_onevision":
        return one_view_of_several(processor, image, text)
    if views == "one" and model.config.model_type == "llava_next":
        return first_view(processor, image, text)
    one = {"internvl": {"crop_to_patches": False}}.get(model.config.model_type, {"do_image_splitting": False})
    options = one if views == "one" else {}
    inputs = dict(processor(images=image, text=text, return_tensors="pt", **options, **special_tokens(processor, text)))
    inputs.pop("labels", None)
    if model.config.model_type.startswith("qwen") and "mm_token_type_ids" not in inputs:
        inputs["mm_token_type_ids"] = (inputs["input_ids"] == model.config.image_token_id).int()
    return inputs


def with_target(inputs, target, family):
    """Appends the target: text, no part of the image (mm_token_type_ids and Gemma 3's token_type_ids 0); PaliGemma's suffix (1)."""
    suffix = torch.ones_like(target) if family == "paligemma" else torch.zeros_like(target)
    added = {"input_ids": target, "attention_mask": torch.ones_like(target), "token_type_ids": suffix,
             "mm_token_type_ids": torch.zeros_like(target)}
    return {key: torch.cat([value, added[key].to(value.dtype).unsqueeze(0)], dim=1) if key in added else value
            for key, value in inputs.items()}


def expected_trace(model, processor, image, prompt, target_text, views="all"):
    """The tensors that `hijack trace` writes, from transformers."""
    inputs = inputs_of(model, processor, image, {"prompt": prompt}, views)
    target = torch.tensor(processor.tokenizer.encode(target_text, add_special_tokens=False), dtype=torch.long)
    pixels = None if image is None else inputs["pixel_values"].float().requires_grad_()
    seen = inputs if image is None else {**inputs, "pixel_values": pixels}
    logits = model(**with_target(seen, target, model.config.model_type)).logits[0, -len(target) - 1:-1].float()
    loss = torch.nn.functional.cross_entropy(logits, target)
    if image is None:
        return {"input_ids": inputs["input_ids"][0], "target_ids": target, "target_logits": logits.detach(),
                "loss": loss.detach()}
    gradient, = torch.autograd.grad(loss, pixels)
    return {"input_ids": inputs["input_ids"][0], "pixel_values": pixels.detach(), "target_ids": target,
            "target_logits": logits.detach(), "loss": loss.detach(), "pixel_gradient": gradient}


def reply_of(model, processor, image, context, length, views="all"):
    inputs = inputs_of(model, processor, image, context, views)
    with torch.no_grad():
        ids = model.generate(**inputs, max_new_tokens=length, do_sample=False)
    return processor.tokenizer.decode(ids[0, inputs["input_ids"].shape[1]:], skip_special_tokens=True)


def relative(actual, expected):
    return ((actual - expected).abs().max() / expected.abs().max().clamp_min(1e-30)).item()


def squeezed(tensor):
    """Leading axes of size 1 say nothing."""
    while tensor.dim() > 1 and tensor.shape[0] == 1:
        tensor = tensor[0]
    return tensor


def differences(ours, theirs):
    """{what: (largest difference, bound)}; infinite where shapes or ids differ."""
    result = {}
    for name in ("input_ids", "target_ids"):
        result[name] = (0.0 if torch.equal(ours[name].flatten(), theirs[name].flatten()) else float("inf"), 0.0)
    for what, name in (("pixel values", "pixel_values"), ("target logits", "target_logits"), ("loss", "loss"),
                       ("pixel gradient", "pixel_gradient")):
        if name not in ours and name not in theirs:  # of a language model
            continue
        one, other = squeezed(ours[name]), squeezed(theirs[name])
        if one.shape != other.shape:
            value = float("inf")
        elif name == "pixel_values":
            value = (one - other).abs().max().item()
        else:
            value = relative(one, other)
        result[what] = (value, BOUNDS[what])
    return result


def shown(image, views, max_pixels):
    return ["--image", str(image), "--views", views, "--max-pixels", str(max_pixels)] if image else []


def hijack_trace(program, folder, image, prompt, target, views="all", max_pixels=0):
    with tempfile.TemporaryDirectory() as where:
        out = Path(where) / "trace.safetensors"
        subprocess.run([program, "trace", "--model", str(folder), *shown(image, views, max_pixels), "--prompt", prompt,
                        "--target", target, "--dtype", "float32", "--out", str(out)], check=True, stdout=subprocess.DEVNULL)
        return load_file(out)


def hijack_reply(program, folder, image, prompt, length, views="all", max_pixels=0):
    done = subprocess.run([program, "chat", "--model", str(folder), *shown(image, views, max_pixels), "--prompt", prompt,
                           "--max-new-tokens", str(length), "--dtype", "float32"], check=True, stdout=subprocess.PIPE)
    return done.stdout.decode("utf-8", "replace").removesuffix("\n")


def trace(args):
    model, processor = load(args.model, args.max_pixels)
    image = open_image(args.image) if args.image else None
    looking = (args.views, args.max_pixels)
    found = differences(hijack_trace(args.hijack, args.model, args.image, args.prompt, args.target, *looking),
                        expected_trace(model, processor, image, args.prompt, args.target, args.views))
    for what, (value, bound) in found.items():
        print(f"{'same   ' if value <= bound else 'DIFFERS'} {what}: {value:.1e} (bound {bound:.0e})")
    ours = hijack_reply(args.hijack, args.model, args.image, args.prompt, args.max_new_tokens, *looking)
    theirs = reply_of(model, processor, image, {"prompt": args.prompt}, args.max_new_tokens, args.views)
    same = ours.strip() == theirs.strip()
    print(f"same    reply: {ours!r}" if same else f"DIFFERS reply:\n  hijack       {ours!r}\n  transformers {theirs!r}")
    return same and all(value <= bound for value, bound in found.values())


def rows_of(file):
    """JSON lines; a half-written last line is left out, as hijack does."""
    lines = file.read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines[:-1] if line]


def rows_of_run(run, kind):
    """Of all processes that have written the run: trials.jsonl, or trials.0.jsonl, trials.1.jsonl and so on."""
    return [row for file in sorted(run.glob(f"{kind}.jsonl")) + sorted(run.glob(f"{kind}.[0-9]*.jsonl"))
            for row in rows_of(file)]


def model_folder(named, run, given=""):
    """The folder of a run's model: where the manifest says, beside the run, or among the shipped models; or `given`."""
    if given:
        return given
    data = Path(os.environ.get("HIJACK_DATA", Path(__file__).resolve().parent))
    # how manifests call the models that come with the program, and those that make smollm2 makes
    made = {"made:smollm2": "smollm2-vision", "made:smollm2-text": "smollm2"}.get(named, Path(named).name)
    named = named.removeprefix("shipped:")
    places = [Path(named), run / named, data / named, data / Path(named).name, data.parent / "build" / "models" / made]
    if "HIJACK_MODEL" in os.environ and Path(os.environ["HIJACK_MODEL"]).name == Path(named).name:
        places.append(Path(os.environ["HIJACK_MODEL"]))
    for place in places:
        if (place / "config.json").is_file():
            return str(place)
    sys.exit(f"the model {named} of the run {run} is not there; name its folder with --model DIR")


def reply_length(trial, config, tokenizer):
    """The longest reply that was asked for: the row says it; older rows follow the rule that no target is cut off."""
    if trial.get("reply_tokens"):
        return trial["reply_tokens"]
    target = tokenizer.encode(trial.get("target", ""), add_special_tokens=False)
    return max(config.get("max_new_tokens", 48), len(target) + 4)


def picture_of(trial, row):
    """The file that was shown, relative to the run; of a universal trial that of the row's photo; None for no image."""
    kinds = {"attack": "", "clean": "origin", "noise": "noise"}
    photos = [photo["source_image"] for photo in trial.get("photos", [])]
    number = photos.index(row["photo"]) + 1 if row.get("photo") in photos else 1
    if not trial.get("image_file", "images"):
        return None  # of a language model
    parts = [trial["id"], f"photo{number}" if number > 1 else "", kinds[row["condition"]], "png"]
    return "images/" + ".".join(filter(None, parts))


def can_be_replayed(trial, row):
    """Behind a defense, or with a patch that moves, what was submitted is not the stored file; text_suffix rows carry
    their suffix in the context."""
    moved = trial["constraint_name"] == "moving_patch" and row["condition"] != "clean"
    return row["defense"] == "none" and row["condition"] in ("attack", "clean", "noise") and not moved


def replay(args):
    run = Path(args.run)
    trials = {row["id"]: row for row in rows_of_run(run, "trials")}
    plans = {plan["id"]: plan["config"] for plan in
             json.loads((run / "manifest.json").read_text(encoding="utf-8")).get("plans", [])}
    rows = [row for row in rows_of_run(run, "replies")
            if row["trial"] in trials and can_be_replayed(trials[row["trial"]], row)]
    rows = rows[:args.limit] if args.limit else rows
    models, same, total = {}, Counter(), Counter()
    for row in rows:
        trial = trials[row["trial"]]
        config = plans.get(row["trial"], {})
        folder = model_folder(config.get("model") or trial["model"], run, args.model)
        loaded = (folder, config.get("max_pixels", 0))
        if loaded not in models:
            models[loaded] = load(*loaded)
        length = reply_length(trial, config, models[loaded][1].tokenizer)
        picture = picture_of(trial, row)
        image = open_image(run / picture) if picture else None
        reply = reply_of(*models[loaded], image, row["context"], length, config.get("views", "all"))
        total[row["condition"]] += 1
        if reply.strip() == row["reply"].strip():
            same[row["condition"]] += 1
        else:
            print(f"DIFFERS {row['trial']} {row['condition']} {row['context']['prompt']!r}:\n"
                  f"  hijack       {row['reply']!r}\n  transformers {reply!r}")
    for condition in total:
        print(f"{condition}: {same[condition]} of {total[condition]} replies the same in transformers")
    return bool(total) and same == total


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("trace")
    for name in ("--model", "--prompt", "--target"):
        one.add_argument(name, required=True)
    one.add_argument("--image", help="none for a language model")
    one.add_argument("--hijack", default="build/release/hijack")
    one.add_argument("--views", default="all", choices=["all", "one"])
    one.add_argument("--max-pixels", type=int, default=0)
    one.add_argument("--max-new-tokens", type=int, default=24)
    one.set_defaults(work=trace)
    two = commands.add_parser("replay")
    two.add_argument("run")
    two.add_argument("--model", default="", help="folder of the model, where it lies elsewhere than in the run's rows")
    two.add_argument("--limit", type=int, default=0, help="only the first N replies")
    two.set_defaults(work=replay)
    args = parser.parse_args()
    sys.exit(0 if args.work(args) else 1)


if __name__ == "__main__":
    main()
