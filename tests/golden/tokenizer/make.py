#!/usr/bin/env python3
"""Makes the golden data of the tokenizer test with the `tokenizers` package (0.23; sentencepiece for charsmaps).

Tiny tokenizers with the component stacks of the real families, and what the package makes of awkward strings:
ids with and without special tokens, and both decodings of the first. Deterministic.

    .venv/bin/python tests/golden/tokenizer/make.py

Writes beside itself: strings.json (shared), FAMILY.json (a tokenizer.json) and expected/FAMILY.json:
{"full": [[ids, ids_without_special_tokens, decoded, decoded_without_special_tokens], ...] for the first 50 strings,
 "hashes": [...] for all: FNV-1a 64 of the same four in the canonical form of `canonical`}.
"""
import json
import pathlib
import random
import sys

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))
import unigram  # noqa: E402

META = "\u2581"
QWEN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
        r"|\s+(?!\S)|\s+")
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
          r"|\s+(?!\S)|\s+")
CORPUS = [
    "The quick brown fox jumps over the lazy dog, and the dog doesn't mind at all.",
    "Describe the image in detail: what is the person doing, and where are they?",
    "I can't help with that. We've said they're sorry; he'll come, she'd go, I'm here.",
    "USER: what is in the picture? ASSISTANT: There is a cat on the table in the kitchen.",
    "def main(args):\n    for i in range(10):\n        print(i, args[i])\n    return 0\n",
    "Numbers: 1 22 333 4444 2024 3.14159 1,000,000 and 0x7f.",
    "caf\u00e9 na\u00efve \u00fcber stra\u00dfe \u00e5ngstr\u00f6m \u0441\u043b\u043e\u0432\u043e \u65e5\u672c\u8a9e \u4e2d\u6587\u5b57",
    "the there then this that these those  the   the    spaces",
]


def train(normalizer, pre_tokenizer, size, alphabet=(), special=()):
    tok = Tokenizer(models.BPE())
    if normalizer:
        tok.normalizer = normalizer
    if pre_tokenizer:
        tok.pre_tokenizer = pre_tokenizer
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=list(alphabet), special_tokens=list(special),
                                  show_progress=False)
    tok.train_from_iterator(CORPUS * 4, trainer)
    return json.loads(tok.to_str())


def ids_of(tok_json):
    vocabulary = tok_json["model"]["vocab"]
    return {token: number for number, (token, _) in enumerate(vocabulary)} if isinstance(vocabulary, list) else vocabulary


def added(tok_json, tokens):
    """Appends added tokens as tokenizers would number them."""
    vocabulary = ids_of(tok_json)
    next_id = len(tok_json["model"]["vocab"])
    result = []
    for content, flags in tokens:
        if content in vocabulary:
            number = vocabulary[content]
        else:
            number, next_id = next_id, next_id + 1
        entry = {"id": number, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
                 "normalized": False, "special": False}
        entry.update({flag: True for flag in flags.split()})
        result.append(entry)
    tok_json["added_tokens"] = sorted(result, key=lambda entry: entry["id"])
    return tok_json


EXTRA = [("<image>", "special"), ("<pad>", "special normalized"), ("<l>", "lstrip"), ("<r>", "rstrip special"),
         ("<lr>", "lstrip rstrip"), ("word", "single_word"), ("Norm\u00e9", "normalized"), ("<im", ""),
         ("<image>2", "special"), ("new", "normalized single_word"), ("ext", "normalized lstrip rstrip")]


def template(tok_json, *specials):
    vocabulary = dict(ids_of(tok_json), **{t["content"]: t["id"] for t in tok_json["added_tokens"]})
    single, pair, table = [], [], {}
    for name in specials:
        if name == "$A":
            single.append({"Sequence": {"id": "A", "type_id": 0}})
        else:
            single.append({"SpecialToken": {"id": name, "type_id": 0}})
            table[name] = {"id": name, "ids": [vocabulary[name]], "tokens": [name]}
    pair = single + [{"Sequence": {"id": "B", "type_id": 1}}]
    return {"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": table}


def byte_tokens():
    return [f"<0x{b:02X}>" for b in range(256)]


def pairs_as_strings(tok_json):
    merges = tok_json["model"]["merges"]
    tok_json["model"]["merges"] = [m if isinstance(m, str) else " ".join(m) for m in merges]
    return tok_json


