#!/usr/bin/env python3
"""Makes tiny random folders as LLaVA's own code writes them, a vision tower beside them, and what transformers says of the
same weights.

    python tests/golden/llava_original/make.py [NAME]   (transformers 5.23, torch 2.13, tokenizers, safetensors, Pillow)

Uses the pictures of tests/golden/qwen2_vl. Prompts are made as LLaVA's code makes them: the conversation as a text, the parts
around "<image>" tokenized by themselves.
clip     a CLIP tower as the hub has it (`CLIPModel`, names `vision_model.`), for --vision-tower and mm_vision_tower
vicuna   llava_llama, two-layer projector, photos padded to a square, sharded bf16; its tower is nowhere: --vision-tower
next     LLaVA-1.6: views with bars and newlines, resolutions as [width, height], ChatML turns; --vision-tower
llama2   calls itself llava, one linear layer, the class token stays, a tuned tower in the weights, LLaMA-2's turns; its
         processor is that of the tower beside it
swapped  a LLaVA of transformers 5 with another tower, in whose place the one beside it is put
"""
import json
import sys
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import save_file
from transformers import (CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration, LlavaNextConfig,
                          LlavaNextForConditionalGeneration, LlavaNextProcessor, PreTrainedTokenizerFast)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.llava_next.image_processing_pil_llava_next import LlavaNextImageProcessorPil

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import family  # noqa: E402

