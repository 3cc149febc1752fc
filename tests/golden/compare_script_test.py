#!/usr/bin/env python3
"""The parts of samples/compare_with_transformers.py that decide what is compared with what.

    python tests/golden/compare_script_test.py      (torch, transformers, Pillow, safetensors; exit code 77 without them)
"""
import os
import sys
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "samples"))
try:
    import compare_with_transformers as script
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)


class Words:
    """A tokenizer of words."""
    bos_token = "<s>"

    @staticmethod
    def encode(text, add_special_tokens):
        return text.split()


class Compare(unittest.TestCase):
    def test_a_begin_token_of_the_template_is_not_added_again(self):
        processor = SimpleNamespace(tokenizer=Words)
        self.assertEqual(script.special_tokens(processor, "<s>[INST] <image>"), {"add_special_tokens": False})
        self.assertEqual(script.special_tokens(processor, "USER: <image>"), {})
        self.assertEqual(script.special_tokens(SimpleNamespace(tokenizer=SimpleNamespace(bos_token=None)), "x"), {})

    def test_ids_of_a_template_with_a_begin_token_have_one(self):
        folder = ROOT / "tests/golden/llava/clip_gqa"
        _, processor = script.load(folder)
        processor.chat_template = "{{ bos_token }}" + (processor.chat_template or processor.tokenizer.chat_template)
        model = SimpleNamespace(config=SimpleNamespace(model_type="llava"))
        image = script.open_image(ROOT / "samples/images/chelsea.png")
        ids = script.inputs_of(model, processor, image, {"prompt": "who"})["input_ids"][0].tolist()
        self.assertEqual(ids.count(processor.tokenizer.bos_token_id), 1)

    def test_the_model_of_a_run_is_found(self):
        with tempfile.TemporaryDirectory() as where:
            run = Path(where)
            self.assertEqual(script.model_folder("pocket", run), str(ROOT / "samples/pocket"))
            self.assertEqual(script.model_folder("shipped:pocket", run), str(ROOT / "samples/pocket"))
            self.assertEqual(script.model_folder("/gone/elsewhere/pocket", run), str(ROOT / "samples/pocket"))
            self.assertEqual(script.model_folder("pocket", run, "given"), "given")
            (run / "mine").mkdir()
            (run / "mine" / "config.json").write_text("{}")
            self.assertEqual(script.model_folder("mine", run), str(run / "mine"))
            self.assertEqual(script.model_folder(str(run / "mine"), Path("elsewhere")), str(run / "mine"))
            with self.assertRaises(SystemExit) as refused:
                script.model_folder("nowhere/at-all", run)
            self.assertIn("--model", str(refused.exception))
            os.environ["HIJACK_DATA"] = where
            try:
                self.assertEqual(script.model_folder("mine", Path("elsewhere")), str(run / "mine"))
            finally:
                del os.environ["HIJACK_DATA"]

    def test_rows_of_all_processes_are_read(self):
        with tempfile.TemporaryDirectory() as where:
            run = Path(where)
            (run / "trials.0.jsonl").write_text('{"id": "a"}\n{"id": "cut')
            (run / "trials.1.jsonl").write_text('{"id": "b"}\n')
            self.assertEqual([row["id"] for row in script.rows_of_run(run, "trials")], ["a", "b"])
            (run / "trials.jsonl").write_text('{"id": "c"}\n')
            self.assertEqual([row["id"] for row in script.rows_of_run(run, "trials")], ["c", "a", "b"])

    def test_replies_are_as_long_as_they_were_asked_for(self):
        long_target = " ".join(["word"] * 60)
        self.assertEqual(script.reply_length({"reply_tokens": 9}, {"max_new_tokens": 48}, Words), 9)
        self.assertEqual(script.reply_length({"target": long_target}, {"max_new_tokens": 48}, Words), 64)
        self.assertEqual(script.reply_length({"target": "short"}, {}, Words), 48)

    def test_the_file_that_was_shown(self):
        one = {"id": "t"}
        self.assertEqual(script.picture_of(one, {"condition": "attack"}), "images/t.png")
        self.assertEqual(script.picture_of(one, {"condition": "clean"}), "images/t.origin.png")
        self.assertIsNone(script.picture_of({"id": "t", "image_file": ""}, {"condition": "attack"}))
        two = {"id": "t", "photos": [{"source_image": "a.png"}, {"source_image": "b.png"}]}
        self.assertEqual(script.picture_of(two, {"condition": "attack", "photo": "b.png"}), "images/t.photo2.png")
        self.assertEqual(script.picture_of(two, {"condition": "noise", "photo": "b.png"}), "images/t.photo2.noise.png")
        self.assertEqual(script.picture_of(two, {"condition": "clean", "photo": "a.png"}), "images/t.origin.png")

    def test_what_was_not_submitted_as_stored_is_left_out(self):
        row = {"defense": "none", "condition": "attack"}
        self.assertTrue(script.can_be_replayed({"constraint_name": "linf"}, row))
        self.assertFalse(script.can_be_replayed({"constraint_name": "moving_patch"}, row))
        self.assertTrue(script.can_be_replayed({"constraint_name": "moving_patch"}, {**row, "condition": "clean"}))
        self.assertFalse(script.can_be_replayed({"constraint_name": "linf"}, {**row, "defense": "jpeg"}))
        self.assertFalse(script.can_be_replayed({"constraint_name": "linf"}, {**row, "condition": "transfer"}))


if __name__ == "__main__":
    unittest.main()
