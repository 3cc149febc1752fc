#!/usr/bin/env python3
"""Makes the seeds of tests/fuzz/corpus from the golden data and from small files made here (fixed content).

    python tests/fuzz/make_corpus.py      (Pillow; what a fuzzer finds is added by hand, under a name that says what it was)
"""
import io
import json
import shutil
import struct
import zipfile
from pathlib import Path

from PIL import Image

HERE = Path(__file__).resolve().parent
GOLDEN = HERE.parent / "golden"
CORPUS = HERE / "corpus"


def put(target, name, data):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())


def stored(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def tensor(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def safetensors():
    two = {"a": tensor("F32", [2, 3], 0, 24), "b": tensor("BF16", [4], 24, 32)}
    cases = {
        "two": stored(two, bytes(32)), "metadata": stored({"__metadata__": {"format": "pt"}, **two}, bytes(32)),
        "scalar_and_empty": stored({"s": tensor("I64", [], 0, 8), "e": tensor("F16", [0, 5], 8, 8)}, bytes(8)),
        "bool_unaligned": stored({"m": tensor("BOOL", [3], 0, 3), "f": tensor("F64", [1], 3, 11)}, bytes(11)),
        "truncated": stored(two, bytes(31)), "longer": stored(two, bytes(33)),
        "gap": stored({"a": tensor("U8", [1], 1, 2)}, bytes(2)),
        "overlap": stored({"a": tensor("U8", [2], 0, 2), "b": tensor("U8", [2], 1, 3)}, bytes(3)),
        "overflow": stored({"a": tensor("F32", [1 << 62, 8], 0, 32)}, bytes(32)),
        "negative": stored({"a": tensor("F32", [-1], 0, 4)}, bytes(4)), "huge_header": stored(two, b"", (1 << 64) - 8),
        "twice": stored(b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],'
                        b'"data_offsets":[0,1]}}', b"x"),
        "odd_dtype": stored({"a": tensor("F8_E4M3", [1], 0, 1)}, b"x"), "padded": stored(b"{}       "), "nothing": b"",
    }
    for name, data in cases.items():
        put("safetensors", name, data)


def trimmed(tokenizer):
    """The first words and merges only."""
    model = tokenizer["model"]
    if "merges" not in model:
        return tokenizer
    words = sorted(model["vocab"], key=model["vocab"].get)
    kept = [word for word in words if model["vocab"][word] < 280 or len(word) < 2][:330]
    model["vocab"] = {word: model["vocab"][word] for word in kept}
    pairs = [merge.split(" ", 1) if isinstance(merge, str) else merge for merge in model["merges"]]
    model["merges"] = [merge for merge, pair in zip(model["merges"], pairs)
                       if all(part in model["vocab"] for part in (*pair, "".join(pair)))][:30]
    return tokenizer


def tokenizers():
    for file in sorted((GOLDEN / "tokenizer").glob("*.json")):
        if file.name != "strings.json":
            text = json.dumps(trimmed(json.loads(file.read_text(encoding="utf-8"))), ensure_ascii=False,
                              separators=(",", ":"))
            put("tokenizer", file.name, text)
    model = {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2, "<unk>": 3}, "merges": ["a b"], "unk_token": "<unk>"}
    put("tokenizer", "small.json", json.dumps({"model": model, "added_tokens": []}))
    put("tokenizer", "regex.json", json.dumps({"model": model, "pre_tokenizer": {
        "type": "Split", "pattern": {"Regex": "(a+)+$|\\s+(?!\\S)"}, "behavior": "Isolated", "invert": False}}))
    put("tokenizer", "same_id.json", json.dumps({"model": {**model, "vocab": {"a": 0, "b": 0}}}))
    put("tokenizer", "growing.json", json.dumps({"model": model, "normalizer": {
        "type": "Sequence", "normalizers": [{"type": "Replace", "pattern": {"String": "o"}, "content": "oooooooo"}] * 3}}))


