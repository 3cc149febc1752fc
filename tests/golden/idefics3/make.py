#!/usr/bin/env python3
"""Makes the tiny random Idefics3 / SmolVLM checkpoints of this folder and what transformers says about them.

    python tests/golden/idefics3/make.py     (transformers 5.23, torch 2.13, tokenizers, safetensors, Pillow)

one_view  idefics3, every image becomes one view of 25 x 25 patches (positions are not the identity there), grouped-query
          attention, own head, fp32, as save_pretrained of transformers 5 writes it
hub_tiles smolvlm as SmolVLM2 lies on the hub: tiles and a global view, smaller than the position table, sharded bf16,
          old spellings, defaults left out, preprocessor_config.json, chat template as JSON
grid19    smolvlm, 19 x 19 patches, no pixel shuffle, tied head, bf16, no splitting, own eps and activation, its own image
          mean
Every folder gets expected.json (texts, ids, losses, replies) and expected.safetensors (numbers, computed in fp32; pixel
values as the bytes before normalization).
"""
import json
import sys
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (Idefics3Config, Idefics3ForConditionalGeneration, Idefics3Processor, LlamaConfig,
                          PreTrainedTokenizerFast, SmolVLMConfig, SmolVLMForConditionalGeneration)
from transformers.image_utils import load_image
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import family  # noqa: E402

TEMPLATE = (
    "<|im_start|>{% for message in messages %}{{message['role'] | capitalize}}"
    "{% if message['content'][0]['type'] == 'image' %}{{':'}}{% else %}{{': '}}{% endif %}"
    "{% for line in message['content'] %}{% if line['type'] == 'text' %}{{line['text']}}"
    "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}")
PROMPTS = ["What is in this picture?", "Où est le chat, 12 or 3?\n\n  Say it."]
TARGETS = ["Sure, it is", " cat 4."]
CORPUS = [*family.CORPUS, "User: here it is.\n\nAssistant: the cat.\n\n", "Assistant: Sure.\n", "User: Who?\n"] * 2
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<empty_output>"]
VIEWS = ["<global-img>", *(f"<row_{r}_col_{c}>" for r in (1, 2) for c in (1, 2)), "<fake_token_around_image>", "<image>",
         "<end_of_utterance>"]