def sentencepiece(normalizer, pre_tokenizer, training_pre_tokenizer, unk=True):
    tok = train(normalizer, training_pre_tokenizer, 520, special=["<unk>", "<s>", "</s>"] + byte_tokens())
    tok["pre_tokenizer"] = None if pre_tokenizer is None else json.loads(with_part("pre_tokenizer", pre_tokenizer))
    tok["model"].update(byte_fallback=True, fuse_unk=True, unk_token="<unk>" if unk else None)
    return tok


def with_part(name, part):
    tok = Tokenizer(models.BPE())
    setattr(tok, name, part)
    return json.dumps(json.loads(tok.to_str())[name])


LLAMA_DECODER = decoders.Sequence([decoders.Replace(META, " "), decoders.ByteFallback(), decoders.Fuse(),
                                   decoders.Strip(" ", 1, 0)])
SPECIAL = [("<unk>", "special"), ("<s>", "special"), ("</s>", "special")]


def llama2():
    norm = normalizers.Sequence([normalizers.Prepend(META), normalizers.Replace(" ", META)])
    tok = sentencepiece(norm, None, pre_tokenizers.Split(META, "merged_with_next"))
    added(tok, [("<unk>", "special normalized"), ("<s>", "special"), ("</s>", "special")] + EXTRA)
    tok["decoder"] = json.loads(with_part("decoder", LLAMA_DECODER))
    tok["post_processor"] = template(tok, "<s>", "$A")
    return pairs_as_strings(tok)


def gemma():
    tok = sentencepiece(normalizers.Replace(" ", META), pre_tokenizers.Split(" ", "merged_with_previous"),
                        pre_tokenizers.Split(META, "merged_with_next"))
    added(tok, SPECIAL + EXTRA + [("\n\n", ""), ("\n\n\n", ""), ("\t\t", "")])
    tok["decoder"] = json.loads(with_part("decoder", decoders.Sequence(
        [decoders.Replace(META, " "), decoders.ByteFallback(), decoders.Fuse()])))
    tok["post_processor"] = template(tok, "<s>", "$A", "</s>")
    return tok


def metaspace(scheme, split=True):
    part = pre_tokenizers.Metaspace(META, prepend_scheme=scheme, split=split)
    tok = sentencepiece(None, part, part)
    added(tok, SPECIAL + EXTRA)
    tok["decoder"] = json.loads(with_part("decoder", decoders.Metaspace(META, prepend_scheme=scheme, split=split)))
    tok["post_processor"] = template(tok, "<s>", "$A")
    return tok


def unknown_words():
    """No byte fallback: unknown characters are fused, once kept apart, or vanish."""
    tok = metaspace("first", split=False)
    tok["model"].update(byte_fallback=False)
    tok["decoder"] = None
    tok["post_processor"] = None
    return tok


def byte_level(pattern, ignore_merges, nfc, extra_special):
    split = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"),
                                     pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tok = train(normalizers.NFC() if nfc else None, split, 420, alphabet=pre_tokenizers.ByteLevel.alphabet())
    if ignore_merges:  # words without merges are found only whole
        for word in ("\u0120zebra", "qqq"):
            tok["model"]["vocab"][word] = len(tok["model"]["vocab"])
    tok["model"]["ignore_merges"] = ignore_merges
    added(tok, [(name, "special") for name in extra_special] + EXTRA)
    tok["decoder"] = json.loads(with_part("decoder", decoders.ByteLevel()))
    return tok


def llama3():
    tok = byte_level(LLAMA3, True, False, ["<|begin_of_text|>", "<|eot_id|>"])
    bytes_part = json.loads(with_part("post_processor", processors.ByteLevel(trim_offsets=False)))
    tok["post_processor"] = {"type": "Sequence", "processors": [bytes_part, template(tok, "<|begin_of_text|>", "$A")]}
    return tok


