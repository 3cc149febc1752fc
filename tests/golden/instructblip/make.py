#!/usr/bin/env python3
"""Makes the tiny random InstructBLIP checkpoints of this folder and what transformers says about them.

    python tests/golden/instructblip/make.py     (transformers 5.23, torch 2.13, tokenizers, safetensors, Pillow)

small     EVA tower, Q-Former of 3 layers, Llama, fp32, as save_pretrained of transformers 5 writes model and processor
hub_bf16  as the hub has instructblip-vicuna-7b: sharded bf16, defaults left out, buffers of older versions in the files, no
          image_token_index, settings of both tokenizers and of pictures in files of their own; generation_config.json asks for
          a repetition penalty, which transformers does not follow here
The question's tokenizer comes out a little different each time (the trainer of WordPiece breaks ties by chance), and with it
everything that follows from it.
"""
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (InstructBlipConfig, InstructBlipForConditionalGeneration, InstructBlipProcessor, LlamaConfig,
                          PreTrainedTokenizerFast)
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import family  # noqa: E402

MEAN, STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def question_tokenizer(size):
    """As BERT's, lower-cased, with [DEC] behind the vocabulary."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.train_from_iterator(family.CORPUS, trainers.WordPieceTrainer(vocab_size=size - 1, special_tokens=SPECIAL, show_progress=False))
    ends = [(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ends)
    tokenizer.add_special_tokens(["[DEC]"])
    return tokenizer


def fast_question(tokenizer):
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
                                   pad_token="[PAD]", mask_token="[MASK]", bos_token="[DEC]")


def fast_text(tokenizer):
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="<pad>",
                                   clean_up_tokenization_spaces=False)


def random_weights(config, seed, tokenizer):
    model = family.randomize(InstructBlipForConditionalGeneration(config), seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith(("class_embedding", "position_embedding", "query_tokens", "embeddings.weight")):
                weight.copy_(0.7 * torch.randn(weight.shape, generator=generator))
            if name.endswith(("LayerNorm.weight", "layernorm.weight")):
                weight.copy_(1 + 0.2 * torch.randn(weight.shape, generator=generator))
    return family.readable(model, tokenizer)


def plain(prompt):
    """There is no template: the texts of a context, each on a line of its own."""
    context = prompt if isinstance(prompt, dict) else {"prompt": prompt}
    turns = [text for turn in context.get("earlier", []) for text in (turn["user"], turn["assistant"])]
    return "\n".join([*filter(None, [context.get("system")]), *turns, context["prompt"]])


def inputs_of(processor, picture, prompt):
    return dict(processor(images=picture, text=plain(prompt), return_tensors="pt"))


def make_small(folder, seed):
    tokenizer, question = family.llama_tokenizer(310), question_tokenizer(160)
    text = LlamaConfig(hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=4,
                       vocab_size=312, max_position_embeddings=512, bos_token_id=1, eos_token_id=2)
    config = InstructBlipConfig(
        vision_config={"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 28,
                       "patch_size": 7},
        qformer_config={"vocab_size": 160, "hidden_size": 24, "intermediate_size": 36, "num_hidden_layers": 3, "num_attention_heads": 3,
                        "max_position_embeddings": 64},
        text_config=text, num_query_tokens=5, image_token_index=tokenizer.token_to_id("<image>"))
    model = random_weights(config, seed, tokenizer)
    model.save_pretrained(folder)
    fast = fast_text(tokenizer)
    processor = InstructBlipProcessor(BlipImageProcessorPil(size={"height": 28, "width": 28}), fast, fast_question(question), num_query_tokens=5)
    processor.save_pretrained(folder)
    family.expect(folder, model, fast, lambda *case: inputs_of(processor, *case), ["wide", "tall", "gray", "rgba", "turned"],
                  config.image_token_index, 2, ["wide", "gray"], dialog=(family.DIALOG, lambda picture: inputs_of(processor, picture, family.DIALOG)))


def make_hub_bf16(folder, seed):
    tokenizer, question = family.llama_tokenizer(310), question_tokenizer(150)
    family.write_json(folder / "config.json", {
        "architectures": ["InstructBlipForConditionalGeneration"], "initializer_factor": 1.0, "initializer_range": 0.02,
        "model_type": "instructblip", "num_query_tokens": 6,
        "qformer_config": {"classifier_dropout": None, "cross_attention_frequency": 1, "encoder_hidden_size": 16, "hidden_size": 24,
                           "intermediate_size": 32, "model_type": "instructblip_qformer", "num_attention_heads": 2, "num_hidden_layers": 2,
                           "vocab_size": 152},
        "text_config": {"_name_or_path": "", "architectures": ["LlamaForCausalLM"], "bos_token_id": 1, "eos_token_id": 2, "hidden_size": 24,
                        "intermediate_size": 32, "max_position_embeddings": 2048, "model_type": "llama", "num_attention_heads": 4,
                        "num_hidden_layers": 2, "pad_token_id": 0, "rms_norm_eps": 1e-06, "torch_dtype": "float16", "vocab_size": 312},
        "tie_word_embeddings": False, "torch_dtype": "bfloat16", "transformers_version": None, "use_decoder_only_language_model": True,
        "vision_config": {"hidden_size": 16, "image_size": 30, "initializer_range": 1e-10, "intermediate_size": 20,
                          "model_type": "instructblip_vision_model", "num_attention_heads": 2, "num_hidden_layers": 2, "patch_size": 7,
                          "qkv_bias": False}})
    family.write_json(folder / "generation_config.json", {"_from_model_config": True, "bos_token_id": 1, "eos_token_id": [2, 5],
                                                          "repetition_penalty": 1.5, "transformers_version": "4.31.0.dev0"})
    family.write_json(folder / "preprocessor_config.json", {
        "do_convert_rgb": True, "do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": MEAN, "image_std": STD,
        "image_processor_type": "BlipImageProcessor", "processor_class": "InstructBlipProcessor", "resample": 3,
        "rescale_factor": 0.00392156862745098, "size": {"height": 30, "width": 30}})
    family.write_json(folder / "processor_config.json", {"num_query_tokens": 6, "processor_class": "InstructBlipProcessor"})
    tokenizer.save(str(folder / "tokenizer.json"))
    family.write_json(folder / "tokenizer_config.json", {"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>",
                                                         "unk_token": "<unk>", "pad_token": "<pad>", "clean_up_tokenization_spaces": False})
    (folder / "qformer_tokenizer").mkdir()
    question.save(str(folder / "qformer_tokenizer" / "tokenizer.json"))
    family.write_json(folder / "qformer_tokenizer" / "tokenizer_config.json", {
        "bos_token": "[DEC]", "cls_token": "[CLS]", "do_lower_case": True, "mask_token": "[MASK]", "model_max_length": 512,
        "pad_token": "[PAD]", "sep_token": "[SEP]", "strip_accents": None, "tokenize_chinese_chars": True,
        "tokenizer_class": "BertTokenizer", "unk_token": "[UNK]"})
    config = InstructBlipConfig.from_pretrained(folder)
    model = random_weights(config, seed, tokenizer)
    buffers = {"qformer.embeddings.position_ids": torch.arange(512).unsqueeze(0),
               "language_model.model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(3)}
    loaded = family.save_hub(folder, model, more=buffers)
    # transformers 5 wants the image token by name
    loaded.config.image_token_index = tokenizer.token_to_id("<image>")
    fast = fast_text(tokenizer)
    processor = InstructBlipProcessor(BlipImageProcessorPil.from_pretrained(folder), fast, fast_question(question), num_query_tokens=6)
    family.expect(folder, loaded, fast, lambda *case: inputs_of(processor, *case), ["wide", "turned"], loaded.config.image_token_index, 2,
                  ["turned"], dialog=(family.DIALOG, lambda picture: inputs_of(processor, picture, family.DIALOG)))


if __name__ == "__main__":
    family.make_all(HERE, [make_small, make_hub_bf16])
