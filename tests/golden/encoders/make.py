#!/usr/bin/env python3
"""Writes tiny random encoder folders (CLIPModel, SiglipModel, Dinov2Model) and what transformers says about them.

    python tests/golden/encoders/make.py [NAME...]      (transformers 5.23, torch, tokenizers, safetensors; sentencepiece, protobuf)

expected.safetensors of each folder: of each picture `pixel_values`, `embedding` (as get_image_features gives it; DINOv2's
pooler_output), `patches` (last_hidden_state without the class token), `gradient` (of a fixed sum over both to the pixels); of
each text `embedding` and, in expected.json, its ids; `logits_per_image` [pictures, texts] of models that read texts.
"""
import json
import pathlib
import shutil
import sys
import tempfile

import torch
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (BitImageProcessorPil, CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPTokenizer, Dinov2Config, Dinov2Model,
                          SiglipConfig, SiglipImageProcessorPil, SiglipModel, SiglipTokenizer)
from transformers.image_utils import load_image

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "tokenizer")]
import family  # noqa: E402
import unigram  # noqa: E402

PICTURES = ["wide", "tall", "gray", "turned"]
TEXTS = ["A photo of a cat", "  two   dogs, running!", "don't panic: 42 times é", "x"]
# small letters that depend on what is around, what rules rewrite, nothing at all, and what no token is
ODD_TEXTS = ["ΟΔΟΣ ΣΟΣ, ΑΣ'Σ ΑΣ.", "\uff26ull \ufb01re\u2122 \u00bd\u00a0of it\u3000", "", " ?!. ", "\u2581 the\x1ccat \u2581", "no \u2603\u6f22 token", "e\u0301 \u0130"]
SIZES = {"hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 3}


def clip_tokenizer(folder):
    """As CLIPTokenizer: byte-level words that end in </w>, lower case."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trained = CLIPTokenizer().backend_tokenizer
    trained.train_from_iterator(family.CORPUS, trainers.BpeTrainer(vocab_size=900, end_of_word_suffix="</w>", show_progress=False,
                                                                   initial_alphabet=alphabet))
    merges = json.loads(trained.to_str())["model"]["merges"]
    vocabulary = {}
    for token in [*alphabet, *[letter + "</w>" for letter in alphabet], *[a + b for a, b in merges],
                  "<|startoftext|>", "<|endoftext|>"]:
        vocabulary.setdefault(token, len(vocabulary))
    tokenizer = CLIPTokenizer(vocab=vocabulary, merges=[tuple(merge) for merge in merges])
    tokenizer.save_pretrained(folder)
    return tokenizer, len(vocabulary)


def siglip_tokenizer(folder):
    """As SigLIP 2: Gemma's, lower case, an end token and padding."""
    tokenizer = family.gemma_tokenizer(500)
    tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), tokenizer.normalizer])
    tokenizer.post_processor = processors.TemplateProcessing(single="$A <eos>", pair="$A <eos> $B <eos>",
                                                             special_tokens=[("<eos>", 1)])
    tokenizer.save(str(folder / "tokenizer.json"))
    family.write_json(folder / "tokenizer_config.json", {"pad_token": "<pad>", "eos_token": "<eos>",
                                                         "tokenizer_class": "PreTrainedTokenizerFast"})
    return tokenizer, tokenizer.get_vocab_size()


def output(value):
    return value if isinstance(value, torch.Tensor) else value.pooler_output


def describe(folder, model, processor, image_side, texts, class_token):
    model.eval().requires_grad_(False)
    tensors, embeddings = {}, []
    for name in PICTURES:
        picture = load_image(str(HERE.parent / "qwen2_vl" / "images" / ("turned.jpg" if name == "turned" else f"{name}.png")))
        pixels = processor(picture, return_tensors="pt")["pixel_values"].float().requires_grad_()
        embedding, patches = image_side(pixels)
        patches = patches[:, 1:] if class_token else patches
        weights = [torch.sin(torch.arange(x.numel(), dtype=torch.float32)).view(x.shape) for x in (embedding, patches)]
        gradient, = torch.autograd.grad((embedding * weights[0]).sum() + (patches * weights[1]).sum() / patches.shape[1], pixels)
        tensors |= {f"{name}.pixel_values": pixels.detach().contiguous(), f"{name}.embedding": embedding.detach().contiguous(),
                    f"{name}.patches": patches.detach().contiguous(), f"{name}.gradient": gradient.contiguous()}
        embeddings.append(pixels.detach())
    expected = {"pictures": PICTURES, "texts": []}
    logits = []
    for index, (text, ids) in enumerate(texts):
        one = torch.tensor([ids])
        tensors[f"text{index}.embedding"] = output(model.get_text_features(input_ids=one)).contiguous()
        expected["texts"].append({"text": text, "ids": ids})
        logits.append(torch.stack([model(input_ids=one, pixel_values=pixels).logits_per_image[0, 0] for pixels in embeddings]))
    if logits:
        tensors["logits_per_image"] = torch.stack(logits, dim=1).contiguous()
    save_file(tensors, folder / "expected.safetensors")
    (folder / "expected.json").write_text(json.dumps(expected, ensure_ascii=False) + "\n", encoding="utf-8")
    print(folder.name, {name: list(value.shape) for name, value in tensors.items() if name.startswith("wide") or "logits" in name})