def qwen2():
    tok = byte_level(QWEN, False, True, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    tok["model"].update(continuing_subword_prefix="", end_of_word_suffix="")
    tok["post_processor"] = json.loads(with_part("post_processor", processors.ByteLevel(trim_offsets=False)))
    return pairs_as_strings(tok)


def smollm2():
    split = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                     pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
    tok = train(None, split, 420, alphabet=pre_tokenizers.ByteLevel.alphabet())
    added(tok, [("<|im_start|>", "special"), ("<end_of_utterance>", "special"), ("<row_1_col_1>", "")] + EXTRA)
    tok["decoder"] = json.loads(with_part("decoder", decoders.ByteLevel()))
    return tok


def gpt2():
    tok = train(None, pre_tokenizers.ByteLevel(add_prefix_space=True), 400,
                alphabet=pre_tokenizers.ByteLevel.alphabet())
    added(tok, [("<|endoftext|>", "special normalized")] + EXTRA)
    tok["decoder"] = json.loads(with_part("decoder", decoders.ByteLevel()))
    tok["post_processor"] = json.loads(with_part("post_processor", processors.ByteLevel(trim_offsets=False)))
    return tok


def odd_splits():
    """Parts that no family combines: Removed, inverted and regular-expression splits, digit runs, Replace(Regex)."""
    norm = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s{2,}"), " "),
                                 normalizers.Replace("``", "\"")])
    split = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(r"\p{P}+"), "merged_with_previous"), pre_tokenizers.Digits(individual_digits=False),
        pre_tokenizers.Split(Regex(r"\w+|[^\w\s]+"), "removed", invert=True), pre_tokenizers.ByteLevel(False, use_regex=False)])
    tok = train(norm, split, 400, alphabet=pre_tokenizers.ByteLevel.alphabet())
    added(tok, EXTRA)
    tok["decoder"] = json.loads(with_part("decoder", decoders.ByteLevel()))
    return tok


def bert(lowercase, strip_accents, cleanup):
    """WordPiece, as the Q-Former of InstructBLIP reads questions; short words only, so that some are unknown."""
    tok = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=40))
    tok.normalizer = normalizers.BertNormalizer(lowercase=lowercase, strip_accents=strip_accents)
    tok.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tok.decoder = decoders.WordPiece(cleanup=cleanup)
    first = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tok.train_from_iterator(CORPUS * 4, trainers.WordPieceTrainer(vocab_size=330, special_tokens=first, show_progress=False))
    root = json.loads(tok.to_str())
    added(root, [(token, "special") for token in [*first, "[DEC]"]] + EXTRA)
    root["post_processor"] = template(root, "[CLS]", "$A", "[SEP]")
    return root


def unigrams(kind):
    """Unigram with an end token, as T5 and SigLIP have it."""
    tok = {"t5": unigram.t5, "siglip": unigram.siglip,
           "bytes": lambda corpus: unigram.unigram_bytes(corpus, byte_tokens())}[kind](CORPUS * 4)
    first = ["<unk>", "<s>", "</s>"] if kind == "bytes" else ["<pad>", "</s>", "<unk>"]
    added(tok, [(token, "special") for token in first] + [token for token in EXTRA if token[0] not in first])
    tok["post_processor"] = template(tok, "$A", "</s>")
    return tok


FAMILIES = {
    "llama2": llama2, "gemma": gemma, "metaspace_first": lambda: metaspace("first"),
    "metaspace_always": lambda: metaspace("always"), "metaspace_never": lambda: metaspace("never"),
    "unknown_words": unknown_words, "llama3": llama3, "qwen2": qwen2, "smollm2": smollm2, "gpt2": gpt2,
    "odd_splits": odd_splits, "bert": lambda: bert(True, None, True), "bert_cased": lambda: bert(False, True, False),
    "unigram_t5": lambda: unigrams("t5"), "unigram_siglip": lambda: unigrams("siglip"), "unigram_bytes": lambda: unigrams("bytes"),
}

TOKENS = ["<image>", "<image>2", "<pad>", "<l>", "<r>", "<lr>", "word", "Norm\u00e9", "Norme\u0301", "<im", "new", "ext",
          "<s>", "</s>", "<unk>", "<|im_start|>", "<|endoftext|>", "<|begin_of_text|>", "<row_1_col_1>", "\n\n\n"]
