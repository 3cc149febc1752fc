#!/usr/bin/env python3
"""Tokenizers of random components on awkward strings, compared with the `tokenizers` package through `hijack tokenize`.

    python tests/golden/random_tokenizers.py --hijack build/release/hijack [--seeds 0-19] [--strings 400] [--keep DIR]

Every seed draws a normalizer, pre-tokenizers, BPE, WordPiece or Unigram with its options, added tokens with random flags, a post-processor and a decoder,
trains a small vocabulary, and compares ids with and without special tokens, and both decoded texts (with special tokens and
without). Prints one line for each and exits with 1 where something differs. Components that hijack refuses by name are
listed and count as skipped.
"""
import argparse
import importlib.util
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = Path(__file__).resolve().parent
spec = importlib.util.spec_from_file_location("tokenizer_make", HERE / "tokenizer" / "make.py")
make = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make)
META = make.META

PATTERNS = [
    make.QWEN, make.LLAMA3, r"\s+(?!\S)|\s+", r"\p{N}{1,3}", r" ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+", r"\w+|[^\w\s]+",
    # o200k and DeepSeek
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+", r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+",
    r"[\r\n]", r"\s?\p{L}+", r"\p{P}", r"\d", r"[0-9]", r"(?=[A-Z])", r"\b", r"(?<=\d)(?=\p{L})", r"[^a-z]", r"\S+\s*", r"\p{Han}+|\p{Emoji}",
    r"(?i)the|\$", r"[[:alpha:]]+", r"\x{300}|\u0301", r"\R", r"\p{M}+", r"(?:\r\n|[\r\n\t])+", r"'(?:[sdmt]|ll|ve|re)",
]
BEHAVIORS = ["removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"]


def normalizer(draw, depth=0):
    kind = draw.choice(["none", "none", "nfc", "prepend", "replace", "regex", "spaces", "rules", "sequence", "sequence", "sequence"])
    if kind == "sequence" and depth < 2:
        parts = [part for part in (normalizer(draw, depth + 1) for _ in range(draw.randint(0, 3))) if part]
        return normalizers.Sequence(parts)
    if kind == "nfc":
        return normalizers.NFC()
    if kind == "spaces":
        return draw.choice([normalizers.NFKC(), normalizers.Nmt(), normalizers.Lowercase(),
                            normalizers.Strip(left=draw.random() < 0.6, right=draw.random() < 0.6)])
    if kind == "rules":
        return normalizers.Precompiled(make.unigram.charsmap(rules(draw)))
    if kind == "prepend":
        return normalizers.Prepend(draw.choice([META, "x", " ", "\u0301", "<"]))
    if kind == "replace":
        return normalizers.Replace(*draw.choice([(" ", META), ("``", '"'), ("\n", " "), ("a", "aa"), ("\u00a0", " "), ("<", "")]))
    if kind == "regex":
        return normalizers.Replace(Regex(draw.choice([r"\s{2,}", r"\p{P}+", r"\n+", r"[\u0300-\u036f]", r"(?<=\d)\s", r"^\s+|\s+$"])),
                                   draw.choice([" ", "", META, "-"]))
    return None


def rules(draw):
    """Some of make.py's, and of the characters of its strings: others, more or none."""
    chosen = dict(draw.sample(sorted(make.unigram.RULES.items()), draw.randint(1, len(make.unigram.RULES))))
    letters = sorted(set("".join(make.AWKWARD)) - {"\0"})
    for _ in range(draw.randint(0, 60)):
        chosen["".join(draw.choices(letters, k=draw.choice([1, 1, 1, 2, 3])))] = "".join(draw.choices(letters, k=draw.randint(0, 3)))
    return chosen


def split(draw, depth=0):
    kind = draw.choice(["none", "byte", "byte", "meta", "digits", "space", "split", "split", "sequence", "sequence", "sequence"])
    if kind == "sequence" and depth < 2:
        parts = [part for part in (split(draw, depth + 1) for _ in range(draw.randint(1, 3))) if part]
        return pre_tokenizers.Sequence(parts) if parts else None
    if kind == "byte":
        return pre_tokenizers.ByteLevel(add_prefix_space=draw.random() < 0.4, use_regex=draw.random() < 0.5)
    if kind == "meta":
        scheme = draw.choice(["first", "always", "never"])
        return pre_tokenizers.Metaspace(draw.choice([META, META, "_"]), prepend_scheme=scheme, split=draw.random() < 0.7)
    if kind == "space":
        return pre_tokenizers.WhitespaceSplit()
    if kind == "digits":
        return pre_tokenizers.Digits(individual_digits=draw.random() < 0.5)
    if kind == "split":
        pattern = draw.choice([Regex(draw.choice(PATTERNS))] * 3 + [" ", META, "\n", "e", "ab"])
        return pre_tokenizers.Split(pattern, draw.choice(BEHAVIORS), invert=draw.random() < 0.2)
    return None


