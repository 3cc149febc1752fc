"""What the make.py of several families share: pictures as users have them, tokenizers, weights, the files of a folder, and what
transformers says about a case."""
import json
import shutil
import sys
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers.image_utils import load_image

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "samples"))
import compare_with_transformers as compare  # noqa: E402

PROMPTS = ["What is in this picture?", "Où est le chat, 12 or 3?\n  Say it."]
TARGETS = ["Sure, it is", "cat 4."]
CORPUS = [
    "What is in this picture? Sure, here it is.", "USER: Describe the image. ASSISTANT: the cat is on the mat",
    "The quick brown fox jumps over the lazy dog.", "Where is the chat? It is here, in the picture of the house.",
    "There are three red circles and a blue square in the image.", "Say it again: the cat sat on the mat.",
] * 4
# tensors' names in memory of transformers 5, and in older files
HUB_NAMES = (("model.vision_tower.", "vision_tower.vision_model."), ("lm_head.", "language_model.lm_head."),
             ("model.language_model.", "language_model.model."), ("model.image_newline", "image_newline"),
             ("model.multi_modal_projector.", "multi_modal_projector."))
PLAIN_NAMES = tuple((new, old.replace("vision_model.", "")) for new, old in HUB_NAMES)
QWEN_NAMES = (("model.visual.", "visual."), ("model.language_model.", "model."))
# tokenizer_config.json of the Qwen2s
QWEN2_TOKENS = {"add_prefix_space": False, "bos_token": None, "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>",
                "tokenizer_class": "Qwen2Tokenizer", "unk_token": None, "errors": "replace"}
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


def llama_tokenizer(size):
    """As Llama's tokenizer.json: byte fallback, prefix space, <s> from the post-processor."""
    bytes_ = [f"<0x{i:02X}>" for i in range(256)]
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    trainer = trainers.BpeTrainer(vocab_size=size - 2, special_tokens=["<unk>", "<s>", "</s>", *bytes_],
                                  show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    raw = json.loads(tokenizer.to_str())
    raw["added_tokens"] = [t for t in raw["added_tokens"] if t["content"] in ("<unk>", "<s>", "</s>")]
    tokenizer = Tokenizer.from_str(json.dumps(raw))
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B",
                                                             special_tokens=[("<s>", 1)])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                           decoders.Strip(" ", 1, 0)])
    tokenizer.add_special_tokens([AddedToken("<image>", special=True, normalized=False),
                                  AddedToken("<pad>", special=True, normalized=True)])
    return tokenizer


def digits_tokenizer(size):
    """As GPT-2 and Qwen2: byte-level BPE with digits split, no begin token."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=size - 1, special_tokens=["<s>", "</s>", "<pad>"], show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.add_special_tokens([AddedToken("<image>", special=True, normalized=False)])
    return tokenizer


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


def write_json(file, value):
    file.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def randomize(model, seed):
    """Weights large enough that every part matters: wide logits, uneven norms, no zero bias."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            noise = torch.randn(weight.shape, generator=generator)
            if weight.dim() > 1:
                fan_in = weight[0].numel()
                scale = 1.0 if "embed_tokens" in name else 0.5 if "embedding.weight" in name else 1.5 / fan_in**0.5
                weight.copy_(noise * (1.0 / fan_in**0.5 if "patch_embedding" in name else scale))
            elif "norm" in name and name.endswith("weight"):
                weight.copy_(1 + 0.2 * noise)
            else:
                weight.copy_(0.2 * noise)
    return model.eval()


def readable(model, tokenizer):
    """Makes lone bytes unlikely, so that replies differ as text where they differ as ids."""
    with torch.no_grad():
        head = model.get_output_embeddings().weight
        for token, index in tokenizer.get_vocab().items():
            if index < len(head) and (token.startswith("<") or (len(token) == 1 and not token.isascii())):
                head[index] *= 0.3
    return model