AWKWARD = [
    "", " ", "  ", "   ", "\n", "\n\n", "\r\n", "\t", " \n ", "\n \n", "\u00a0", "\u3000", "\u2003x", "\u180e", "\u0085",
    "\u200b", "\ufeff", "\x00", "a\x00b", "\x01\x02\x1f\x7f", "\ufffd", "\ufffd\ufffd x", "\U0010ffff", "\ue000", "\u2028\u2029",
    "Hello, world!", " Hello", "Hello ", "hello\nworld", "don't DON'T we'LL I'M they'Re 'S", "'\u017f \u212a's", "it\u2019s",
    "''s'''t", "1", "12", "123", "1234", "12345678901234567890", "3.14", "\u0663\u0664\u0665", "\u2167\u00bd\u00b2", "1\u00bc2", "x1y22z333",
    "\u4f60\u597d\u4e16\u754c", "\u65e5\u672c\u8a9e\u306e\u30c6\u30b9\u30c8", "\ud55c\uad6d\uc5b4", "\u1112\u1161\u11ab", "\u0e20\u0e32\u0e29\u0e32\u0e44\u0e17\u0e22", "\u0939\u093f\u0928\u094d\u0926\u0940",
    "\u0645\u0631\u062d\u0628\u0627", "\u05e9\u05dc\u05d5\u05dd", "\u0441\u043b\u043e\u0432\u043e", "caf\u00e9", "cafe\u0301", "e\u0301\u0323", "e\u0323\u0301", "\u212b\u2126", "\ufb01\ufb02",
    "a\u0300\u0301\u0302\u0303", "\u0301", " \u0301", "\u0344", "\u0958", "\u09c7\u09be", "\u0b47\u0b56", "\u1e0b\u0323", "\u2adc",
    "\U0001f600", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f1e9\U0001f1ea", "\U0001f44d\U0001f3fd", "\u2764\ufe0f", "1\ufe0f\u20e3", "\U0001d54f\U0001d7d8",
    "a" * 300, "ab" * 200, " " * 70, "\n" * 40, "\t " * 20, "the" * 60, "!" * 50, "\u00e9" * 60, "\U0001f600" * 30, "x\u0301" * 30,
    "word", "words", "aword", "word.", "_word", "word_", "w\u00f6rd word", "word\u0301", "word\u200d", "\u24d0word", "new new newer renew", "new\u0020",
    "ext context  ext  text", "<pad>", " <pad>", "x<pad>", "x <pad> y", "<pad><pad>", "\u2581<pad>", "\u2581", "\u2581\u2581x", "a\u2581b", "a \u2581 b",
    "<0x41>", "<0xE2><0x96>", "<0x", "<im", "<ima", "<image", "<image>", "<image>>", "<<image>", "<image>2", "<image>22", "<image> 2",
    "zebra", " zebra", "a zebra qqq", "qqq", "qqqq", "``quoted''", "a  b   c", "C:\\dir\\\"x\"", "{\"k\": [1, 2]}",
    "def f(x):\n\treturn x**2  # no\r\n\r\n", "http://a.b/c?d=e&f=g#h", "A.B.C...", "--- *** ___", "$100 \u20ac50 \u00a37", "\u0131\u0130\u00df\u1e9e",
    "USER: <image>\nWhat is this? ASSISTANT:", "<s>USER</s>", "<|im_start|>user\n<|im_end|>\n<|im_start|>", "<s><s> <s>", "</s", "<unk>", "a<unk>b",
]


def strings():
    random.seed(20240607)
    result = list(AWKWARD)
    for token in TOKENS:
        result += [token, f" {token} ", f"a{token}b", f"a  {token}  b", f"{token}{token}", f"\n{token}\t{token} "]
    bits = AWKWARD + TOKENS + ["the ", " cat", ", ", "\u00a0", "  ", "\n", "é", "\u0301", "7", "'s"]
    bits = [bit for bit in bits if len(bit) < 40]
    while len(set(result)) < 360:
        result.append("".join(random.choice(bits) for _ in range(random.randint(2, 5))))
    return list(dict.fromkeys(result))


def canonical(ids, plain, decoded, skipped):
    parts = [",".join(map(str, ids)), ",".join(map(str, plain)), decoded, skipped]
    return "\x1e".join(parts).encode()


def fnv1a(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def expected(tok, text):
    ids = tok.encode(text).ids
    plain = tok.encode(text, add_special_tokens=False).ids
    return [ids, plain, tok.decode(ids, skip_special_tokens=False), tok.decode(ids, skip_special_tokens=True)]


def write(path, value):
    path.write_text(json.dumps(value, ensure_ascii=True, separators=(",", ":")) + "\n")


def main():
    texts = strings()
    write(HERE / "strings.json", texts)
    (HERE / "expected").mkdir(exist_ok=True)
    for name, make in FAMILIES.items():
        tok_json = make()
        tok_json["truncation"] = tok_json["padding"] = None
        write(HERE / f"{name}.json", tok_json)
        tok = Tokenizer.from_str(json.dumps(tok_json))
        rows = [expected(tok, text) for text in texts]
        # The 50 written out are those most worth reading in a failure: the first, but for the very long.
        full = {str(i): rows[i] for i in range(len(texts)) if len(texts[i]) < 24}
        full = dict(list(full.items())[:50])
        write(HERE / "expected" / f"{name}.json", {"full": full, "hashes": [fnv1a(canonical(*row)) for row in rows]})


if __name__ == "__main__":
    main()