def decoder(draw, depth=0):
    kind = draw.choice(["none", "byte", "byte", "meta", "llama", "llama", "sequence", "fuse", "fallback", "replace", "strip"])
    if kind == "sequence" and depth < 2:
        parts = [part for part in (decoder(draw, depth + 1) for _ in range(draw.randint(1, 4))) if part]
        return decoders.Sequence(parts) if parts else None
    return {"byte": decoders.ByteLevel(), "fuse": decoders.Fuse(), "fallback": decoders.ByteFallback(), "llama": make.LLAMA_DECODER,
            "meta": decoders.Metaspace(META, prepend_scheme=draw.choice(["first", "always", "never"])),
            "replace": decoders.Replace(draw.choice([META, "a", Regex(r"\s+"), Regex("[aeiou]")]), draw.choice([" ", "", "--"])),
            "strip": decoders.Strip(draw.choice([" ", "a", META]), draw.randint(0, 2), draw.randint(0, 2))}.get(kind)


def word_piece(draw):
    """As BERT's, with every switch of its parts drawn; sometimes with another normalizer or pre-tokenizer."""
    tok = Tokenizer(models.WordPiece(unk_token="<unk>", max_input_chars_per_word=draw.choice([100, 5, 20]),
                                     continuing_subword_prefix=draw.choice(["##", "##", "@", ""])))
    bert = normalizers.BertNormalizer(clean_text=draw.random() < 0.7, handle_chinese_chars=draw.random() < 0.7,
                                      strip_accents=draw.choice([None, None, True, False]), lowercase=draw.random() < 0.6)
    tok.normalizer = bert if draw.random() < 0.8 else normalizer(draw)
    tok.pre_tokenizer = pre_tokenizers.BertPreTokenizer() if draw.random() < 0.8 else split(draw)
    tok.train_from_iterator(make.CORPUS, trainers.WordPieceTrainer(
        vocab_size=draw.choice([150, 330, 500]), special_tokens=["<unk>", "<s>", "</s>"], show_progress=False))
    tok.decoder = decoders.WordPiece(cleanup=draw.random() < 0.6) if draw.random() < 0.8 else decoder(draw)
    root = json.loads(tok.to_str())
    root["added_tokens"] = []
    return root


def tokenizer(draw):
    return with_added(draw, draw.choice([word_piece, unigram, unigram, byte_pairs, byte_pairs])(draw))


def unigram(draw):
    """Scores as they come, some of them moved, some tokens twice; at times with the pre-tokenizers and decoders of T5."""
    bytes_first = draw.random() < 0.5
    special = ["<unk>", "<s>", "</s>"] + (make.byte_tokens() if bytes_first else [])
    parts = [normalizer(draw), split(draw), decoder(draw)]
    if draw.random() < 0.6:
        scheme = draw.choice(["first", "always", "never"])
        meta = pre_tokenizers.Metaspace(prepend_scheme=scheme)
        parts[1] = draw.choice([meta, pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), meta])])
        parts[2] = decoders.Metaspace(prepend_scheme=scheme)
    root = make.unigram.trained(make.CORPUS, draw.choice([100, 200, 300]), special, parts[0] or normalizers.Sequence([]), *parts[1:],
                                byte_fallback=bytes_first and draw.random() < 0.7)
    vocabulary = root["model"]["vocab"]
    for token in draw.sample(vocabulary, 8):
        token[1] += draw.choice([-5, 3, 20])
    vocabulary += [[token, draw.choice([-3.5, 2, 0])] for token in draw.sample([*make.TOKENS, "th", "he ", "\u2581\u2581", ""], 5)]
    vocabulary += [[token, score - draw.choice([0, 1, 40])] for token, score in draw.sample(vocabulary, 3)]
    return root


def byte_pairs(draw):
    tok = Tokenizer(models.BPE())
    tok.normalizer, tok.pre_tokenizer = normalizer(draw), split(draw)
    bytes_first = draw.random() < 0.5
    special = ["<unk>", "<s>", "</s>"] + (make.byte_tokens() if bytes_first else [])
    alphabet = pre_tokenizers.ByteLevel.alphabet() if draw.random() < 0.6 else []
    tok.train_from_iterator(make.CORPUS, trainers.BpeTrainer(vocab_size=draw.choice([330, 500, 700]), show_progress=False,
                                                             special_tokens=special, initial_alphabet=alphabet))
    tok.decoder = decoder(draw)
    root = json.loads(tok.to_str())
    root["added_tokens"] = []
    root["model"].update(byte_fallback=bytes_first and draw.random() < 0.7, fuse_unk=draw.random() < 0.5,
                         unk_token=draw.choice([None, "<unk>", "<unk>"]), ignore_merges=draw.random() < 0.3)
    return root