def smol_tokenizer(size, special=SPECIAL, behind=VIEWS):
    """As SmolLM2's: digits alone, byte-level BPE, tokens of views and turns added behind."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=True)])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=size - len(behind), special_tokens=special, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in behind])
    assert tokenizer.get_vocab_size() == size, tokenizer.get_vocab_size()
    return tokenizer


def fast(tokenizer):
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<|im_start|>", eos_token="<end_of_utterance>",
                                   unk_token="<|endoftext|>", pad_token="<|im_end|>", clean_up_tokenization_spaces=False)


def images():
    """Wide, tall and long color PNG, gray PNG, PNG with alpha, JPEG that EXIF turns by 90 degrees."""
    generator = torch.Generator().manual_seed(11)
    (HERE / "images").mkdir(exist_ok=True)
    sizes = {"wide": (37, 61), "tall": (52, 30), "long": (17, 83), "gray": (28, 33), "alpha": (45, 40), "turned": (36, 54)}
    for name, (height, width) in sizes.items():
        y, x = torch.linspace(0, 1, height).view(-1, 1, 1), torch.linspace(0, 1, width).view(1, -1, 1)
        color = 0.5 + 0.45 * torch.sin(7 * x + 6 * y + torch.tensor([0.0, 2.1, 4.2])) * torch.cos(5 * y - 4 * x * y)
        color = torch.where((x - 0.3).abs() + (y - 0.6).abs() < 0.2, 1 - color, color)
        color = (color + 0.08 * torch.randn(height, width, 3, generator=generator)).clamp(0, 1)
        picture = Image.fromarray((color * 255).round().to(torch.uint8).numpy())
        if name == "gray":
            picture = picture.convert("L")
        if name == "alpha":
            picture.putalpha(Image.fromarray(((x * y).view(height, width) * 255).to(torch.uint8).numpy()))
        if name == "turned":
            exif = Image.Exif()
            exif[0x0112] = 6
            picture.save(HERE / "images" / "turned.jpg", quality=92, exif=exif)
        else:
            picture.save(HERE / "images" / f"{name}.png", optimize=True)


def text_config(tokenizer, **options):
    end, start = tokenizer.token_to_id("<end_of_utterance>"), tokenizer.token_to_id("<|im_start|>")
    return LlamaConfig(**{"hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
                          "num_key_value_heads": 2, "vocab_size": 336, "max_position_embeddings": 1024,
                          "rope_parameters": {"rope_type": "default", "rope_theta": 700.0}, "bos_token_id": start,
                          "eos_token_id": end, **options})


def make_one_view(folder, seed):
    tokenizer = smol_tokenizer(330)
    vision = {"hidden_size": 12, "intermediate_size": 20, "num_hidden_layers": 2, "num_attention_heads": 2,
              "image_size": 50, "patch_size": 2}
    config = Idefics3Config(vision_config=vision, text_config=text_config(tokenizer), scale_factor=5,
                            image_token_id=tokenizer.token_to_id("<image>"), pad_token_id=2)
    model = family.readable(family.randomize(Idefics3ForConditionalGeneration(config), seed), tokenizer)
    pictures = Idefics3ImageProcessorPil(size={"longest_edge": 50}, max_image_size={"longest_edge": 50})
    processor = Idefics3Processor(pictures, fast(tokenizer), image_seq_len=25, chat_template=TEMPLATE)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return model, processor


def make_grid19(folder, seed):
    tokenizer = smol_tokenizer(330)
    vision = {"hidden_size": 16, "intermediate_size": 20, "num_hidden_layers": 1, "num_attention_heads": 2,
              "image_size": 57, "patch_size": 3, "hidden_act": "gelu", "layer_norm_eps": 1e-5}
    text = text_config(tokenizer, num_attention_heads=3, num_key_value_heads=1, tie_word_embeddings=True, rms_norm_eps=1e-5)
    config = SmolVLMConfig(vision_config=vision, text_config=text, scale_factor=1, tie_word_embeddings=True,
                           image_token_id=tokenizer.token_to_id("<image>"), pad_token_id=2)
    model = family.readable(family.randomize(SmolVLMForConditionalGeneration(config), seed), tokenizer)
    model.tie_weights()
    pictures = SmolVLMImageProcessorPil(size={"longest_edge": 80}, max_image_size={"longest_edge": 57}, resample=3,
                                        do_image_splitting=False, image_mean=[0.4, 0.5, 0.6], image_std=[0.3, 0.25, 0.2])
    processor = Idefics3Processor(pictures, fast(tokenizer), image_seq_len=361, chat_template=TEMPLATE)
    model.to(torch.bfloat16).save_pretrained(folder)
    processor.save_pretrained(folder)
    return SmolVLMForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval(), processor


def make_hub_tiles(folder, seed):
    tokenizer = smol_tokenizer(330)
    end, start = tokenizer.token_to_id("<end_of_utterance>"), tokenizer.token_to_id("<|im_start|>")
    text = {"_flash_attn_2_enabled": True, "_name_or_path": "None", "architectures": ["VLlama3ForCausalLM"],
            "head_dim": 8, "hidden_size": 24, "intermediate_size": 32, "is_llama_config": True,
            "max_position_embeddings": 8192, "model_type": "llama", "num_attention_heads": 3, "num_hidden_layers": 2,
            "num_key_value_heads": 1, "pad_token_id": 2, "perceiver_config": {"model_type": "vllama3", "attention_dropout": 0.0},
            "qk_layer_norms": False, "rms_norm_eps": 1e-05, "rope_theta": 100000, "torch_dtype": "bfloat16",
            "use_resampler": False, "vocab_size": 336}
    vision = {"hidden_size": 16, "image_size": 30, "intermediate_size": 20, "max_image_size": {"longest_edge": 24},
              "model_type": "smolvlm_vision", "num_attention_heads": 2, "num_hidden_layers": 2, "patch_size": 3,
              "size": {"longest_edge": 48}, "tie_word_embeddings": False, "torch_dtype": "bfloat16",
              "use_base_siglip": True}
    config = {"architectures": ["SmolVLMForConditionalGeneration"], "image_token_id": tokenizer.token_to_id("<image>"),
              "model_type": "smolvlm", "pad_token_id": 2, "text_config": text, "torch_dtype": "bfloat16",
              "transformers_version": "4.47.1", "use_cache": False, "use_reentrant_checkpointing": False,
              "vision_config": vision, "vocab_size": 336}
    write = family.write_json
    write(folder / "config.json", config)
    write(folder / "generation_config.json", {"_from_model_config": True, "bos_token_id": start, "eos_token_id": [end, 0],
                                              "pad_token_id": 2, "transformers_version": "4.47.1"})
    model = family.randomize(SmolVLMForConditionalGeneration(SmolVLMConfig.from_pretrained(folder)), seed)
    loaded = family.save_hub(folder, family.readable(model, tokenizer), thirds=(1, 3))
    family.write_texts(folder, tokenizer, {
        "tokenizer_class": "GPT2Tokenizer", "bos_token": "<|im_start|>", "eos_token": "<end_of_utterance>",
        "unk_token": "<|endoftext|>", "pad_token": "<|im_end|>", "clean_up_tokenization_spaces": False,
        "fake_image_token": "<fake_token_around_image>", "global_image_token": "<global-img>", "image_token": "<image>"}, TEMPLATE)
    write(folder / "processor_config.json", {"image_seq_len": 16, "processor_class": "SmolVLMProcessor"})
    write(folder / "preprocessor_config.json", {
        "do_convert_rgb": True, "do_image_splitting": True, "do_normalize": True, "do_pad": True, "do_rescale": True,
        "do_resize": True, "image_mean": [0.5, 0.5, 0.5], "image_processor_type": "SmolVLMImageProcessor",
        "image_std": [0.5, 0.5, 0.5], "max_image_size": {"longest_edge": 24}, "processor_class": "SmolVLMProcessor",
        "resample": 1, "rescale_factor": 0.00392156862745098, "size": {"longest_edge": 48},
        "video_sampling": {"fps": 1, "max_frames": 64, "video_size": {"longest_edge": 24}}})
    processor = Idefics3Processor(SmolVLMImageProcessorPil.from_pretrained(folder), fast(tokenizer), image_seq_len=16,
                                  chat_template=TEMPLATE)
    return loaded, processor


def conversation(prompt):
    return [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": prompt}]}]


def inputs_of(processor, picture, messages):
    text = processor.apply_chat_template(messages, add_generation_prompt=True)
    return processor(images=[picture], text=[text], return_tensors="pt")


def logits_at(model, inputs, pixels, target):
    ids = torch.cat([inputs["input_ids"], target.unsqueeze(0)], dim=1)
    rest = {key: value for key, value in inputs.items() if key not in ("input_ids", "attention_mask", "pixel_values")}
    logits = model(input_ids=ids, pixel_values=pixels, attention_mask=torch.ones_like(ids), **rest).logits.float()
    return logits[0, -len(target) - 1:-1]


def levels(processor, pixels):
    """The bytes that normalization turned into these values."""
    mean, std = (torch.tensor(x).view(3, 1, 1) for x in (processor.image_processor.image_mean,
                                                          processor.image_processor.image_std))
    bytes_ = ((pixels * std + mean) * 255).round().to(torch.uint8)
    assert ((bytes_ / 255 - mean) / std - pixels).abs().max() < 2e-6
    return bytes_


def expect(folder, kind, model, processor, pictures, fixed=True):
    model.requires_grad_(False)
    tensors, cases = {}, []
    for number, name in enumerate(pictures):
        picture = load_image(str(HERE / "images" / name))
        joint = None
        for index, (prompt, target_text) in enumerate(zip(PROMPTS, TARGETS)):
            inputs = inputs_of(processor, picture, conversation(prompt))
            target = torch.tensor(processor.tokenizer.encode(target_text, add_special_tokens=False))
            pixels = inputs["pixel_values"].float().requires_grad_()
            logits = logits_at(model, inputs, pixels, target)
            loss = torch.nn.functional.cross_entropy(logits, target)
            gradient, = torch.autograd.grad(loss, pixels)
            if index == 0 or number == 0:
                reply_ids, reply, margin = family.reply_of(
                    model, processor.tokenizer, inputs, model.generation_config.eos_token_id, model.config.image_token_id, 16)
            key = f"{name.split('.')[0]}.{index}"
            tensors[f"{name.split('.')[0]}.levels"] = levels(processor, pixels.detach())[0]
            tensors[f"{key}.target_logits"] = logits.detach().contiguous()
            if index == 0 and (number == 0 or number == 1 and pixels.shape[1] < 4):
                tensors[f"{key}.pixel_gradient"] = gradient[0]
            joint = gradient if joint is None else joint + gradient
            cases.append({"key": key, "image": f"../idefics3/images/{name}", "prompt": prompt, "target": target_text,
                          "input_ids": inputs["input_ids"][0].tolist(), "target_ids": target.tolist(),
                          "loss": loss.item(), "reply": reply if index == 0 or number == 0 else None})
            print(f"{folder.name} {key}: {list(pixels.shape)} loss {loss.item():.3f} margin {margin:.4f} {reply!r}")
        if number == 0:
            tensors["batch_gradient"] = joint[0]  # of the sum of the contexts' mean losses
    dialog = [{"role": "system", "content": [{"type": "text", "text": "You are kind."}]}, *conversation("Who?"),
              {"role": "assistant", "content": [{"type": "text", "text": "A cat."}]},
              {"role": "user", "content": [{"type": "text", "text": "Where?"}]}]
    picture = load_image(str(HERE / "images" / pictures[0]))
    ids = inputs_of(processor, picture, dialog)["input_ids"][0].tolist()
    text = processor.apply_chat_template([{"role": "user", "content": [{"type": "text", "text": "Who?"}]}],
                                         add_generation_prompt=True)
    dialog = {"system": "You are kind.", "user": "Who?", "assistant": "A cat.", "prompt": "Where?", "input_ids": ids,
              "text_alone": text}
    value = {"family": kind, "cases": cases, "dialog": dialog, "input_space_is_fixed": fixed, "mean": processor.image_processor.image_mean,
             "std": processor.image_processor.image_std}
    (folder / "expected.json").write_text(json.dumps(value, ensure_ascii=False) + "\n", encoding="utf-8")
    save_file(tensors, folder / "expected.safetensors")


PICTURES = {"one_view": ["wide.png", "gray.png", "turned.jpg"],
            "hub_tiles": ["wide.png", "long.png", "tall.png", "alpha.png", "turned.jpg"], "grid19": ["tall.png", "gray.png"]}


def finish(folder, made):
    expect(folder, made[0].config.model_type, *made, PICTURES[folder.name], fixed=folder.name != "grid19")


if __name__ == "__main__":
    images()
    family.make_all(HERE, [make_one_view, make_hub_tiles, make_grid19], finish)