def randomized(model):
    family.randomize(model, 7)
    return model


def clip(folder, activation, eos=None):
    tokenizer, size = clip_tokenizer(folder)
    config = CLIPConfig(
        text_config={**SIZES, "hidden_size": 18, "vocab_size": size, "max_position_embeddings": 32, "hidden_act": activation,
                     "eos_token_id": eos or tokenizer.eos_token_id, "bos_token_id": tokenizer.bos_token_id},
        vision_config={**SIZES, "image_size": 28, "patch_size": 7, "hidden_act": activation}, projection_dim=20)
    model = randomized(CLIPModel(config))
    model.save_pretrained(folder)
    processor = CLIPImageProcessorPil(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28})
    processor.save_pretrained(folder)

    def image_side(pixels):
        out = model.vision_model(pixel_values=pixels)
        return model.visual_projection(out.pooler_output), out.last_hidden_state

    texts = [(text, tokenizer(text)["input_ids"]) for text in TEXTS]
    describe(folder, model, processor, image_side, texts, True)
    return model, tokenizer


def make_clip(folder):
    clip(folder, "quick_gelu")


def make_clip_gelu(folder):
    """As laion's folders: erf GELU; the end token by the old rule (eos_token_id 2 of the class: the highest id)."""
    clip(folder, "gelu", eos=2)


def make_open_clip(folder):
    """The weights of a CLIPModel by the names of open_clip."""
    model, _ = clip(folder, "quick_gelu")
    state = model.state_dict()
    tensors = {}
    for side, front in (("vision_model", "visual."), ("text_model", "")):
        for name, tensor in state.items():
            if not name.startswith(side + ".encoder.layers."):
                continue
            number, rest = name[len(side) + len(".encoder.layers."):].split(".", 1)
            block = f"{front}transformer.resblocks.{number}."
            for old, new in (("layer_norm1", "ln_1"), ("layer_norm2", "ln_2"), ("self_attn.out_proj", "attn.out_proj"),
                             ("mlp.fc1", "mlp.c_fc"), ("mlp.fc2", "mlp.c_proj")):
                if rest.startswith(old + "."):
                    tensors[block + new + rest[len(old):]] = tensor
            if rest.startswith("self_attn.q_proj."):
                kind = rest.rsplit(".", 1)[1]
                tensors[block + f"attn.in_proj_{kind}"] = torch.cat(
                    [state[name.replace("q_proj", part)] for part in ("q_proj", "k_proj", "v_proj")])
    for old, new in (("vision_model.embeddings.class_embedding", "visual.class_embedding"),
                     ("vision_model.embeddings.position_embedding.weight", "visual.positional_embedding"),
                     ("vision_model.embeddings.patch_embedding.weight", "visual.conv1.weight"),
                     ("vision_model.pre_layrnorm.weight", "visual.ln_pre.weight"), ("vision_model.pre_layrnorm.bias", "visual.ln_pre.bias"),
                     ("vision_model.post_layernorm.weight", "visual.ln_post.weight"),
                     ("vision_model.post_layernorm.bias", "visual.ln_post.bias"),
                     ("text_model.embeddings.token_embedding.weight", "token_embedding.weight"),
                     ("text_model.embeddings.position_embedding.weight", "positional_embedding"),
                     ("text_model.final_layer_norm.weight", "ln_final.weight"), ("text_model.final_layer_norm.bias", "ln_final.bias"),
                     ("logit_scale", "logit_scale")):
        tensors[new] = state[old]
    tensors["visual.proj"] = state["visual_projection.weight"].T
    tensors["text_projection"] = state["text_projection.weight"].T
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "open_clip_model.safetensors")
    family.write_json(folder / "open_clip_config.json", {
        "model_cfg": {"embed_dim": 20, "quick_gelu": True,
                      "vision_cfg": {"image_size": 28, "patch_size": 7, "layers": 2, "width": 24, "head_width": 8},
                      "text_cfg": {"context_length": 32, "vocab_size": state["text_model.embeddings.token_embedding.weight"].shape[0],
                                   "width": 18, "heads": 3, "layers": 2}},
        "preprocess_cfg": {"mean": [0.48145466, 0.4578275, 0.40821073], "std": [0.26862954, 0.26130258, 0.27577711]}})
    for name in ("config.json", "model.safetensors", "preprocessor_config.json", "processor_config.json"):
        (folder / name).unlink(missing_ok=True)