def with_added(draw, root):
    tok = Tokenizer.from_str(json.dumps(root))
    for name in draw.sample(make.TOKENS, draw.randint(2, len(make.TOKENS))) + draw.sample(["<s>", "</s>", " x", "\t", "  ", "é"], 3):
        flags = {flag: draw.random() < 0.3 for flag in ("lstrip", "rstrip", "single_word", "normalized")}
        token = AddedToken(name, **flags)
        (tok.add_special_tokens if draw.random() < 0.5 else tok.add_tokens)([token])
    ends = [(token, tok.token_to_id(token)) for token in ("<s>", "</s>")]
    template = processors.TemplateProcessing(single=draw.choice(["<s> $A", "<s> $A </s>", "$A </s>", "$A", "<s> <s> $A"]), pair="$A $B",
                                             special_tokens=ends)
    parts = [None, template, processors.ByteLevel(trim_offsets=draw.random() < 0.5)]
    chosen = draw.choice([*parts, processors.Sequence([parts[2], template])])
    if chosen is not None:
        tok.post_processor = chosen
    return tok


def strings(draw, count):
    bits = [*make.AWKWARD, *make.TOKENS, *make.TOKENS, "the ", " cat", ", ", "\u00a0", "  ", "\n", "é", "\u0301", "7", "'s", " x", "\t"]
    result = list(make.AWKWARD)
    while len(result) < count:
        if draw.random() < 0.3:  # any characters
            planes = [(0, 0x7F), (0x80, 0x2FF), (0x300, 0xD7FF), (0xE000, 0xFFFF), (0x10000, 0x10FFFF)]
            result.append("".join(chr(draw.randint(*draw.choice(planes))) for _ in range(draw.randint(1, 12))))
        else:
            result.append("".join(draw.choice(bits) for _ in range(draw.randint(1, 6))))
    return result


def tokenized(program, folder, rows):
    with open(folder / "in.jsonl", "w", encoding="utf-8") as out:
        out.writelines(json.dumps(row, ensure_ascii=row["text"].isascii()) + "\n" for row in rows)
    done = subprocess.run([program, "tokenize", "--model", str(folder), "--in", str(folder / "in.jsonl"), "--out",
                           str(folder / "out.jsonl")], stderr=subprocess.PIPE, text=True)
    if done.returncode:
        return done.stderr.strip()
    return [json.loads(line) for line in (folder / "out.jsonl").read_text(encoding="utf-8").split("\n") if line]


def check(program, folder, draw, count):
    tok = tokenizer(draw)
    tok.save(str(folder / "tokenizer.json"))
    tok = Tokenizer.from_file(str(folder / "tokenizer.json"))
    rows = [{"text": text, "add_special_tokens": draw.random() < 0.5, "skip_special_tokens": draw.random() < 0.5}
            for text in strings(draw, count)]
    ours, different = tokenized(program, folder, rows), []
    if isinstance(ours, str):
        return ours, []
    assert len(ours) == len(rows), f"{len(ours)} lines for {len(rows)}"
    for row, mine in zip(rows, ours):
        try:
            ids = tok.encode(row["text"], add_special_tokens=row["add_special_tokens"]).ids
            decoded = tok.decode(ids, skip_special_tokens=row["skip_special_tokens"])
        except BaseException as error:  # noqa: BLE001 (the package panics where stripped tokens overlap, and in Strip)
            if isinstance(error, KeyboardInterrupt):
                raise
            continue
        if mine["ids"] != ids:
            different.append(f"{row}\n        {mine['ids']}\n        {ids} expected")
        elif mine["decoded"] != decoded:
            different.append(f"{row}\n        {mine['decoded']!r}\n        {decoded!r} expected")
    return "", different


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hijack", default="build/release/hijack")
    parser.add_argument("--seeds", default="0-19")
    parser.add_argument("--strings", type=int, default=400)
    parser.add_argument("--keep", default="", help="folder in which tokenizers with differences are kept")
    args = parser.parse_args()
    first, last = (int(part) for part in (args.seeds + "-" + args.seeds).split("-")[:2])
    failed = compared = 0
    for seed in range(first, last + 1):
        with tempfile.TemporaryDirectory() as folder:
            try:
                refused, different = check(args.hijack, Path(folder), random.Random(seed), args.strings)
            except Exception as error:  # noqa: BLE001 (the package itself refuses some combinations)
                print(f"skipped {seed}: {type(error).__name__} {str(error)[:150]}", flush=True)
                continue
            compared += 0 if refused else args.strings
            failed += bool(different)
            print(f"refused {seed}: {refused}" if refused else f"DIFFERS {seed}: {len(different)}" if different else f"same    {seed}",
                  flush=True)
            for one in different[:3]:
                print("    " + one)
            if different and args.keep:
                (Path(args.keep) / f"tokenizer-{seed}.json").write_text((Path(folder) / "tokenizer.json").read_text("utf-8"), "utf-8")
    print(f"{compared} strings compared, {failed} tokenizers with differences")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