def sentence_pieces():
    """spiece.model: fields as protocol buffers write them."""
    def part(field, data):
        return bytes([field << 3 | 2, len(data)]) + data

    def piece(text, score, kind=1):
        return part(1, part(1, text) + bytes([2 << 3 | 5]) + struct.pack("<f", score) + bytes([3 << 3, kind]))

    real = (GOLDEN / "encoders" / "siglip1" / "spiece.model").read_bytes()
    small = piece(b"</s>", 0, 3) + piece(b"<unk>", 0, 2) + piece("\u2581".encode(), -2) + piece(b"a", -1) + piece(b"ab", -1.5)
    cases = {
        "siglip1": real, "half": real[:len(real) // 2], "small": small, "empty": b"", "long_length": b"\x0a" + b"\xff" * 9 + b"\x01x",
        "unused": small + piece(b"gone", -1, 5), "user_defined": small + piece(b"mine", 0, 4), "not_utf8": small + piece(b"\xff", -1),
        "nan": small + piece(b"c", float("nan")), "bpe": small + part(2, bytes([3 << 3, 2])),
        "bytes": small + piece(b"<0xC3>", 0, 6) + part(2, bytes([0x98, 0x02, 1])), "rules": small + part(3, part(2, bytes(8) + b"x")),
        "group": small + bytes([1 << 3 | 3]),
    }
    for name, data in cases.items():
        put("sentence_piece", name, data)


def configs():
    for file in sorted(GOLDEN.glob("*/*/config.json")):
        put("config", f"{file.parents[1].name}-{file.parent.name}.json", file.read_bytes())
    for file in sorted([*GOLDEN.glob("*/*/processor_config.json"), *GOLDEN.glob("*/*/preprocessor_config.json")]):
        settings = json.loads(file.read_text(encoding="utf-8"))
        settings = settings.get("image_processor", settings)
        if "image_mean" in settings:
            put("config", f"{file.parents[1].name}-{file.parent.name}-processor.json", json.dumps(settings))
    put("config", "deep.json", "[" * 5000 + "]" * 5000)
    put("config", "large_numbers.json", json.dumps({"model_type": "llava", "vision_config": {
        "image_size": 2**31 - 1, "patch_size": 1, "hidden_size": 2**31 - 1, "num_attention_heads": 1},
        "text_config": {"hidden_size": 2**31 - 1, "num_attention_heads": 1, "head_dim": 2**31 - 2}}))


def images():
    for file in sorted([*GOLDEN.glob("*/images/*.png"), *GOLDEN.glob("*/images/*.jpg")]):
        if file.stat().st_size < 5000:
            put("image", f"{file.parents[1].name}-{file.name}", file.read_bytes())
    work = CORPUS / "image"
    picture = Image.linear_gradient("L").resize((20, 14)).convert("RGB")
    picture.save(work / "lossy.webp", quality=50)
    picture.save(work / "lossless.webp", lossless=True)
    picture.save(work / "progressive.jpg", progressive=True, quality=60)
    picture.convert("P").save(work / "palette.png")
    picture.convert("1").save(work / "bits.png")
    picture.convert("LA").save(work / "gray_alpha.png")
    picture.convert("CMYK").save(work / "cmyk.jpg")
    picture.convert("I;16").save(work / "deep.png")
    for name in ("palette.png", "progressive.jpg", "lossy.webp"):
        data = (work / name).read_bytes()
        (work / f"cut-{name}").write_bytes(data[:len(data) * 2 // 3])


def chat_templates():
    golden = json.loads((GOLDEN / "chat_template" / "golden.json").read_text(encoding="utf-8"))
    for one in golden["templates"]:
        put("chat_template", one["name"], one["template"])
    doubled = "{% set x = [1] %}" + "{% set x = [x, x] %}" * 60
    cases = {
        "recursion": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "doubled": doubled + "{{ x }}",
        "loops": "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
        "long": "{{ 'abcdefgh' * 10 ** 9 }}", "open": "{{ " + "(" * 500, "signs": "{{ " + "-" * 500 + "1 }}",
        "raw_signs": "{%- raw -%} {{ {%- endraw +%}\n", "once": "{% set g = messages | map('upper') %}{{ g | list }}{{ g | list }}",
        "temporary": "{{ {'a': 1} | select | list }}", "not_utf8": b"{{ '\xff' }}",
    }
    for name, data in cases.items():
        put("chat_template", name, data)


def text(value):
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def number(value):
    return b"\x8a\x08" + struct.pack("<q", value)


def view(elements, offset, shape, strides, kind="FloatStorage", key="0"):
    numbers = [b"(" + b"".join(map(number, values)) + b"t" for values in (shape, strides)]
    storage = b"(" + text("storage") + b"ctorch\n%s\n" % kind.encode() + text(key) + text("cpu") + number(elements) + b"tQ"
    return (b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + number(offset) + numbers[0] + numbers[1] +
            b"\x89ccollections\nOrderedDict\n)RtR")


def one(value):
    return b"\x80\x02}(" + text("w") + value + b"u."


def archived(records, compression=zipfile.ZIP_STORED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, data in records:
            archive.writestr("x/" + name, data)
    return out.getvalue()


def torch_files():
    golden = {name: (GOLDEN / "torch_archive" / name).read_bytes() for name in ("plain.bin", "wrapped.pt", "protocol4.bin")}
    fine = one(view(4, 0, [2, 2], [2, 1]))
    pickles = {name: zipfile.ZipFile(io.BytesIO(data)).read(f"{Path(name).stem}/data.pkl") for name, data in golden.items()}
    pickles |= {
        "one": fine, "overlapping": one(view(4, 0, [2, 2], [1, 1])), "outside": one(view(4, 4, [1], [1])),
        "huge": one(view(4, 0, [1 << 62, 1 << 62], [1 << 62, 1])), "negative": one(view(4, -1, [-1], [-1])),
        "two_types": one(view(4, 0, [1], [1]) + text("v") + view(2, 0, [1], [1], "DoubleStorage")),
        "system": one(b"cposix\nsystem\n(" + text("true") + b"tR"), "itself": b"\x80\x02]q\x01h\x01a.",
        "deep": b"\x80\x02" + b"(" * 999 + b"t" * 999 + b".", "cut": fine[:-9], "long_text": b"\x80\x02X\xff\xff\xff\xff",
        "nothing": b"",
    }
    for name, data in pickles.items():
        put("torch_pickle", name, data)
    records = [("data.pkl", fine), ("version", b"3\n"), ("data/0", bytes(16))]
    whole = archived(records)
    archives = golden | {
        "one": whole, "cut": whole[:-30], "compressed": archived(records, zipfile.ZIP_DEFLATED),
        "twice": archived(records + [("data.pkl", fine)]), "no_storage": archived(records[:2]), "empty": archived([]),
        "no_version": archived(records[:1] + records[2:]), "short_storage": archived(records[:2] + [("data/0", bytes(15))]),
        "script": archived(records + [("constants.pkl", b"N.")]), "old": b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.",
        "far_directory": whole[:-6] + b"\xff\xff\xff\x7f\0\0", "comment": whole[:-2] + b"\x04\0PK\x05\x06",
    }
    for name, data in archives.items():
        put("torch_archive", name, data)


if __name__ == "__main__":
    shutil.rmtree(CORPUS, ignore_errors=True)
    safetensors()
    torch_files()
    tokenizers()
    sentence_pieces()
    configs()
    chat_templates()
    images()
