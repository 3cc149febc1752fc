"""What the make.py of several families share: pictures as users have them, and what transformers says about a case."""
import importlib.util
import json
import shutil
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers.image_utils import load_image

HERE = Path(__file__).resolve().parent
spec = importlib.util.spec_from_file_location("llava_make", HERE / "llava" / "make.py")
llava = importlib.util.module_from_spec(spec)
spec.loader.exec_module(llava)
CORPUS, PROMPTS, TARGETS = llava.CORPUS, llava.PROMPTS, llava.TARGETS
randomize, write_json, UnclearReply = llava.randomize, llava.write_json, llava.UnclearReply

QWEN2_PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
                 r"|\s+(?!\S)|\s+")


def pictures(folder):
    """wide, tall, gray and rgba as PNG, and a JPEG that lies on its side (EXIF orientation 6)."""
    generator = torch.Generator().manual_seed(11)
    folder.mkdir(exist_ok=True)
    sizes = {"wide": (37, 61), "tall": (45, 30), "gray": (28, 33), "rgba": (20, 12), "turned": (50, 52)}
    for name, (height, width) in sizes.items():
        y = torch.linspace(0, 1, height).view(-1, 1, 1)
        x = torch.linspace(0, 1, width).view(1, -1, 1)
        color = 0.5 + 0.4 * torch.sin(8 * x + 6 * y + torch.tensor([0.0, 2.1, 4.2])) * torch.cos(5 * y - 2 * x * x)
        color = torch.where((x - 0.5).abs() + (y - 0.6).abs() < 0.3, 1 - color, color)
        color = (color + 0.08 * torch.randn(height, width, 3, generator=generator)).clamp(0, 1)
        picture = Image.fromarray((color * 255).round().to(torch.uint8).numpy())
        if name == "gray":
            picture = picture.convert("L")
        if name == "rgba":
            picture.putalpha(Image.fromarray((255 * (x + 0 * y))[..., 0].round().to(torch.uint8).numpy()))
        if name == "turned":
            exif = Image.Exif()
            exif[0x0112] = 6
            picture.save(folder / "turned.jpg", quality=95, exif=exif)
        else:
            picture.save(folder / f"{name}.png", optimize=True)


