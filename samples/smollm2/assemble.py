#!/usr/bin/env python3
"""Puts an eye (a vision tower and a projector) before a text decoder: a LLaVA folder in Hugging Face format, in two shards.

The eye is eye.safetensors (tensors vision_tower.*, multi_modal_projector.*) and eye.json (its configuration and what the
image processor does). <image> takes the place of a special token that the decoder does not use; the chat template is the
decoder's ChatML with the image before the text of the user's turn. Nothing else of the decoder changes.
"""
import argparse
import filecmp
import json
import shutil
import sys
import tempfile
from pathlib import Path

from safetensors_file import read_safetensors, write_safetensors

HERE = Path(__file__).resolve().parent
UNUSED_TOKEN = "<reponame>"  # of the code corpus; no template and no text holds it
SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
TEMPLATE = (
    "{% for message in messages %}{% if loop.first and message['role'] != 'system' %}{{ '<|im_start|>system\n" + SYSTEM +
    "<|im_end|>\n' }}{% endif %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\n' }}{% endfor %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ content['text'] }}{% endfor %}"
    "{{ '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}")


def fail(sentence):
    sys.exit(f"assemble.py: {sentence}")


def write_json(path, value, indent=2):
    path.write_text(json.dumps(value, ensure_ascii=False, indent=indent) + "\n", encoding="utf-8")


def check_fit(eye, vision, width):
    def shape(name):
        return eye[name][1] if name in eye else None

    expected = {"multi_modal_projector.linear_2.weight": [width, width],
                "vision_tower.embeddings.patch_embedding.weight": [vision["hidden_size"], 3, vision["patch_size"],
                                                                  vision["patch_size"]]}
    for name, wanted in expected.items():
        if shape(name) != wanted:
            fail(f"{name} of the eye has the shape {shape(name)} instead of {wanted}; eye.safetensors, eye.json and the "
                 "decoder do not belong together")


def write_texts(folder, decoder, about):
    text = json.loads((decoder / "config.json").read_text())
    tokenizer = json.loads((decoder / "tokenizer.json").read_text(encoding="utf-8"))
    places = [token for token in tokenizer["added_tokens"] if token["content"] == UNUSED_TOKEN]
    if len(places) != 1:
        fail(f"{decoder}/tokenizer.json has no special token {UNUSED_TOKEN} that <image> could take the place of")
    token = places[0]["id"]
    places[0]["content"] = "<image>"
    vocabulary = tokenizer["model"]["vocab"]
    tokenizer["model"]["vocab"] = {"<image>" if name == UNUSED_TOKEN else name: index for name, index in vocabulary.items()}
    write_json(folder / "tokenizer.json", tokenizer, indent=None)
    config = {"architectures": ["LlavaForConditionalGeneration"], "model_type": "llava", "dtype": text["dtype"],
              "image_token_index": token, "image_seq_length": image_tokens(about["vision_config"]),
              "tie_word_embeddings": text["tie_word_embeddings"], "text_config": text, **{
                  name: about[name] for name in ("vision_config", "vision_feature_layer", "vision_feature_select_strategy",
                                                 "projector_hidden_act", "multimodal_projector_bias")}}
    write_json(folder / "config.json", config)
    write_json(folder / "preprocessor_config.json", about["preprocessor_config"])
    write_json(folder / "processor_config.json",
               {"processor_class": "LlavaProcessor", "image_token": "<image>", "num_additional_image_tokens": 1,
                "patch_size": about["vision_config"]["patch_size"],
                "vision_feature_select_strategy": about["vision_feature_select_strategy"]})
    of_tokenizer = json.loads((decoder / "tokenizer_config.json").read_text())
    of_tokenizer.pop("chat_template", None)
    write_json(folder / "tokenizer_config.json", {**of_tokenizer, "image_token": "<image>",
                                                 "extra_special_tokens": {"image_token": "<image>"},
                                                 "processor_class": "LlavaProcessor"})
    (folder / "chat_template.jinja").write_text(TEMPLATE, encoding="utf-8")
    for name in ("generation_config.json", "LICENSE"):
        if (decoder / name).exists():
            shutil.copy(decoder / name, folder / name)


def image_tokens(vision):
    return (vision["image_size"] // vision["patch_size"]) ** 2


def write_weights(folder, decoder, eye):
    tensors = {f"language_model.{name}": value for name, value in read_safetensors(decoder / "model.safetensors").items()}
    tensors.update(eye)
    total = sum(len(data) for _, _, data in tensors.values())
    shards, seen = ({}, {}), 0
    for name in sorted(tensors):
        shards[2 * seen >= total][name] = tensors[name]
        seen += len(tensors[name][2])
    weight_map = {}
    for index, shard in enumerate(shards):
        file = f"model-{index + 1:05d}-of-00002.safetensors"
        write_safetensors(folder / file, shard)
        weight_map.update({name: file for name in shard})
    write_json(folder / "model.safetensors.index.json", {"metadata": {"total_size": total}, "weight_map": weight_map})


def same(one, other):
    names = sorted(file.name for file in one.iterdir())
    return (other.is_dir() and names == sorted(file.name for file in other.iterdir())
            and not any(filecmp.cmpfiles(one, other, names, shallow=False)[1:]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--decoder", type=Path, required=True, help="folder of the text decoder (convert.py)")
    parser.add_argument("--eye", type=Path, default=HERE, help="folder with eye.safetensors and eye.json")
    parser.add_argument("--out", type=Path, required=True, help="the folder to be written")
    options = parser.parse_args()
    for needed in (options.decoder / "model.safetensors", options.eye / "eye.safetensors", options.eye / "eye.json"):
        if not needed.exists():
            fail(f"{needed} is not there")
    about = json.loads((options.eye / "eye.json").read_text())
    eye = read_safetensors(options.eye / "eye.safetensors")
    check_fit(eye, about["vision_config"], json.loads((options.decoder / "config.json").read_text())["hidden_size"])
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.out.parent) as scratch:
        folder = Path(scratch) / "folder"
        folder.mkdir()
        write_texts(folder, options.decoder, about)
        write_weights(folder, options.decoder, eye)
        if same(folder, options.out):
            print(f"{options.out} is there already")
            return
        shutil.rmtree(options.out, ignore_errors=True)
        folder.rename(options.out)
    print(f"{options.out}: an eye of {sum(len(data) for _, _, data in eye.values()) / 1e6:.1f} MB before {options.decoder}")


if __name__ == "__main__":
    main()