SIDE, PATCH, IMAGE = 21, 7, 311
PICTURES = {"crop_size": {"height": SIDE, "width": SIDE}, "do_center_crop": True, "do_convert_rgb": True, "do_normalize": True,
            "do_resize": True, "feature_extractor_type": "CLIPFeatureExtractor", "resample": 3, "size": SIDE,
            "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711]}
V1 = ("A chat between a curious human and an artificial intelligence assistant. The assistant gives helpful, detailed, and "
      "polite answers to the human's questions.")
LLAMA2 = ("You are a helpful language and vision assistant. You are able to understand the visual content that the user "
          "provides, and assist the user with a variety of tasks using natural language.")


def v1_prompt(turns, system=V1):
    text = system + " "
    for question, answer in turns:
        text += f"USER: {question} ASSISTANT:" + (f" {answer}</s>" if answer else "")
    return text


def llama2_prompt(turns, system=LLAMA2):
    text = ""
    for index, (question, answer) in enumerate(turns):
        head = f"<<SYS>>\n{system}\n<</SYS>>\n\n" if index == 0 else ""
        text += ("<s>" if index else "") + f"[INST] {head}{question} [/INST]" + (f" {answer} </s>" if answer else "")
    return text


def chatml_prompt(turns, system="Answer the questions."):
    text = f"<|im_start|>system\n{system}<|im_end|>"
    for question, answer in turns:
        text += f"<|im_start|>user\n{question}<|im_end|><|im_start|>assistant\n" + (f"{answer}<|im_end|>" if answer else "")
    return text


def ids_of(tokenizer, text, count):
    parts = text.split("<image>")
    ids = tokenizer.encode(parts[0], add_special_tokens=True).ids
    for part in parts[1:]:
        ids += [IMAGE] * count + tokenizer.encode(part, add_special_tokens=False).ids
    return torch.tensor([ids])


def padded(picture, mean):
    """As LLaVA's expand2square."""
    side = max(picture.size)
    square = Image.new("RGB", (side, side), tuple(int(x * 255) for x in mean))
    square.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
    return square


def vision_config():
    return CLIPVisionConfig(hidden_size=16, intermediate_size=24, num_hidden_layers=3, num_attention_heads=2, image_size=SIDE,
                            patch_size=PATCH, projection_dim=16)


def model_of(seed, tokenizer, config_class=LlavaConfig, model_class=LlavaForConditionalGeneration, **options):
    text = LlamaConfig(hidden_size=24, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4, vocab_size=312,
                       max_position_embeddings=512, rms_norm_eps=1e-5)
    config = config_class(vision_config=vision_config(), text_config=text, image_token_index=IMAGE, **options)
    model = family.readable(family.randomize(model_class(config), seed), tokenizer)
    tower = {name.removeprefix("model.vision_tower."): value for name, value in model.state_dict().items()
             if name.startswith("model.vision_tower.")}
    return model, tower


def plain_tokenizer():
    """Llama's without a token for images."""
    raw = json.loads(family.llama_tokenizer(310).to_str())
    gone = {"<image>"}
    raw["added_tokens"] = [token for token in raw["added_tokens"] if token["content"] not in gone]
    raw["model"]["vocab"] = {token: index for token, index in raw["model"]["vocab"].items() if token not in gone}
    return type(family.llama_tokenizer(310)).from_str(json.dumps(raw))


def save_tokenizer(folder, tokenizer):
    tokenizer.save(str(folder / "tokenizer.json"))
    family.write_json(folder / "tokenizer_config.json", {"bos_token": "<s>", "eos_token": "</s>", "tokenizer_class": "LlamaTokenizer"})


def save_tower(seed):
    folder = HERE / "clip"
    folder.mkdir(exist_ok=True)
    _, tower = model_of(1000 + seed, plain_tokenizer())
    tensors = {"vision_model." + name: value.contiguous() for name, value in tower.items()}
    tensors["vision_model.embeddings.position_ids"] = torch.arange((SIDE // PATCH) ** 2 + 1).unsqueeze(0)
    tensors.update({"text_model.embeddings.token_embedding.weight": torch.ones(3, 2), "logit_scale": torch.tensor(2.6),
                    "visual_projection.weight": torch.ones(2, 16), "text_projection.weight": torch.ones(2, 2)})
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    vision = {"hidden_size": 16, "image_size": SIDE, "intermediate_size": 24, "model_type": "clip_vision_model",
              "num_attention_heads": 2, "num_hidden_layers": 3, "patch_size": PATCH, "projection_dim": 2}
    family.write_json(folder / "config.json", {"architectures": ["CLIPModel"], "logit_scale_init_value": 2.6592, "model_type": "clip",
                                               "projection_dim": 2, "text_config": {}, "vision_config": vision})
    family.write_json(folder / "preprocessor_config.json", PICTURES)
    return tower


# tensors' names in memory of transformers 5, and in LLaVA's own files
ORIGINAL_NAMES = (("model.vision_tower.", "model.vision_tower.vision_tower.vision_model."), ("model.language_model.", "model."),
                  ("model.multi_modal_projector.linear_1.", "model.mm_projector.0."),
                  ("model.multi_modal_projector.linear_2.", "model.mm_projector.2."))


def config_of(**options):
    return {"architectures": ["LlavaLlamaForCausalLM"], "bos_token_id": 1, "eos_token_id": 2, "freeze_mm_mlp_adapter": False,
            "hidden_act": "silu", "hidden_size": 24, "initializer_range": 0.02, "intermediate_size": 32,
            "max_position_embeddings": 512, "mm_hidden_size": 16, "mm_use_im_patch_token": False, "mm_use_im_start_end": False,
            "mm_vision_select_feature": "patch", "mm_vision_select_layer": -2, "model_type": "llava_llama",
            "num_attention_heads": 4, "num_hidden_layers": 2, "num_key_value_heads": 4, "pad_token_id": 0, "pretraining_tp": 1,
            "rms_norm_eps": 1e-05, "rope_scaling": None, "tie_word_embeddings": False, "torch_dtype": "float16",
            "transformers_version": "4.31.0", "tune_mm_mlp_adapter": False, "use_cache": True, "use_mm_proj": True,
            "vocab_size": 312, **options}


def one_square(count, pad):
    """A picture -> its tensors and the number of its tokens."""
    pictures = CLIPImageProcessorPil(**{**PICTURES, "size": {"shortest_edge": SIDE}})

    def seen(picture):
        return pictures(padded(picture, PICTURES["image_mean"]) if pad else picture, return_tensors="pt"), count
    return seen


def expect(folder, model, tokenizer, prompt_of, seen, names, token=-200):
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")

    def inputs_of(picture, text):
        tensors, count = seen(picture)
        ids = ids_of(tokenizer, text, count)
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids), **tensors}

    turns = [("<image>\nWho?", "A cat."), ("Sure?", None)]
    family.expect(folder, model, fast, lambda picture, prompt: inputs_of(picture, prompt_of([("<image>\n" + prompt, None)])),
                  names, IMAGE, 2, names[:2],
                  dialog=(family.ASKED, lambda picture: inputs_of(picture, prompt_of(turns, "You are kind."))))
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    for case in [*expected["cases"], expected["dialog"]]:
        case["input_ids"] = [token if index == IMAGE else index for index in case["input_ids"]]
    (folder / "expected.json").write_text(json.dumps(expected, ensure_ascii=False) + "\n", encoding="utf-8")


def with_tower(model, tower):
    state = model.state_dict()
    for name, value in tower.items():
        state["model.vision_tower." + name].copy_(value)
    return model.eval()


def make_vicuna(folder, seed):
    tokenizer = plain_tokenizer()
    model, _ = model_of(seed, tokenizer)
    tensors = {family.renamed(name, ORIGINAL_NAMES): value.to(torch.bfloat16) for name, value in model.state_dict().items()
               if "vision_tower" not in name}
    family.save_sharded(tensors, folder)
    for name, value in model.state_dict().items():
        value.copy_(value.to(torch.bfloat16).float())
    family.write_json(folder / "config.json", config_of(
        _name_or_path="lmsys/vicuna-7b-v1.5", image_aspect_ratio="pad", mm_projector_type="mlp2x_gelu",
        mm_vision_tower="openai/clip-vit-large-patch14-336"))
    save_tokenizer(folder, tokenizer)
    expect(folder, with_tower(model, TOWER), tokenizer, v1_prompt, one_square(9, True), ["wide", "tall", "turned"])


def make_next(folder, seed):
    tokenizer = plain_tokenizer()
    pinpoints = [[21, 42], [42, 42], [63, 21]]  # of transformers: [height, width]
    model, _ = model_of(seed, tokenizer, LlavaNextConfig, LlavaNextForConditionalGeneration, image_grid_pinpoints=pinpoints)
    tensors = {family.renamed(name, ORIGINAL_NAMES): value.contiguous() for name, value in model.state_dict().items() if "vision_tower" not in name}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    family.write_json(folder / "config.json", config_of(
        _name_or_path="liuhaotian/llava-v1.6-34b", image_aspect_ratio="anyres", mm_patch_merge_type="spatial_unpad",
        image_grid_pinpoints=[[width, height] for height, width in pinpoints], mm_projector_type="mlp2x_gelu",
        mm_vision_tower="openai/clip-vit-large-patch14-336", unfreeze_mm_vision_tower=False))
    save_tokenizer(folder, tokenizer)
    pictures = LlavaNextImageProcessorPil(**{**PICTURES, "size": {"shortest_edge": SIDE}}, image_grid_pinpoints=pinpoints)
    counter = LlavaNextProcessor(pictures, PreTrainedTokenizerFast(tokenizer_object=tokenizer), patch_size=PATCH)

    def seen(picture):
        return pictures(picture, return_tensors="pt"), counter._get_number_of_features(picture.height, picture.width, SIDE, SIDE)
    expect(folder, with_tower(model, TOWER), tokenizer, chatml_prompt, seen, ["wide", "tall", "gray"])


def make_llama2(folder, seed):
    tokenizer = plain_tokenizer()
    model, _ = model_of(seed, tokenizer, vision_feature_select_strategy="full", vision_feature_layer=-1)
    with torch.no_grad():  # a linear projector: the second layer passes on, and so does the activation
        model.model.multi_modal_projector.act = torch.nn.Identity()
        model.model.multi_modal_projector.linear_2.weight.copy_(torch.eye(24))
        model.model.multi_modal_projector.linear_2.bias.zero_()
    tensors = {family.renamed(name, ORIGINAL_NAMES).replace("mm_projector.0.", "mm_projector."): value.contiguous()
               for name, value in model.state_dict().items() if "linear_2" not in name}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    family.write_json(folder / "config.json", config_of(
        _name_or_path="llava-llama-2-7b-chat-lightning", model_type="llava", mm_vision_tower="hub/clip",
        mm_vision_select_feature="cls_patch", mm_vision_select_layer=-1))
    save_tokenizer(folder, tokenizer)
    expect(folder, model.eval(), tokenizer, llama2_prompt, one_square(10, False), ["wide", "gray"])


def make_swapped(folder, seed):
    tokenizer = plain_tokenizer()
    tokenizer.add_special_tokens([family.AddedToken("<image>", special=True, normalized=False)])
    model, _ = model_of(seed, tokenizer)
    model.config.image_token_index = tokenizer.token_to_id("<image>")
    model.save_pretrained(folder)
    save_tokenizer(folder, tokenizer)
    (folder / "chat_template.jinja").write_text(
        "{% for message in messages %}{{ message['role'] + ': ' }}{% for part in message['content'] %}{% if part['type'] == 'image' %}"
        "{{ '<image>\n' }}{% else %}{{ part['text'] + ' ' }}{% endif %}{% endfor %}{% endfor %}{{ 'assistant:' }}", encoding="utf-8")
    family.write_json(folder / "processor_config.json", {
        "image_processor": {**PICTURES, "size": {"shortest_edge": SIDE}}, "num_additional_image_tokens": 1, "patch_size": PATCH,
        "processor_class": "LlavaProcessor", "vision_feature_select_strategy": "default"})

    def prompt_of(turns, system=None):
        text = f"system: {system} " if system else ""
        for question, answer in turns:
            text += f"user: {question} " + (f"assistant: {answer} " if answer else "")
        return text + "assistant:"

    model.config.image_token_index = IMAGE
    expect(folder, with_tower(model, TOWER), tokenizer, prompt_of, one_square(9, False), ["tall", "gray"], tokenizer.token_to_id("<image>"))


if __name__ == "__main__":
    torch.set_num_threads(1)
    TOWER = save_tower(0)
    family.make_all(HERE, [make_vicuna, make_next, make_llama2, make_swapped])