def bytelevel_tokenizer(size, special):
    """As Qwen2: NFC, the pattern of Qwen2, byte-level BPE, no begin token."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(QWEN2_PATTERN), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(vocab_size=size - len(special), show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    return tokenizer


def gemma_tokenizer(size, special=()):
    """As Gemma: byte fallback, spaces as U+2581 without a prefix, <bos> from the post-processor."""
    first = ["<pad>", "<eos>", "<bos>", "<unk>"]
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    trainer = trainers.BpeTrainer(vocab_size=size - len(special), show_progress=False,
                                  special_tokens=[*first, *[f"<0x{i:02X}>" for i in range(256)]])
    tokenizer.train_from_iterator(CORPUS, trainer)
    raw = json.loads(tokenizer.to_str())
    raw["added_tokens"] = [token for token in raw["added_tokens"] if token["content"] in first]
    tokenizer = Tokenizer.from_str(json.dumps(raw))
    tokenizer.post_processor = processors.TemplateProcessing(single="<bos> $A", pair="<bos> $A <bos> $B",
                                                             special_tokens=[("<bos>", 2)])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    return tokenizer


def readable(model, tokenizer):
    """Makes lone bytes unlikely, so that replies differ as text where they differ as ids."""
    with torch.no_grad():
        head = model.get_output_embeddings().weight
        for token, index in tokenizer.get_vocab().items():
            if index < len(head) and (token.startswith("<") or (len(token) == 1 and not token.isascii())):
                head[index] *= 0.3
    return model


def save_sharded(tensors, folder, shards=3):
    names = sorted(tensors)
    weight_map = {}
    for index in range(shards):
        part = names[index * len(names) // shards:(index + 1) * len(names) // shards]
        file = f"model-{index + 1:05d}-of-{shards:05d}.safetensors"
        save_file({name: tensors[name].contiguous() for name in part}, folder / file, metadata={"format": "pt"})
        weight_map.update({name: file for name in part})
    total = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    write_json(folder / "model.safetensors.index.json", {"metadata": {"total_size": total}, "weight_map": weight_map})


def with_target(inputs, target, family):
    """Appends the target: text, no part of the image (mm_token_type_ids and Gemma 3's token_type_ids 0); PaliGemma's suffix (1)."""
    suffix = torch.ones_like(target) if family == "paligemma" else torch.zeros_like(target)
    added = {"input_ids": target, "attention_mask": torch.ones_like(target), "token_type_ids": suffix,
             "mm_token_type_ids": torch.zeros_like(target)}
    return {key: torch.cat([value, added[key].to(value.dtype).unsqueeze(0)], dim=1) if key in added else value
            for key, value in inputs.items()}


def reply_of(model, tokenizer, inputs, stop, image_token=None, length=12):
    prompt = inputs["input_ids"].shape[1]
    with torch.no_grad():
        out = model.generate(**inputs, max_new_tokens=length, do_sample=False, output_scores=True,
                             return_dict_in_generate=True, pad_token_id=stop[0] if isinstance(stop, list) else stop,
                             eos_token_id=stop)
    ids = out.sequences[0, prompt:].tolist()
    margins = [float(s[0].topk(2).values.diff().abs()) for s in out.scores]
    if min(margins) < 5e-3 or image_token in ids:
        raise UnclearReply()
    return ids, tokenizer.decode(ids, skip_special_tokens=True), min(margins)


# a system text before the image, and a second turn
DIALOG = {"prompt": "Where is it?", "system": "You are kind.", "earlier": [{"user": "Who?", "assistant": "A cat."}]}


def messages(prompt):
    """What a processor's chat template gets for a prompt, or for a context such as DIALOG: the image in the first user turn."""
    context = prompt if isinstance(prompt, dict) else {"prompt": prompt}
    part = lambda text: {"type": "text", "text": text}  # noqa: E731
    found = [{"role": "system", "content": [part(context["system"])]}] if "system" in context else []
    for index, turn in enumerate([*context.get("earlier", []), {"user": context["prompt"]}]):
        found.append({"role": "user", "content": [*([{"type": "image"}] if index == 0 else []), part(turn["user"])]})
        if "assistant" in turn:
            found.append({"role": "assistant", "content": [part(turn["assistant"])]})
    return found


def expect(folder, model, tokenizer, inputs_of, names, image_token, stop, gradients, dialog=None):
    """inputs_of(picture, prompt) -> the processor's tensors. gradients: pictures whose gradient is kept. dialog: a context
    with "system" and "earlier" turns, and a function of a picture that gives its tensors."""
    model.requires_grad_(False)
    tensors, cases = {}, []
    for name in names:
        file = "turned.jpg" if name == "turned" else f"{name}.png"
        picture = load_image(str(HERE / "qwen2_vl" / "images" / file))
        joint = None
        for index, (prompt, target_text) in enumerate(zip(PROMPTS, TARGETS)):
            inputs = {key: value for key, value in inputs_of(picture, prompt).items() if key != "labels"}
            target = torch.tensor(tokenizer.encode(target_text, add_special_tokens=False))
            pixels = inputs["pixel_values"].float().requires_grad_()
            logits = model(**with_target({**inputs, "pixel_values": pixels}, target, model.config.model_type)).logits.float()
            logits = logits[0, -len(target) - 1:-1]
            loss = torch.nn.functional.cross_entropy(logits, target)
            gradient, = torch.autograd.grad(loss, pixels)
            reply_ids, reply, margin = reply_of(model, tokenizer, inputs, stop, image_token)
            key = f"{name}.{index}"
            if pixels.dim() == 5:  # views of one image
                pixels, gradient = pixels[0], gradient[0]
            tensors[f"{name}.pixel_values"] = pixels.detach().contiguous()
            if index == 0 or name == names[0]:
                tensors[f"{key}.target_logits"] = logits.detach().contiguous()
            if index == 0 and name in gradients:
                tensors[f"{key}.pixel_gradient"] = gradient
            joint = gradient if joint is None else joint + gradient
            cases.append({"key": key, "image": f"../qwen2_vl/images/{file}", "prompt": prompt, "target": target_text,
                          "input_ids": inputs["input_ids"][0].tolist(), "target_ids": target.tolist(),
                          "loss": loss.item(), "reply_ids": reply_ids, "reply": reply})
            print(f"{folder.name} {key}: loss {loss.item():.3f} margin {margin:.4f} {reply!r}")
        if name == names[0]:
            tensors[f"{name}.batch_gradient"] = joint  # of the sum of the contexts' mean losses
    expected = {"cases": cases}
    if dialog:
        ids = dialog[1](load_image(str(HERE / "qwen2_vl" / "images" / f"{names[0]}.png")))["input_ids"][0].tolist()
        expected["dialog"] = {**dialog[0], "input_ids": ids}
    (folder / "expected.json").write_text(json.dumps(expected, ensure_ascii=False) + "\n", encoding="utf-8")
    save_file(tensors, folder / "expected.safetensors")


def make_all(here, makers):
    """makers: functions of (folder, seed) that make a checkpoint and expect(); tried until no reply is unclear."""
    torch.set_num_threads(1)
    for make in makers:
        folder = here / make.__name__.removeprefix("make_")
        for seed in range(1, 200):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            try:
                make(folder, seed)
                break
            except UnclearReply:
                continue
        print(f"{folder.name}: seed {seed}")
        for file in folder.rglob("*"):
            file.chmod(0o755 if file.is_dir() else 0o644)
