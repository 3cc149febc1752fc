#!/usr/bin/env python
"""Makes golden.json and files.safetensors: what Pillow and transformers' PIL-based processors give.

    .venv/bin/python tests/golden/preprocess/make.py

Made with Pillow 13.0.0 and transformers 5.23. Inputs of the resizes are computed by a formula (`picture`), which
tests/support/golden_picture.h repeats; of results mostly the SHA-256 of the bytes [3,H,W] is kept.
"""
import hashlib
import io
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from transformers.image_transforms import convert_to_rgb
from transformers.image_utils import load_image
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

HERE = Path(__file__).parent
FILTERS = {"lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4}
# (height, width) of source and result
SIZES = [((1, 1), (5, 7)), ((1, 9), (4, 3)), ((9, 1), (3, 4)), ((2, 2), (1, 1)), ((3, 5), (1, 64)), ((5, 3), (64, 1)),
         ((8, 8), (8, 8)), ((8, 8), (8, 16)), ((8, 8), (16, 8)), ((17, 23), (17, 5)), ((23, 17), (5, 17)),
         ((28, 28), (336, 336)), ((31, 47), (30, 46)), ((64, 48), (28, 21)), ((100, 75), (336, 252)),
         ((200, 300), (224, 336)), ((336, 336), (28, 28)), ((480, 640), (336, 448)), ((513, 511), (512, 512)),
         ((1000, 3), (7, 7)), ((3, 1000), (7, 7)), ((768, 1024), (384, 384)), ((61, 67), (59, 71)),
         ((1500, 40), (13, 333)),
         ((80, 100), (77, 99)), ((80, 100), (78, 99)), ((100, 80), (19, 40)), ((100, 80), (20, 40)),
         ((30, 120), (29, 130)), ((30, 120), (31, 110))]
PROCESSORS = {
    "clip336": (CLIPImageProcessorPil, {"size": {"shortest_edge": 336}, "crop_size": {"height": 336, "width": 336}}),
    "clip28": (CLIPImageProcessorPil, {"size": 28, "crop_size": 28}),
    "clip_crop_larger": (CLIPImageProcessorPil, {"size": {"shortest_edge": 20}, "crop_size": {"height": 33, "width": 26}}),
    "clip_no_resize": (CLIPImageProcessorPil, {"do_resize": False, "crop_size": {"height": 32, "width": 31}}),
    "siglip384": (SiglipImageProcessorPil, {"size": {"height": 384, "width": 384}}),
    "siglip_uneven": (SiglipImageProcessorPil, {"size": {"height": 30, "width": 52}, "resample": 2, "do_normalize": False}),
    "llava_pad": (LlavaImageProcessorPil, {"size": {"shortest_edge": 56}, "crop_size": {"height": 56, "width": 56}, "do_pad": True}),
}
PICTURES = [(28, 28), (336, 336), (480, 640), (640, 480), (37, 211), (211, 37), (1, 1), (5, 3), (3, 40), (700, 333), (19, 20)]


def picture(height, width):
    """[H,W,3]: waves with noise, so that sharp filters leave 0..255."""
    c, y, x = np.meshgrid(np.arange(3), np.arange(height), np.arange(width), indexing="ij")
    noise = (x * 7919 + y * 104729 + c * 1299709) % 65521
    noise = (noise * noise) % 65521
    value = (x * (3 + c) + y * 5 + (noise % 97)) % 256
    value = np.where((x // 6 + y // 4) % 3 == 0, (noise % 2) * 255, value)
    return np.moveaxis(value.astype(np.uint8), 0, -1)


def digest(hwc):
    return hashlib.sha256(np.ascontiguousarray(np.moveaxis(hwc, -1, 0)).tobytes()).hexdigest()


def resizes():
    cases = []
    for (h, w), (to_h, to_w) in SIZES:
        image = Image.fromarray(picture(h, w))
        for name, number in FILTERS.items():
            result = np.asarray(image.resize((to_w, to_h), resample=number))
            case = {"filter": name, "from": [h, w], "to": [to_h, to_w], "sha256": digest(result)}
            if to_h * to_w <= 49:
                case["bytes"] = np.moveaxis(result, -1, 0).flatten().tolist()
            cases.append(case)
    return cases


def odd_sizes():
    """400 pairs (from, to) of sizes, a line wide or high in half of them; tests/models/resampler_golden_test.cpp repeats the draws."""
    state = 12345

    def draw(limit):
        nonlocal state
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        return state // 2**33 % limit + 1

    for index in range(400):
        limit = 130 if index % 8 == 0 else 40
        sides = [draw(limit) for _ in range(4)]
        if index % 4 == 1:
            sides[0] = 1
        if index % 4 == 2:
            sides[1] = 1
        yield sides


def sweep():
    """One digest for every filter and 40 sizes: what Pillow makes of them, one after the other."""
    digests = {name: [] for name in FILTERS}
    for name, number in FILTERS.items():
        whole = hashlib.sha256()
        for index, (h, w, to_h, to_w) in enumerate(odd_sizes(), start=1):
            result = np.asarray(Image.fromarray(picture(h, w)).resize((to_w, to_h), resample=number))
            whole.update(np.ascontiguousarray(np.moveaxis(result, -1, 0)).tobytes())
            if index % 40 == 0:
                digests[name].append(whole.hexdigest())
    return digests


def processed():
    cases = []
    for name, (cls, kwargs) in PROCESSORS.items():
        processor = cls(**kwargs)
        config = json.loads(processor.to_json_string())
        for h, w in PICTURES:
            image = Image.fromarray(picture(h, w))
            values = processor(image, return_tensors="pt")["pixel_values"][0]
            raw = processor(image, return_tensors="pt", do_normalize=False)["pixel_values"][0]
            levels = torch.round(raw * 255).to(torch.uint8)
            at = np.linspace(0, values.numel() - 1, 12).astype(int)
            cases.append({"processor": name, "picture": [h, w], "shape": list(values.shape),
                          "levels_sha256": hashlib.sha256(levels.numpy().tobytes()).hexdigest(),
                          "at": at.tolist(), "values": [float(v) for v in values.flatten()[at]]})
        yield name, {"config": config, "given": kwargs, "cases": cases}
        cases = []


def image_files():
    """name -> bytes of small files of every kind that load_image accepts or refuses."""
    rgb = Image.fromarray(picture(19, 26))
    alpha = rgb.copy().convert("RGBA")
    alpha.putalpha(Image.fromarray(picture(19, 26)[:, :, 1]))
    palette = rgb.quantize(16)
    smooth = Image.fromarray(picture(30, 45)).resize((45, 30)).resize((9, 6)).resize((45, 30), 3)
    files = {}

    def save(name, image, **options):
        buffer = io.BytesIO()
        image.save(buffer, **options)
        files[name] = buffer.getvalue()

    save("rgb.png", rgb, format="PNG")
    save("gray.png", rgb.convert("L"), format="PNG")
    save("gray_alpha.png", alpha.convert("LA"), format="PNG")
    save("one_bit.png", rgb.convert("1"), format="PNG")
    save("rgba.png", alpha, format="PNG")
    save("palette.png", palette, format="PNG")
    save("palette_transparent.png", palette, format="PNG", transparency=3)
    save("two_colors.png", rgb.quantize(2), format="PNG", bits=1)
    save("rgb_transparent.png", rgb, format="PNG", transparency=(1, 2, 3))
    save("rgb_clear.png", rgb, format="PNG", transparency=rgb.getpixel((4, 5)))
    save("gray_clear.png", rgb.convert("L"), format="PNG", transparency=rgb.convert("L").getpixel((4, 5)))
    save("palette_clear_parts.png", palette, format="PNG", transparency=bytes([0, 128, 255, 0]))
    save("deep.png", Image.fromarray((picture(6, 7)[:, :, 0].astype(np.uint16) * 257)), format="PNG")
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        save(f"turned{orientation}.jpg", smooth, format="JPEG", quality=60, exif=exif.tobytes())
    exif = Image.Exif()
    exif[0x0112] = 6
    save("turned6.png", rgb, format="PNG", exif=exif)
    save("turned8.webp", rgb, format="WEBP", lossless=True, exif=exif_bytes(8))
    save("progressive.jpg", smooth, format="JPEG", quality=80, progressive=True)
    save("full_chroma.jpg", smooth, format="JPEG", quality=90, subsampling=0)
    save("restarts.jpg", smooth, format="JPEG", quality=90, restart_marker_blocks=1)
    save("gray.jpg", smooth.convert("L"), format="JPEG", quality=90)
    save("cmyk.jpg", smooth.convert("CMYK"), format="JPEG", quality=60)
    save("lossy.webp", smooth, format="WEBP", quality=70)
    save("lossless.webp", rgb, format="WEBP", lossless=True)
    save("alpha.webp", alpha, format="WEBP", lossless=True, exact=True)
    save("animated.webp", rgb, format="WEBP", save_all=True, append_images=[smooth.resize(rgb.size)])
    save("picture.gif", rgb, format="GIF")
    save("animated.png", rgb, format="PNG", save_all=True, append_images=[smooth.resize(rgb.size)])
    save("picture.bmp", rgb, format="BMP")
    save("gray.bmp", rgb.convert("L"), format="BMP")
    save("palette.bmp", palette, format="BMP")
    save("one_bit.bmp", rgb.convert("1"), format="BMP")
    save("wide.bmp", alpha, format="BMP")
    files["from_top.bmp"] = upside_down(files["picture.bmp"])
    files["sixteen.bmp"] = files["picture.bmp"][:28] + b"\x10\x00" + files["picture.bmp"][30:]
    for name, compression in (("plain", None), ("lzw", "tiff_lzw"), ("deflate", "tiff_adobe_deflate"),
                              ("packbits", "packbits")):
        save(f"{name}.tif", rgb, format="TIFF", compression=compression)
        save(f"gray_{name}.tif", rgb.convert("L"), format="TIFF", compression=compression)
    save("predicted.tif", rgb, format="TIFF", compression="tiff_lzw", tiffinfo={317: 2})
    save("strips.tif", smooth, format="TIFF", compression="tiff_lzw", tiffinfo={278: 7})
    save("palette.tif", palette, format="TIFF")
    save("white_is_zero.tif", rgb.convert("L"), format="TIFF", tiffinfo={262: 0})
    for orientation in range(2, 9):
        save(f"turned{orientation}.tif", rgb, format="TIFF", compression="tiff_lzw", tiffinfo={274: orientation})
    save("turned5.plain.tif", rgb, format="TIFF", tiffinfo={274: 5})
    save("turned6.gray.tif", rgb.convert("L"), format="TIFF", tiffinfo={274: 6})
    save("turned3.palette.tif", palette, format="TIFF", tiffinfo={274: 3})
    save("pages.tif", rgb, format="TIFF", save_all=True, append_images=[smooth])
    save("alpha.tif", alpha, format="TIFF")
    save("bits.tif", rgb.convert("1"), format="TIFF")
    save("deep.tif", Image.fromarray(picture(6, 7)[:, :, 0].astype(np.uint16) * 257), format="TIFF")
    save("cmyk.tif", rgb.convert("CMYK"), format="TIFF")
    save("photo.tif", smooth, format="TIFF", compression="jpeg")
    return files


def upside_down(bmp):
    """The same rows with a negative height: the first in the file is then the top one."""
    return bmp[:22] + (-int.from_bytes(bmp[22:26], "little")).to_bytes(4, "little", signed=True) + bmp[26:]


def exif_bytes(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


def jpeg_round_trips():
    cases = []
    for quality in (1, 10, 50, 75, 92, 95, 100):
        for h, w in ((40, 57), (16, 16), (1, 1)):
            buffer = io.BytesIO()
            Image.fromarray(picture(h, w)).save(buffer, format="JPEG", quality=quality)
            result = np.asarray(Image.open(buffer).convert("RGB"))
            cases.append({"quality": quality, "picture": [h, w], "sha256": digest(result)})
    return cases


def main():
    files = image_files()
    loaded = {}
    for name, data in files.items():
        path = Path("/tmp") / f"golden_{name}"
        path.write_bytes(data)
        image = convert_to_rgb(load_image(str(path)), return_numpy=True)  # as processors do: shows a clear color as white
        path.unlink()
        loaded[name] = {"size": list(image.shape[:2]), "sha256": digest(image)}
    save_file({name: torch.frombuffer(bytearray(data), dtype=torch.uint8) for name, data in files.items()},
              HERE / "files.safetensors")
    golden = {"picture_sha256": digest(picture(211, 37)), "resizes": resizes(), "processors": dict(processed()),
              "loaded": loaded, "jpeg_round_trips": jpeg_round_trips()}
    text = json.dumps(golden, indent=None, separators=(",", ":"))
    (HERE / "golden.json").write_text(text.replace('},{"', '},\n{"') + "\n")


    (HERE / "sweep.json").write_text(json.dumps(sweep(), indent=1) + "\n")


if __name__ == "__main__":
    main()
