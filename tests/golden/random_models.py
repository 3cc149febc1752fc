"""Random tiny checkpoints of every family in the layouts of real folders, for random_checkpoints.py: MAKERS[family](folder,
draw, seed) writes one and returns what it was."""
from pathlib import Path

from transformers import (AutoModelForImageTextToText, Gemma3Config, Idefics3Config, InstructBlipConfig, InternVLConfig,
                          InternVLVisionConfig, LlavaConfig, LlavaNextConfig, LlavaOnevisionConfig, Mistral3Config,
                          PaliGemmaConfig, PixtralVisionConfig, Qwen2VLConfig, Qwen2_5_VLConfig, Qwen3VLConfig, SmolVLMConfig)

from random_parts import (CLIP_MEAN, CLIP_STD, GEMMA_TOKENS, clip_settings, family,
                          feature_layer, gemma_text, llama_text, llava_text, mistral_text, odd_settings, picture_files,
                          qwen2_text, qwen3_text, randomized, rope, save_model, siglip_settings, tokenizer_files, tower)
import compare_with_transformers as compare
import qwen_vl

HERE = Path(__file__).resolve().parent


def load_module(name):
    import importlib.util
    spec = importlib.util.spec_from_file_location(name + "_make", HERE / name / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


llava, idefics3 = load_module("llava"), load_module("idefics3")
onevision, next_ = load_module("llava_onevision"), load_module("llava_next")
internvl, instructblip = load_module("internvl"), load_module("instructblip")
gemma3, mistral3 = load_module("gemma3"), load_module("mistral3")


def make_llava(folder, draw, seed):
    patch = draw.choice([4, 5, 7])
    side = draw.choice([28, 30, 35])
    kind = draw.choice(["clip", "clip", "siglip"])
    strategy = draw.choice(["default", "full"])
    vision = tower(draw, kind, side, patch)
    tied = draw.random() < 0.3
    text, tokenizer, kind_of_tokenizer, tokens = llava_text(draw, tied)
    config = LlavaConfig(vision_config=vision, text_config=text, image_token_index=tokenizer.token_to_id("<image>"),
                         vision_feature_layer=feature_layer(draw, vision.num_hidden_layers, True),
                         vision_feature_select_strategy=strategy, projector_hidden_act=draw.choice(["gelu", "gelu", "gelu_pytorch_tanh", "quick_gelu"]),
                         multimodal_projector_bias=draw.random() < 0.8, tie_word_embeddings=tied)
    model = randomized(AutoModelForImageTextToText.from_config(config), tokenizer, seed)
    layout = save_model(folder, model, draw)
    tokenizer_files(folder, tokenizer, draw, kind_of_tokenizer, tokens, llava.TEMPLATE)
    settings = clip_settings(draw, side) if kind == "clip" else siglip_settings(draw, side)
    picture_files(folder, draw, settings, {
        "processor_class": "LlavaProcessor", "image_token": "<image>", "patch_size": patch,
        "num_additional_image_tokens": 1 if kind == "clip" else 0, "vision_feature_select_strategy": strategy})
    return layout


def make_idefics3(folder, draw, seed):
    tokenizer = idefics3.smol_tokenizer(340, behind=["<global-img>", *(f"<row_{r}_col_{c}>" for r in range(1, 5) for c in range(1, 5)),
                                                     "<fake_token_around_image>", "<image>", "<end_of_utterance>"])
    scale, patch = draw.choice([2, 3]), draw.choice([2, 3, 4])
    side = patch * scale * draw.choice([2, 3, 5])
    positions = side + draw.choice([0, 0, patch * 2])
    heads = draw.choice([2, 3])
    vision = {"hidden_size": heads * 6, "intermediate_size": 20, "num_hidden_layers": draw.choice([1, 2]), "num_attention_heads": heads,
              "image_size": positions, "patch_size": patch, "layer_norm_eps": draw.choice([1e-6, 1e-5]),
              "hidden_act": draw.choice(["gelu_pytorch_tanh"] * 3 + ["gelu"])}
    tied = draw.random() < 0.3
    smol = draw.random() < 0.6
    text = llama_text(draw, 344, bos_token_id=tokenizer.token_to_id("<|im_start|>"), tie_word_embeddings=tied,
                      eos_token_id=tokenizer.token_to_id("<end_of_utterance>"))
    config = (SmolVLMConfig if smol else Idefics3Config)(
        vision_config=vision, text_config=text, scale_factor=scale, image_token_id=tokenizer.token_to_id("<image>"),
        tie_word_embeddings=tied, pad_token_id=2)
    model = randomized(AutoModelForImageTextToText.from_config(config), tokenizer, seed)
    layout = save_model(folder, model, draw, names=())
    tokenizer_files(folder, tokenizer, draw, draw.choice(["GPT2Tokenizer", "PreTrainedTokenizerFast"]), {
        "bos_token": "<|im_start|>", "eos_token": "<end_of_utterance>", "unk_token": "<|endoftext|>", "pad_token": "<|im_end|>"},
        idefics3.TEMPLATE)
    split = draw.random() < 0.7
    longest = side * draw.choice([1, 2, 3, 4]) + draw.choice([0, 0, 7])
    name = "SmolVLM" if smol else "Idefics3"
    settings = {"do_convert_rgb": True, "do_image_splitting": split, "do_normalize": True, "do_pad": True, "do_rescale": True,
                "do_resize": True, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "resample": draw.choice([1, 1, 3, 2]),
                "image_processor_type": name + "ImageProcessor", "max_image_size": {"longest_edge": side},
                "rescale_factor": 1 / 255, "size": {"longest_edge": longest}}
    if smol:
        settings["video_sampling"] = {"fps": 1, "max_frames": 64, "video_size": {"longest_edge": 99}}
    picture_files(folder, draw, settings, {"processor_class": name + "Processor",
                                           "image_seq_len": (side // patch // scale) ** 2})
    return layout


def make_llava_onevision(folder, draw, seed):
    tokenizer = family.bytelevel_tokenizer(312, ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>", "<video>"])
    patch = draw.choice([5, 6, 7])
    side = draw.choice([24, 30])
    kind = draw.choice(["siglip", "siglip", "clip"])
    vision = tower(draw, kind, side, patch)
    tied = draw.random() < 0.6
    end = tokenizer.token_to_id("<|im_end|>")
    text = qwen2_text(draw, 316, bos_token_id=tokenizer.token_to_id("<|endoftext|>"), eos_token_id=end, tie_word_embeddings=tied)
    pinpoints = draw.choice([[[side, side]], [[h * side, w * side] for h in (1, 2, 3) for w in (1, 2, 3)],
                             [[side, 2 * side], [2 * side, side], [2 * side, 2 * side]]])
    aspect = draw.choice(["anyres_max_9", "anyres_max_2", "anyres_max_1"])
    strategy = "default" if kind == "clip" else "full"
    config = LlavaOnevisionConfig(
        vision_config=vision, text_config=text, image_token_index=tokenizer.token_to_id("<image>"),
        video_token_index=tokenizer.token_to_id("<video>"), image_grid_pinpoints=pinpoints, vision_aspect_ratio=aspect,
        vision_feature_layer=feature_layer(draw, vision.num_hidden_layers, True), vision_feature_select_strategy=strategy,
        tie_word_embeddings=tied, multimodal_projector_bias=draw.random() < 0.8)
    model = randomized(AutoModelForImageTextToText.from_config(config), tokenizer, seed)
    layout = save_model(folder, model, draw)
    tokenizer_files(folder, tokenizer, draw, draw.choice(["Qwen2Tokenizer", "PreTrainedTokenizerFast"]),
                    {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}, onevision.TEMPLATE)
    settings = {"do_convert_rgb": True, "do_normalize": True, "do_pad": True, "do_rescale": True, "do_resize": True,
                "image_grid_pinpoints": pinpoints, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5],
                "image_processor_type": "LlavaOnevisionImageProcessor", "resample": draw.choice([3, 3, 2]), "rescale_factor": 1 / 255,
                "size": {"height": side, "width": side}}
    tokens = (side // patch) ** 2 + (1 if strategy == "default" else 0) * 0
    picture_files(folder, draw, settings, {
        "processor_class": "LlavaOnevisionProcessor", "image_token": "<image>", "video_token": "<video>",
        "num_image_tokens": tokens, "vision_feature_select_strategy": "full", "vision_aspect_ratio": aspect})
    return layout


def make_llava_next(folder, draw, seed):
    patch = draw.choice([5, 6, 7, 10])
    side = draw.choice([28, 30])
    kind = draw.choice(["clip", "clip", "siglip"])
    vision = tower(draw, kind, side, patch)
    tied = draw.random() < 0.4
    text, tokenizer, kind_of_tokenizer, tokens = llava_text(draw, tied)
    pinpoints = draw.choice([[[side, side]], [[h * side, w * side] for h in (1, 2, 3) for w in (1, 2, 3)],
                             [[side, 2 * side], [2 * side, side], [2 * side, 2 * side], [3 * side, side], [side, 3 * side]],
                             [[side, 4 * side], [4 * side, side]]])
    strategy = "default" if kind == "clip" else "full"
    config = LlavaNextConfig(vision_config=vision, text_config=text, image_token_index=tokenizer.token_to_id("<image>"),
                             image_grid_pinpoints=pinpoints, vision_feature_select_strategy=strategy, tie_word_embeddings=tied,
                             vision_feature_layer=feature_layer(draw, vision.num_hidden_layers, True),
                             projector_hidden_act=draw.choice(["gelu", "gelu", "gelu_pytorch_tanh"]),
                             multimodal_projector_bias=draw.random() < 0.8)
    model = randomized(AutoModelForImageTextToText.from_config(config), tokenizer, seed)
    layout = save_model(folder, model, draw)
    template = draw.choice([llava.TEMPLATE, next_.MISTRAL, next_.VICUNA])
    tokenizer_files(folder, tokenizer, draw, kind_of_tokenizer, tokens, template)
    settings = {**next_.settings(side, pinpoints), "resample": draw.choice([3, 3, 2, 1])}
    settings.update(draw.choice([{}, {"do_center_crop": False}, {"size": {"height": side, "width": side}},
                                 {"do_pad": False, "crop_size": side, "size": side}]))
    settings = odd_settings(draw, settings)
    picture_files(folder, draw, settings, next_.processor_of(patch, strategy, 1 if kind == "clip" else 0))
    return f"{layout} {text.model_type}"


def qwen_vl_text(draw, stop, sections, head_dim=16, **options):
    """text_config of the Qwen-VL families."""
    heads = 2
    width = options.pop("hidden_size", heads * head_dim)
    return {"hidden_size": width, "intermediate_size": 40, "num_hidden_layers": draw.choice([1, 2]), "num_attention_heads": heads,
            "num_key_value_heads": draw.choice([1, 2]), "vocab_size": 304, "max_position_embeddings": 2048,
            "rope_parameters": {**rope(draw, draw.choice([500.0, 1e6])), "mrope_section": sections},
            "rms_norm_eps": draw.choice([1e-6, 1e-5]), "bos_token_id": None, "eos_token_id": stop, **options}


def qwen_vl_folder(folder, draw, seed, config, tokenizer, template, names, processor):
    """A folder of one of the Qwen-VL families."""
    model = randomized(AutoModelForImageTextToText.from_config(config), tokenizer, seed)
    layout = save_model(folder, model, draw, names=names)
    tokenizer_files(folder, tokenizer, draw, draw.choice(["Qwen2Tokenizer", "PreTrainedTokenizerFast"]),
                    {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}, template)
    patch, merge = config.vision_config.patch_size, config.vision_config.spatial_merge_size
    low = (patch * merge) ** 2 * draw.choice([1, 4])
    high = low * draw.choice([2, 6, 20])
    settings = {"image_processor_type": draw.choice(["Qwen2VLImageProcessor", "Qwen2VLImageProcessorFast"]), "patch_size": patch,
                "temporal_patch_size": 2, "merge_size": merge, "image_mean": CLIP_MEAN, "image_std": CLIP_STD}
    settings.update(draw.choice([{"min_pixels": low, "max_pixels": high}, {"size": {"shortest_edge": low, "longest_edge": high}}]))
    picture_files(folder, draw, settings, {"processor_class": processor})
    return layout


def make_qwen2_vl(folder, draw, seed):
    tokenizer, _ = qwen_vl.tokenizer_of(draw.choice([296, 300]))
    heads = draw.choice([2, 3])
    text = qwen_vl_text(draw, tokenizer.token_to_id("<|im_end|>"), draw.choice([[2, 3, 3], [4, 2, 2]]))
    config = Qwen2VLConfig(
        vision_config={"depth": draw.choice([1, 2]), "embed_dim": heads * 8, "hidden_size": text["hidden_size"], "num_heads": heads,
                       "mlp_ratio": draw.choice([2, 4]), "patch_size": draw.choice([4, 7, 14]), "spatial_merge_size": draw.choice([2, 2, 3])},
        text_config=text, tie_word_embeddings=draw.random() < 0.5, **qwen_vl.ids_of(tokenizer))
    return qwen_vl_folder(folder, draw, seed, config, tokenizer, qwen_vl.TEMPLATE, family.QWEN_NAMES, "Qwen2VLProcessor")


def make_qwen2_5_vl(folder, draw, seed):
    tokenizer, _ = qwen_vl.tokenizer_of(draw.choice([296, 300]))
    heads, depth, patch, merge = draw.choice([2, 3]), draw.choice([1, 2, 3]), draw.choice([4, 7, 14]), draw.choice([2, 2, 3])
    text = qwen_vl_text(draw, tokenizer.token_to_id("<|im_end|>"), draw.choice([[2, 3, 3], [4, 2, 2]]))
    window = patch * merge * draw.choice([1, 2, 2, 3, 50]) + draw.choice([0, 0, patch - 1])
    whole = draw.choice([[], [0], [depth - 1], list(range(depth)), [7, 15]])
    config = Qwen2_5_VLConfig(
        vision_config={"depth": depth, "hidden_size": heads * 8, "intermediate_size": draw.choice([12, 20]), "num_heads": heads,
                       "out_hidden_size": text["hidden_size"], "patch_size": patch, "spatial_merge_size": merge, "window_size": window,
                       "fullatt_block_indexes": whole, "hidden_act": draw.choice(["silu", "silu", "gelu"])},
        text_config=text, tie_word_embeddings=draw.random() < 0.5, **qwen_vl.ids_of(tokenizer))
    return qwen_vl_folder(folder, draw, seed, config, tokenizer, qwen_vl.TEMPLATE, family.QWEN_NAMES, "Qwen2_5_VLProcessor")


def make_qwen3_vl(folder, draw, seed):
    tokenizer, _ = qwen_vl.tokenizer_of(draw.choice([296, 300]))
    heads, depth = draw.choice([2, 3]), draw.choice([1, 2, 3])
    text = qwen_vl_text(draw, tokenizer.token_to_id("<|im_end|>"), draw.choice([[2, 3, 3], [4, 2, 2], [8, 0, 0]]), head_dim=16,
                        hidden_size=draw.choice([20, 32]), attention_bias=draw.random() < 0.3)
    if draw.random() < 0.5:
        text["rope_parameters"]["mrope_interleaved"] = True
    deep = draw.sample(range(depth), draw.randint(0, depth))  # in any order, more than the decoder has layers
    config = Qwen3VLConfig(
        vision_config={"depth": depth, "hidden_size": heads * 8, "intermediate_size": draw.choice([12, 20]), "num_heads": heads,
                       "out_hidden_size": text["hidden_size"], "patch_size": draw.choice([4, 8, 16]), "spatial_merge_size": draw.choice([2, 2, 3]),
                       "num_position_embeddings": draw.choice([4, 9, 36, 64]), "deepstack_visual_indexes": deep},
        text_config={**text, "head_dim": 16}, tie_word_embeddings=draw.random() < 0.5, **qwen_vl.ids_of(tokenizer))
    template = draw.choice([qwen_vl.TEMPLATE, qwen_vl.TEMPLATE_3])
    return qwen_vl_folder(folder, draw, seed, config, tokenizer, template, (), "Qwen3VLProcessor")


def make_internvl(folder, draw, seed):
    tokenizer, _ = internvl.tokenizer_of(draw.choice([296, 300]))
    stop = tokenizer.token_to_id("<|im_end|>")
    merge = draw.choice([1, 2, 2, 4])
    patch = draw.choice([3, 4, 5])
    side = patch * merge * draw.choice([2, 3]) + draw.choice([0, 0, patch - 1])
    heads, six = draw.choice([2, 3]), draw.random() < 0.5
    vision = InternVLVisionConfig(
        hidden_size=heads * 8, intermediate_size=draw.choice([20, 36]), num_hidden_layers=draw.choice([1, 2, 3]),
        num_attention_heads=heads, attention_bias=not six, use_qk_norm=six, norm_type="rms_norm" if six else "layer_norm",
        image_size=draw.choice([side, [side, side]]), patch_size=draw.choice([patch, [patch, patch]]),
        use_mean_pooling=draw.random() < 0.7, layer_norm_eps=draw.choice([1e-6, 1e-5]), use_mask_token=draw.random() < 0.2,
        hidden_act=draw.choice(["gelu"] * 3 + ["gelu_pytorch_tanh"]))
    tied = draw.random() < 0.4
    text = draw.choice([llama_text, qwen2_text, qwen3_text])(draw, 304, bos_token_id=None, eos_token_id=stop, tie_word_embeddings=tied)
    tokens = (side // patch // merge) ** 2
    config = InternVLConfig(
        vision_config=vision, text_config=text, image_token_id=tokenizer.token_to_id("<IMG_CONTEXT>"), image_seq_length=tokens,
        downsample_ratio=1 / merge, projector_hidden_act=draw.choice(["gelu", "gelu", "quick_gelu"]), tie_word_embeddings=tied,
        vision_feature_layer=draw.choice([-1, -1, -1, -2, 1]))
    model = internvl.random_weights(config, seed, tokenizer)
    layout = save_model(folder, model, draw, names=family.PLAIN_NAMES)
    tokenizer_files(folder, tokenizer, draw, draw.choice(["Qwen2Tokenizer", "PreTrainedTokenizerFast"]),
                    {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", **internvl.NAMED,
                     "extra_special_tokens": draw.choice([internvl.NAMED, {}])}, internvl.TEMPLATE)
    settings = odd_settings(draw, {
        "do_convert_rgb": True, "do_normalize": True, "do_rescale": True, "do_resize": True, "resample": draw.choice([3, 3, 2, 1]),
        "rescale_factor": 1 / 255, "image_mean": internvl.MEAN, "image_std": internvl.STD, "size": {"height": side, "width": side},
        "image_processor_type": "GotOcr2ImageProcessor", "crop_to_patches": draw.random() < 0.5,
        "min_patches": draw.choice([1, 1, 1, 2]), "max_patches": draw.choice([1, 4, 6, 12, 12])})
    picture_files(folder, draw, settings, {"processor_class": "InternVLProcessor", "image_seq_length": tokens})
    return layout


def make_instructblip(folder, draw, seed):
    tokenizer = family.llama_tokenizer(draw.choice([306, 320]))
    words = draw.choice([120, 160])
    question = instructblip.question_tokenizer(words)
    side, patch = draw.choice([(28, 7), (30, 7), (32, 4)])
    heads, asking = draw.choice([2, 3]), draw.choice([2, 3])
    queries = draw.choice([1, 5, 8])
    config = InstructBlipConfig(
        vision_config={"hidden_size": heads * 8, "intermediate_size": draw.choice([20, 36]), "num_hidden_layers": draw.choice([1, 2, 3]),
                       "num_attention_heads": heads, "image_size": side, "patch_size": patch, "qkv_bias": draw.random() < 0.7,
                       "hidden_act": draw.choice(["gelu"] * 3 + ["quick_gelu"]), "layer_norm_eps": draw.choice([1e-6, 1e-5])},
        qformer_config={"vocab_size": words + draw.choice([0, 7]), "hidden_size": asking * 8, "intermediate_size": draw.choice([20, 36]),
                        "num_hidden_layers": draw.choice([1, 2, 4]), "num_attention_heads": asking, "max_position_embeddings": 128,
                        "cross_attention_frequency": draw.choice([1, 2, 2, 3]), "layer_norm_eps": draw.choice([1e-12, 1e-6])},
        text_config=llama_text(draw, 324, bos_token_id=1, eos_token_id=2, tie_word_embeddings=draw.random() < 0.2),
        num_query_tokens=queries, image_token_index=tokenizer.token_to_id("<image>"))
    model = instructblip.random_weights(config, seed, tokenizer)
    layout = save_model(folder, model, draw, names=())
    tokens = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
    # transformers 5 would build a LlamaTokenizer of this family anew, which reads a leading space otherwise than tokenizer.json
    tokenizer_files(folder, tokenizer, draw, "PreTrainedTokenizerFast", tokens, None)
    (folder / "qformer_tokenizer").mkdir()
    tokenizer_files(folder / "qformer_tokenizer", question, draw, draw.choice(["BertTokenizer", "PreTrainedTokenizerFast"]), {
        "bos_token": "[DEC]", "cls_token": "[CLS]", "mask_token": "[MASK]", "pad_token": "[PAD]", "sep_token": "[SEP]", "unk_token": "[UNK]",
        "do_lower_case": True}, None)
    settings = odd_settings(draw, {
        "do_convert_rgb": True, "do_normalize": True, "do_rescale": True, "do_resize": True, "resample": draw.choice([3, 3, 2]),
        "rescale_factor": 1 / 255, "image_mean": CLIP_MEAN, "image_std": CLIP_STD, "image_processor_type": "BlipImageProcessor",
        "size": draw.choice([side, {"height": side, "width": side}])})
    picture_files(folder, draw, settings, {"processor_class": "InstructBlipProcessor", "num_query_tokens": queries})
    return layout


def make_paligemma(folder, draw, seed):
    tokenizer = family.gemma_tokenizer(320, ["<image>"])
    side, patch = draw.choice([(28, 7), (30, 7), (32, 4)])
    vision = tower(draw, "siglip", side, patch)
    text = gemma_text(draw, draw.choice(["gemma", "gemma2"]), 324)
    width = text.hidden_size
    config = PaliGemmaConfig(vision_config=vision, text_config=text, image_token_index=tokenizer.token_to_id("<image>"),
                             projection_dim=width, hidden_size=width, vocab_size=324)
    model = randomized(AutoModelForImageTextToText.from_config(config), tokenizer, seed)
    layout = save_model(folder, model, draw)
    settings = {**siglip_settings(draw, side), "image_seq_length": (side // patch) ** 2}
    kind = draw.choice(["GemmaTokenizer", "PreTrainedTokenizerFast"])
    tokenizer_files(folder, tokenizer, draw, kind, GEMMA_TOKENS, None)
    picture_files(folder, draw, settings, {"processor_class": "PaliGemmaProcessor"})
    if draw.random() < 0.5:  # as PaliGemmaProcessor.save_pretrained writes it
        _, processor = compare.load(folder)
        for file in ("processor_config.json", "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json"):
            (folder / file).unlink(missing_ok=True)
        processor.save_pretrained(folder)
        layout += " saved"
    return layout


def make_gemma3(folder, draw, seed):
    tokenizer = gemma3.tokenizer_of(330)
    patch = draw.choice([4, 7])
    rows, side = draw.choice([(8, 4), (9, 4), (4, 4), (6, 2), (5, 1)])  # patches and tokens a side
    vision = tower(draw, "siglip", rows * patch + draw.choice([0, 0, 3]), patch)
    text = gemma_text(draw, "gemma3_text", 334)
    config = Gemma3Config(vision_config=vision, text_config=text, mm_tokens_per_image=side ** 2 + draw.choice([0, 0, 1]),
                          eos_token_id=draw.choice([1, [1, tokenizer.token_to_id("<end_of_turn>")]]), **gemma3.ids_of(tokenizer))
    model = randomized(AutoModelForImageTextToText.from_config(config), tokenizer, seed)
    layout = save_model(folder, model, draw)
    tokenizer_files(folder, tokenizer, draw, draw.choice(["GemmaTokenizer", "PreTrainedTokenizerFast"]), gemma3.TOKENS, gemma3.TEMPLATE)
    settings = odd_settings(draw, {**gemma3.settings(vision.image_size), "resample": draw.choice([2, 2, 3])})
    picture_files(folder, draw, settings, {"processor_class": "Gemma3Processor",
                                           "image_seq_length": (rows // (rows // side)) ** 2})
    return layout


def make_mistral3(folder, draw, seed):
    tokenizer = mistral3.tokenizer_of(330)
    patch, merge, heads = draw.choice([3, 4, 7]), draw.choice([1, 2, 2, 3]), draw.choice([2, 3])
    vision = PixtralVisionConfig(hidden_size=heads * 8, intermediate_size=draw.choice([20, 36]), num_hidden_layers=draw.choice([1, 2, 3]),
                                 num_attention_heads=heads, patch_size=patch, image_size=56, hidden_act=draw.choice(["gelu", "gelu", "silu"]),
                                 rope_parameters={"rope_type": "axial", "rope_theta": draw.choice([1e4, 50.0])})
    tied = draw.random() < 0.5
    text = mistral_text(draw, 334, bos_token_id=tokenizer.token_to_id("<s>"), eos_token_id=tokenizer.token_to_id("</s>"),
                        tie_word_embeddings=tied)
    config = Mistral3Config(vision_config=vision, text_config=text, image_token_index=tokenizer.token_to_id("[IMG]"),
                            spatial_merge_size=merge, vision_feature_layer=-1, multimodal_projector_bias=draw.random() < 0.3,
                            projector_hidden_act=draw.choice(["gelu", "gelu", "gelu_pytorch_tanh"]), tie_word_embeddings=tied)
    model = randomized(AutoModelForImageTextToText.from_config(config), tokenizer, seed)
    layout = save_model(folder, model, draw, names=family.PLAIN_NAMES)
    tokenizer_files(folder, tokenizer, draw, "PreTrainedTokenizerFast", mistral3.TOKENS,
                    mistral3.template(draw.choice(["", "You are the cat. Say it."])))
    settings = odd_settings(draw, mistral3.settings(draw.choice([20, 35, 56, 300]), resample=draw.choice([3, 3, 2])))
    settings["do_resize"] = True
    picture_files(folder, draw, settings, mistral3.processor_of(patch, merge))
    return layout


MAKERS = {"llava": make_llava, "llava_next": make_llava_next, "idefics3": make_idefics3, "llava_onevision": make_llava_onevision, "qwen2_vl": make_qwen2_vl,
          "qwen2_5_vl": make_qwen2_5_vl, "qwen3_vl": make_qwen3_vl, "internvl": make_internvl, "instructblip": make_instructblip, "paligemma": make_paligemma, "gemma3": make_gemma3,
          "mistral3": make_mistral3}
