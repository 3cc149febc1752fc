#!/usr/bin/env python3
"""Makes the tiny random LLaVA checkpoints of this folder and what transformers says about them.

    python tests/golden/llava/make.py [NAME]   (transformers 5.23, torch 2.13, tokenizers, safetensors, Pillow)

clip_gqa  CLIP tower, feature layer -1, Llama with grouped-query attention, fp32, as save_pretrained of transformers 5
hub_bf16  CLIP tower, feature layer -2, as the hub has llava-1.5: sharded bf16, old tensor names, defaults left out of
          config.json, two preprocessor files, chat template as JSON
siglip    SigLIP tower, strategy "full", byte-level tokenizer, tied head, bf16, transformers 5 names
lists     three feature layers side by side, rope of type llama3, bf16
Every folder gets expected.json (texts, ids, losses, replies) and expected.safetensors (numbers, computed in fp32).
"""
import json
import shutil
import sys
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor,
                          PreTrainedTokenizerFast, SiglipVisionConfig)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

HERE = Path(__file__).resolve().parent
TEMPLATE = (
    "{% for message in messages %}{% if message['role'] != 'system' %}{{ message['role'].upper() + ': '}}{% endif %}"
    "{# Render all images first #}{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}"
    "{{ '<image>\n' }}{% endfor %}{# Render all text next #}{% if message['role'] != 'assistant' %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ content['text'] + ' '}}"
    "{% endfor %}{% else %}{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}"
    "{% generation %}{{ content['text'] + ' '}}{% endgeneration %}{% endfor %}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}")
PROMPTS = ["What is in this picture?", "Où est le chat, 12 or 3?\n  Say it."]
TARGETS = ["Sure, it is", "cat 4."]
LLAMA_TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
CORPUS = [
    "What is in this picture? Sure, here it is.", "USER: Describe the image. ASSISTANT: the cat is on the mat",
    "The quick brown fox jumps over the lazy dog.", "Where is the chat? It is here, in the picture of the house.",
    "There are three red circles and a blue square in the image.", "Say it again: the cat sat on the mat.",
] * 4


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


def bytelevel_tokenizer(size):
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


def images():
    """Small pictures with edges and noise: wide and tall color PNG, gray PNG."""
    generator = torch.Generator().manual_seed(5)
    made = {}
    for name, (height, width) in {"wide": (37, 61), "tall": (45, 30), "gray": (28, 33)}.items():
        y = torch.linspace(0, 1, height).view(-1, 1, 1)
        x = torch.linspace(0, 1, width).view(1, -1, 1)
        phase = torch.tensor([0.0, 2.1, 4.2])
        color = 0.5 + 0.4 * torch.sin(9 * x + 5 * y + phase) * torch.cos(4 * y - 3 * x * x)
        color = torch.where(((x - 0.6) ** 2 + (y - 0.4) ** 2 < 0.05), 1 - color, color)
        color = (color + 0.08 * torch.randn(height, width, 3, generator=generator)).clamp(0, 1)
        picture = Image.fromarray((color * 255).round().to(torch.uint8).numpy())
        made[name] = picture.convert("L") if name == "gray" else picture
    (HERE / "images").mkdir(exist_ok=True)
    for name, picture in made.items():
        picture.save(HERE / "images" / f"{name}.png", optimize=True)


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


def model_of(vision, text, tokenizer, seed, **options):
    config = LlavaConfig(vision_config=vision, text_config=text, **options)
    return readable(randomize(LlavaForConditionalGeneration(config), seed), tokenizer)


def readable(model, tokenizer):
    """Makes lone bytes unlikely, so that replies differ as text where they differ as ids."""
    with torch.no_grad():
        head = model.get_output_embeddings().weight
        for token, index in tokenizer.get_vocab().items():
            if token.startswith("<") or (len(token) == 1 and not token.isascii()):
                head[index] *= 0.3
    return model