def write_texts(folder, tokenizer, settings, template, jinja=False):
    """tokenizer.json, tokenizer_config.json, and the chat template as chat_template.jinja or as chat_template.json."""
    tokenizer.save(str(folder / "tokenizer.json"))
    write_json(folder / "tokenizer_config.json", settings)
    if jinja:
        (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    else:
        write_json(folder / "chat_template.json", {"chat_template": template})


def renamed(name, names):
    """A tensor's name in memory of transformers 5 -> as files have it. names: pairs of beginnings, of the one and of the other."""
    return next((old + name[len(new):] for new, old in names if name.startswith(new)), name)


def shift_norms(model, embeddings):
    """Of a Gemma: its norms add one. embeddings: a factor, small enough that a token does not predict itself."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "norm" in name and ("language_model" in name or "mm_soft_emb_norm" in name):
                weight.sub_(1)
            if "embed_tokens" in name:
                weight.mul_(embeddings)


def save_sharded(tensors, folder, shards=3, ends=None):
    """ends: how many of the sorted names each file and those before it hold; by default the files have as many each."""
    names = sorted(tensors)
    ends = ends or [(index + 1) * len(names) // shards for index in range(shards)]
    weight_map = {}
    for index, (begin, end) in enumerate(zip([0, *ends], ends), start=1):
        file = f"model-{index:05d}-of-{len(ends):05d}.safetensors"
        save_file({name: tensors[name].contiguous() for name in names[begin:end]}, folder / file, metadata={"format": "pt"})
        weight_map.update({name: file for name in names[begin:end]})
    total = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    write_json(folder / "model.safetensors.index.json", {"metadata": {"total_size": total}, "weight_map": weight_map})


def save_hub(folder, model, names=(), tied=False, more=None, thirds=(1, 2, 3)):
    """As the hub has it: sharded bf16, renamed, without a tied head, with more tensors beside. Returns the model as transformers
    reads it again, in float32: every weight as it was saved. thirds: of the names, where the files end."""
    tensors = {renamed(name, names): value for name, value in model.to(torch.bfloat16).state_dict().items()
               if not (tied and name == "lm_head.weight") and "position_ids" not in name}
    saved = {**tensors, **(more or {})}
    save_sharded(saved, folder, ends=[third * len(saved) // 3 for third in thirds])
    loaded = type(model).from_pretrained(folder, dtype=torch.float32).eval()
    for name, value in loaded.state_dict().items():
        assert tied and name == "lm_head.weight" or torch.equal(value, tensors[renamed(name, names)].float()), name
    return loaded


class UnclearReply(Exception):
    """Two tokens nearly tie, or the image token was generated: such a reply proves nothing."""


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
ASKED = {"system": "You are kind.", "earlier": [{"user": "Who?", "assistant": "A cat."}], "prompt": "Sure?"}
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
            logits = model(**compare.with_target({**inputs, "pixel_values": pixels}, target, model.config.model_type)).logits.float()
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


def expect_folder(folder, names, gradients=None, dialog=ASKED):
    """expect() of a folder as the script compares it: model and processor as transformers reads them."""
    model, processor = compare.load(folder)

    def inputs_of(picture, context):
        return compare.inputs_of(model, processor, picture, context)
    expect(folder, model, processor.tokenizer, lambda picture, prompt: inputs_of(picture, {"prompt": prompt}), names,
           model.config.image_token_id, model.generation_config.eos_token_id, gradients or names[:2],
           (dialog, lambda picture: inputs_of(picture, dialog)))


def make_all(here, makers, finish=lambda folder, made: None):
    """makers: functions of (folder, seed) that make a checkpoint; those that the command line names, or all. They, or finish with
    what they return, write the expectations; tried until no reply is unclear."""
    torch.set_num_threads(1)
    for make in makers:
        folder = here / make.__name__.removeprefix("make_")
        if len(sys.argv) > 1 and folder.name not in sys.argv[1:]:
            continue
        for seed in range(1, 200):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            try:
                finish(folder, make(folder, seed))
                break
            except UnclearReply:
                continue
        print(f"{folder.name}: seed {seed}")
        for file in folder.rglob("*"):
            file.chmod(0o755 if file.is_dir() else 0o644)
