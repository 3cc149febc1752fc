"""Unigram tokenizers for make.py and random_tokenizers.py: small vocabularies, and charsmaps that sentencepiece compiles."""
import io
import json
import tempfile

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

META = "\u2581"

# What becomes what: spaces, letters that are made of others, marks that join, what vanishes, and rules that begin alike.
RULES = {
    META: " ", "\t": " ", "\n": " ", "\r": " ", "\r\n": "\n\n", "\u00a0": " ", "\u3000": " ", "\u2003": " ", "\u0085": "",
    "\x01": "", "\x1f": "", "\u200b": "", "\ufeff": "", "\u2028": " ", "\ufb01": "fi", "\ufb02": "fl", "\u00bd": "1/2", "\u2167": "VIII",
    "\u00b2": "2", "\u212b": "\u00e5", "e\u0301": "\u00e9", "\u00e9": "\u00e9\u00e9", "x\u0301": "y", "\u1112\u1161\u11ab": "\ud55c",
    "\u0645": "mm", "\u0645\u0631": "never: a shorter rule is found first", "\u2019": "'", "\U0001d54f": "X", "\u0e20": "th",
    "\u2764\ufe0f": "heart", "\u2764": "love", "\U0001f600": ":)", "1\ufe0f": "one",
}


def charsmap(rules):
    """The bytes of `precompiled_charsmap` for {text: text}."""
    def codes(text):
        return " ".join(f"{ord(c):X}" for c in text)

    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as file:
        file.writelines(f"{codes(old)}\t{codes(new)}\n" for old, new in sorted(rules.items()))
        file.flush()
        return spiece(["a b c d", "b c d a", "c c a"], 12, normalization_rule_tsv=file.name).normalizer_spec.precompiled_charsmap


def spiece(sentences, size, **options):
    """A Unigram model that sentencepiece trained, as a message."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences), model_writer=model, vocab_size=size, hard_vocab_limit=False, minloglevel=2, num_threads=1,
        **options)
    return sentencepiece_model_pb2.ModelProto.FromString(model.getvalue())


def trained(corpus, size, special, normalizer, pre_tokenizer, decoder, **model):
    """tokenizer.json without added tokens; `special` come first. sentencepiece trains it: the same each time."""
    lines = [normalizer.normalize_str(line) for line in corpus]
    pieces = spiece(lines, size, normalization_rule_name="identity", max_sentencepiece_length=8).pieces
    vocabulary = [(token, 0.0) for token in special] + [(piece.piece, round(piece.score, 6)) for piece in pieces if piece.type == 1]
    tok = Tokenizer(models.Unigram(vocabulary, special.index("<unk>"), False))
    tok.normalizer, tok.pre_tokenizer, tok.decoder = normalizer, pre_tokenizer, decoder
    root = json.loads(tok.to_str())
    root["model"].update(model)
    return root


def t5(corpus):
    """As T5's first files: a model without a type, and the whole text in a charsmap."""
    root = trained(corpus, 260, ["<pad>", "</s>", "<unk>"], normalizers.Precompiled(charsmap(RULES)),
                   pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]), decoders.Metaspace())
    del root["model"]["type"], root["model"]["byte_fallback"]
    return root


def siglip(corpus):
    """As SigLIP's on the hub: small letters without punctuation, and Metaspace by its older switch."""
    punctuation = r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]"""
    normalizer = normalizers.Sequence([
        normalizers.Precompiled(charsmap(RULES)), normalizers.Lowercase(), normalizers.Replace(Regex(punctuation), ""),
        normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()])
    root = trained(corpus, 200, ["<pad>", "</s>", "<unk>"], normalizer, pre_tokenizers.Metaspace(), decoders.Metaspace())
    root["pre_tokenizer"] = {"type": "Metaspace", "replacement": META, "add_prefix_space": True}
    return root


def unigram_bytes(corpus, bytes_of_all):
    """Bytes for what is unknown, a token that is there twice, the first word alone behind a space, and NMT's spaces before NFKC."""
    normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), normalizers.Strip(left=False, right=True),
                                       normalizers.Replace(Regex(" {2,}"), META)])
    root = trained(corpus, 470, ["<unk>", "<s>", "</s>", *bytes_of_all], normalizer, pre_tokenizers.Metaspace(prepend_scheme="first"),
                   decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace(prepend_scheme="first")]), byte_fallback=True)
    vocabulary = root["model"]["vocab"]
    vocabulary.append(next([token, score - 1] for token, score in vocabulary if token == META + "the"))
    return root