def make_clip_gqa(folder, seed):
    tokenizer = llama_tokenizer(310)
    image_id = tokenizer.token_to_id("<image>")
    vision = CLIPVisionConfig(hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2,
                              image_size=28, patch_size=7, projection_dim=16)
    text = LlamaConfig(hidden_size=24, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4,
                       num_key_value_heads=2, vocab_size=312, max_position_embeddings=256, rms_norm_eps=1e-5,
                       rope_parameters={"rope_type": "default", "rope_theta": 500.0}, bos_token_id=1, eos_token_id=2)
    model = model_of(vision, text, tokenizer, seed, image_token_index=image_id, vision_feature_layer=-1, image_seq_length=16)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>",
                                   pad_token="<pad>", clean_up_tokenization_spaces=False)
    pictures = CLIPImageProcessorPil(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28})
    processor = LlavaProcessor(pictures, fast, patch_size=7, vision_feature_select_strategy="default",
                               chat_template=TEMPLATE, num_additional_image_tokens=1)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return model, processor


def make_siglip(folder, seed):
    tokenizer = bytelevel_tokenizer(300)
    vision = SiglipVisionConfig(hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=3,
                                image_size=28, patch_size=7, vision_use_head=False)
    text = LlamaConfig(hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=3, head_dim=12,
                       num_key_value_heads=1, vocab_size=304, max_position_embeddings=256, bos_token_id=0,
                       eos_token_id=1, tie_word_embeddings=True)
    model = model_of(vision, text, tokenizer, seed, image_token_index=tokenizer.token_to_id("<image>"), vision_feature_layer=-1,
                     vision_feature_select_strategy="full", projector_hidden_act="gelu_pytorch_tanh",
                     image_seq_length=16, tie_word_embeddings=True)
    model.tie_weights()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>",
                                   clean_up_tokenization_spaces=False)
    pictures = SiglipImageProcessorPil(size={"height": 28, "width": 28}, resample=3)
    processor = LlavaProcessor(pictures, fast, patch_size=7, vision_feature_select_strategy="full",
                               chat_template=TEMPLATE, num_additional_image_tokens=0)
    model.to(torch.bfloat16).save_pretrained(folder)
    processor.save_pretrained(folder)
    return LlavaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval(), processor


def make_lists(folder, seed):
    tokenizer = llama_tokenizer(306)
    vision = CLIPVisionConfig(hidden_size=16, intermediate_size=24, num_hidden_layers=3, num_attention_heads=2,
                              image_size=28, patch_size=7, projection_dim=16, hidden_act="gelu")
    rope = {"rope_type": "llama3", "rope_theta": 500.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 32}
    text = LlamaConfig(hidden_size=24, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, vocab_size=308,
                       max_position_embeddings=256, rope_parameters=rope, bos_token_id=1, eos_token_id=2)
    model = model_of(vision, text, tokenizer, seed, image_token_index=tokenizer.token_to_id("<image>"),
                     vision_feature_layer=[-2, 1, -1], image_seq_length=16)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>",
                                   pad_token="<pad>", clean_up_tokenization_spaces=False)
    pictures = CLIPImageProcessorPil(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28})
    processor = LlavaProcessor(pictures, fast, patch_size=7, vision_feature_select_strategy="default",
                               chat_template=TEMPLATE, num_additional_image_tokens=1)
    model.to(torch.bfloat16).save_pretrained(folder)
    processor.save_pretrained(folder)
    return LlavaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval(), processor


def hub_name(name):
    """transformers 5 in memory -> as llava-1.5 lies on the hub."""
    for new, old in (("model.vision_tower.", "vision_tower.vision_model."), ("lm_head.", "language_model.lm_head."),
                     ("model.language_model.", "language_model.model."),
                     ("model.multi_modal_projector.", "multi_modal_projector.")):
        if name.startswith(new):
            return old + name[len(new):]
    raise ValueError(name)


def make_hub_bf16(folder, seed):
    text = {"_name_or_path": "lmsys/vicuna-7b-v1.5", "architectures": ["LlamaForCausalLM"], "model_type": "llama",
            "hidden_size": 24, "intermediate_size": 32, "num_attention_heads": 4, "num_hidden_layers": 2,
            "max_position_embeddings": 4096, "rms_norm_eps": 1e-05, "torch_dtype": "bfloat16", "vocab_size": 312}
    return make_hub(folder, seed, llama_tokenizer(310), text, TEMPLATE, LLAMA_TOKENS)


