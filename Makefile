# make help lists the targets. PRESET=asan make test runs the tests under another preset.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup build demo test bench format clean

PRESET ?= dev
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
DEMO_OUT ?= runs/demo
HIJACK := build/release/hijack
# A Python with torch 2.13 and transformers 5.23; made where there is none.
BENCH_PYTHON ?= build/bench/venv/bin/python
BENCH_ARGS ?=
SETUP := src/cmake/setup.sh

help:  ## this list
	@awk -F':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:  ## install what is missing: Debian packages, and libtorch into .venv where none is found
	@$(SETUP)

build: setup  ## the program, optimized: build/release/hijack
	@cmake --preset release -DHIJACK_TESTS=OFF
	@cmake --build --preset release -j $(JOBS)

demo: build  ## attack a photograph on the shipped model, evaluate defenses, write the report
	@rm -rf $(DEMO_OUT)
	$(HIJACK) attack --image samples/images/chelsea.png --behavior string --epsilon 8/255 --out $(DEMO_OUT)
	$(HIJACK) evaluate $(DEMO_OUT) --defense perplexity --defense perplexity:window=10 --defense paraphrase \
	  --defense jpeg:quality=75
	$(HIJACK) report $(DEMO_OUT)
	@echo "The report: $(DEMO_OUT)/report.html"

test: setup  ## build with warnings as errors and run every test
	@cmake --preset $(PRESET)
	@cmake --build --preset $(PRESET) -j $(JOBS)
	@ctest --preset $(PRESET)

bench: setup  ## time a step beside transformers (BENCH_ARGS: see tests/bench/side_by_side.py), and our inner loops
	@cmake --preset release -DHIJACK_TESTS=ON
	@cmake --build --preset release -j $(JOBS) --target hijack_bench hijack_step growth_plot
	@build/release/tests/hijack_bench
	@$(BENCH_PYTHON) -c 'import torch, transformers' 2>/dev/null || { \
	  python3 -m venv build/bench/venv; \
	  build/bench/venv/bin/pip -q install torch==2.13.0 transformers==5.23.0 safetensors tokenizers Pillow; }
	@$(BENCH_PYTHON) tests/bench/make_checkpoints.py
	@$(BENCH_PYTHON) tests/bench/side_by_side.py --rows build/bench/steps.jsonl $(BENCH_ARGS)

format:  ## clang-format every C++ file
	@$(SETUP) clang-format
	@git ls-files -co --exclude-standard '*.h' '*.cpp' | xargs clang-format -i

clean:  ## remove the build folders
	@rm -rf build