def describe_siglip(folder, size, positions, special, texts):
    """A folder with random weights; texts: with the ids that its tokenizer gives."""
    config = SiglipConfig(text_config={**SIZES, "vocab_size": size, "max_position_embeddings": positions, **special},
                          vision_config={**SIZES, "image_size": 28, "patch_size": 7})
    model = randomized(SiglipModel(config))
    model.save_pretrained(folder)
    processor = SiglipImageProcessorPil(size={"height": 28, "width": 28})
    processor.save_pretrained(folder)

    def image_side(pixels):
        out = model.vision_model(pixel_values=pixels)
        return out.pooler_output, out.last_hidden_state

    describe(folder, model, processor, image_side, texts, False)


def make_siglip(folder):
    tokenizer, size = siglip_tokenizer(folder)

    def padded(text):
        ids = tokenizer.encode(text).ids
        return ids + [0] * (24 - len(ids))

    describe_siglip(folder, size, 24, {"pad_token_id": 0, "eos_token_id": 1}, [(text, padded(text)) for text in TEXTS])


def spiece_tokenizer(folder):
    """As SigLIP 1 lies on the hub: sentencepiece's own model, and the same as tokenizer.json."""
    rules = {unigram.META: " ", "\t": " ", "\n": " ", "\u00a0": " ", "\u3000": " ", "\ufb01": "fi", "\u2122": "TM", "\u00bd": "1/2",
             "\uff26": "F", "\uff46": "f", "e\u0301": "\u00e9", "i\u0307": "i"}
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as file:
        file.writelines(f"{' '.join(f'{ord(c):X}' for c in old)}\t{' '.join(f'{ord(c):X}' for c in new)}\n" for old, new in rules.items())
        file.flush()
        proto = unigram.spiece([line.lower() for line in family.CORPUS], 160, normalization_rule_tsv=file.name, pad_id=0, eos_id=1, unk_id=2,
                               bos_id=-1)
    proto.trainer_spec.input[:] = []
    proto.normalizer_spec.normalization_rule_tsv = ""
    (folder / "spiece.model").write_bytes(proto.SerializeToString())
    tokenizer = Tokenizer(models.Unigram([(piece.piece, piece.score) for piece in proto.pieces], 2, False))
    tokenizer.normalizer = normalizers.Sequence([
        normalizers.Lowercase(), normalizers.Replace(Regex(r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]"""), ""),
        normalizers.Precompiled(proto.normalizer_spec.precompiled_charsmap), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()])
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in ("<pad>", "</s>", "<unk>")])
    tokenizer.save(str(folder / "tokenizer.json"))
    family.write_json(folder / "tokenizer_config.json", {
        "tokenizer_class": "SiglipTokenizer", "do_lower_case": True, "model_input_names": ["input_ids"], "model_max_length": 64,
        "eos_token": "</s>", "pad_token": "</s>", "unk_token": "<unk>"})
    return SiglipTokenizer.from_pretrained(folder), len(proto.pieces)


def make_siglip1(folder):
    tokenizer, size = spiece_tokenizer(folder)
    texts = [(text, tokenizer(text, padding="max_length")["input_ids"]) for text in [*TEXTS, *ODD_TEXTS]]
    describe_siglip(folder, size, 64, {"pad_token_id": 1, "eos_token_id": 49407, "bos_token_id": 49406}, texts)


def dinov2(folder, **more):
    config = Dinov2Config(hidden_size=24, num_hidden_layers=2, num_attention_heads=3, mlp_ratio=2, patch_size=7, **more)
    model = randomized(Dinov2Model(config))
    model.save_pretrained(folder)
    processor = BitImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 28, "width": 28},
                                     image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225])
    processor.save_pretrained(folder)

    def image_side(pixels):
        out = model(pixel_values=pixels)
        return out.pooler_output, out.last_hidden_state

    describe(folder, model, processor, image_side, [], True)


def make_dinov2(folder):
    """Positions of 5 x 5 patches, resampled to 4 x 4."""
    dinov2(folder, image_size=35)


def make_dinov2_giant(folder):
    """SwiGLU, by the names of the hub's files."""
    dinov2(folder, image_size=28, use_swiglu_ffn=True)


def main():
    torch.set_num_threads(1)
    for make in (make_clip, make_clip_gelu, make_open_clip, make_siglip, make_siglip1, make_dinov2, make_dinov2_giant):
        torch.manual_seed(5)
        folder = HERE / make.__name__.removeprefix("make_")
        if sys.argv[1:] and folder.name not in sys.argv[1:]:
            continue
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        make(folder)
        for file in folder.rglob("*"):
            file.chmod(0o644)


main()