def make_hub(folder, seed, tokenizer, text, template, tokens, tied=False, prepare=lambda model: None):
    image_id, pad_id = tokenizer.token_to_id("<image>"), tokenizer.token_to_id("<pad>")
    begin, end = tokenizer.token_to_id(tokens["bos_token"]), tokenizer.token_to_id(tokens["eos_token"])
    vision = {"model_type": "clip_vision_model", "hidden_size": 16, "image_size": 28, "intermediate_size": 24,
              "num_attention_heads": 2, "num_hidden_layers": 3, "patch_size": 7, "projection_dim": 16,
              "vocab_size": 320}
    config = {"architectures": ["LlavaForConditionalGeneration"], "ignore_index": -100,
              "image_token_index": image_id, "model_type": "llava", "pad_token_id": pad_id,
              "projector_hidden_act": "gelu", "text_config": text, "tie_word_embeddings": False,
              "torch_dtype": "bfloat16", "transformers_version": "4.36.0.dev0", "vision_config": vision,
              "vision_feature_layer": -2, "vision_feature_select_strategy": "default"}
    folder.mkdir(parents=True)
    write_json(folder / "config.json", config)
    write_json(folder / "generation_config.json", {"_from_model_config": True, "bos_token_id": begin, "eos_token_id": end,
                                                   "pad_token_id": pad_id, "transformers_version": "4.36.0.dev0"})
    model = randomize(LlavaForConditionalGeneration(LlavaConfig.from_pretrained(folder)), seed)
    prepare(model)
    model = readable(model, tokenizer).to(torch.bfloat16)
    tensors = {hub_name(name): value.contiguous() for name, value in model.state_dict().items()
               if "position_ids" not in name and (name != "lm_head.weight" or not tied)}
    names = sorted(tensors)
    shards = [names[:len(names) // 3], names[len(names) // 3:2 * len(names) // 3], names[2 * len(names) // 3:]]
    weight_map = {}
    for index, part in enumerate(shards, start=1):
        file = f"model-{index:05d}-of-{len(shards):05d}.safetensors"
        save_file({name: tensors[name] for name in part}, folder / file, metadata={"format": "pt"})
        weight_map.update({name: file for name in part})
    total = sum(tensor.numel() * 2 for tensor in tensors.values())
    write_json(folder / "model.safetensors.index.json", {"metadata": {"total_size": total}, "weight_map": weight_map})
    tokenizer.save(str(folder / "tokenizer.json"))
    kind = {"tokenizer_class": text["model_type"].capitalize() + "Tokenizer"}
    write_json(folder / "tokenizer_config.json", {**kind, **tokens, "clean_up_tokenization_spaces": False, "legacy": False})
    write_json(folder / "chat_template.json", {"chat_template": template})
    write_json(folder / "processor_config.json", {"image_token": "<image>", "num_additional_image_tokens": 1,
                                                  "patch_size": 7, "processor_class": "LlavaProcessor",
                                                  "vision_feature_select_strategy": "default"})
    write_json(folder / "preprocessor_config.json", {
        "crop_size": {"height": 28, "width": 28}, "do_center_crop": True, "do_convert_rgb": True,
        "do_normalize": True, "do_rescale": True, "do_resize": True,
        "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_processor_type": "CLIPImageProcessor",
        "image_std": [0.26862954, 0.26130258, 0.27577711], "processor_class": "LlavaProcessor", "resample": 3,
        "rescale_factor": 0.00392156862745098, "size": {"shortest_edge": 28}})
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, clean_up_tokenization_spaces=False, **tokens)
    pictures = CLIPImageProcessorPil.from_pretrained(folder)
    processor = LlavaProcessor(pictures, fast, patch_size=7, vision_feature_select_strategy="default",
                               chat_template=template, num_additional_image_tokens=1)
    loaded = LlavaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    for name, value in loaded.state_dict().items():
        assert name == "lm_head.weight" or torch.equal(value, tensors[hub_name(name)].float()), name
    return loaded, processor


def write_json(file, value):
    file.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def conversation(prompt):
    return [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": prompt}]}]


def inputs_of(processor, picture, messages):
    text = processor.apply_chat_template(messages, add_generation_prompt=True)
    return processor(images=picture, text=text, return_tensors="pt")


def mean_loss(logits, target):
    return torch.nn.functional.cross_entropy(logits, target)


def logits_at(model, inputs, pixels, target):
    ids = torch.cat([inputs["input_ids"], target.unsqueeze(0)], dim=1)
    logits = model(input_ids=ids, pixel_values=pixels, attention_mask=torch.ones_like(ids)).logits.float()
    return logits[0, -len(target) - 1:-1]


class UnclearReply(Exception):
    """Two tokens nearly tie, or the image token was generated: such a reply proves nothing."""


def reply_of(model, processor, inputs, length=16):
    prompt = inputs["input_ids"].shape[1]
    with torch.no_grad():
        out = model.generate(**inputs, max_new_tokens=length, do_sample=False, output_scores=True,
                             return_dict_in_generate=True, pad_token_id=model.config.text_config.eos_token_id)
    ids = out.sequences[0, prompt:].tolist()
    margins = [float(s[0].topk(2).values.diff().abs()) for s in out.scores]
    if min(margins) < 5e-3 or model.config.image_token_index in ids:
        raise UnclearReply()
    return ids, processor.tokenizer.decode(ids, skip_special_tokens=True), min(margins)


def expect(folder, model, processor, pictures):
    model.requires_grad_(False)
    tensors, cases = {}, []
    for picture_name in pictures:
        picture = Image.open(HERE / "images" / f"{picture_name}.png").convert("RGB")
        joint = None
        for index, (prompt, target_text) in enumerate(zip(PROMPTS, TARGETS)):
            inputs = inputs_of(processor, picture, conversation(prompt))
            target = torch.tensor(processor.tokenizer.encode(target_text, add_special_tokens=False))
            pixels = inputs["pixel_values"].float().requires_grad_()
            logits = logits_at(model, inputs, pixels, target)
            loss = mean_loss(logits, target)
            gradient, = torch.autograd.grad(loss, pixels)
            reply_ids, reply, margin = reply_of(model, processor, inputs)
            key = f"{picture_name}.{index}"
            tensors[f"{picture_name}.pixel_values"] = pixels.detach()
            if index == 0 or picture_name == pictures[0]:
                tensors[f"{key}.target_logits"] = logits.detach().contiguous()
            if index == 0:
                tensors[f"{key}.pixel_gradient"] = gradient
            joint = gradient if joint is None else joint + gradient
            cases.append({"key": key, "image": f"images/{picture_name}.png", "prompt": prompt, "target": target_text,
                          "input_ids": inputs["input_ids"][0].tolist(), "target_ids": target.tolist(),
                          "loss": loss.item(), "reply_ids": reply_ids, "reply": reply})
            print(f"{folder.name} {key}: loss {loss.item():.3f} margin {margin:.4f} {reply!r}")
        if picture_name == pictures[0]:
            tensors[f"{picture_name}.batch_gradient"] = joint  # of the sum of the contexts' mean losses
    dialog = [{"role": "system", "content": [{"type": "text", "text": "You are kind."}]}, *conversation("Who?")]
    picture = Image.open(HERE / "images" / f"{pictures[0]}.png").convert("RGB")
    system_ids = inputs_of(processor, picture, dialog)["input_ids"][0].tolist()
    system = {"system": "You are kind.", "prompt": "Who?", "input_ids": system_ids}
    text = json.dumps({"family": "llava", "cases": cases, "system": system}, ensure_ascii=False)
    (folder / "expected.json").write_text(text + "\n", encoding="utf-8")
    save_file(tensors, folder / "expected.safetensors")


def make_all(makers):
    """makers: functions, each with its pictures; those that the command line names, or all."""
    torch.set_num_threads(1)
    for make, pictures in makers:
        if len(sys.argv) > 1 and make.__name__.removeprefix("make_") not in sys.argv[1:]:
            continue
        folder = HERE / make.__name__.removeprefix("make_")
        for seed in range(1, 200):
            shutil.rmtree(folder, ignore_errors=True)
            try:
                expect(folder, *make(folder, seed), pictures)
                break
            except UnclearReply:
                continue
        print(f"{folder.name}: seed {seed}")
        for file in folder.iterdir():
            file.chmod(0o644)


if __name__ == "__main__":
    images()
    make_all([(make_clip_gqa, ["wide", "tall", "gray"]), (make_hub_bf16, ["wide", "gray"]), (make_siglip, ["wide"]),
              (make_lists, ["gray"])])
