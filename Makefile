# make help tells what there is. Settings, e.g. make test PYTHON=python3.12 TORCH=2.12.0 TORCHVISION=0.27.0
SUITS := import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 13))
PYTHON ?= $(or $(shell for python in python3 python3.12 python3.11 python3.10; do \
	$$python -c '$(SUITS)' 2>/dev/null && echo $$python && break; done),python3)
TORCH ?= 2.13.0
TORCHVISION ?= 0.28.0
VENV ?= .venv
ARGS ?=
KODAK ?= data/kodak
OOD ?= data/ood

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help venv demo test sanitize bench results effort regularizer-study ablations leaderboard shipped commands docs lint clean

help:  ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 27
	@echo "  Settings: PYTHON=$(PYTHON) TORCH=$(TORCH) TORCHVISION=$(TORCHVISION) VENV=$(VENV) ARGS=(for the command)"

venv: $(VENV)/.ready  ## the whole Python environment in .venv (the first time takes some minutes)

demo: $(VENV)/.codec  ## a photograph to .glic and back, beside JPEG and WebP
	@$(BIN)/glic demo --force $(ARGS)

test: $(VENV)/.ready  ## the test suite in a process a core, ARGS="-m slow" for the long ones, ARGS="-n 0" in one
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n logical --maxprocesses 8 --dist worksteal $(ARGS)

sanitize: export GLIC_SANITIZED := 1
sanitize: $(VENV)/.ready  ## the tests of the C kernels with GCC's address and undefined behaviour sanitizers
	@$(BIN)/python glic_pyg/kernels/compile.py >/dev/null
	@OMP_NUM_THREADS=1 ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 \
	LD_PRELOAD="$(foreach name,asan.so ubsan.so stdc++.so.6,$(shell $(CC) -print-file-name=lib$(name)))" \
	$(BIN)/python -m pytest -n 0 tests/kernels tests/graph tests/nn --ignore tests/nn/test_compile.py $(ARGS)

bench: $(VENV)/.ready  ## time and memory of every part
	@$(BIN)/python -m benchmarks $(ARGS)

results: $(VENV)/.ready  ## rate and distortion of all codecs on KODAK and OOD, writes docs/results.md
	@$(BIN)/python -m studies.results --kodak $(KODAK) --ood $(OOD) $(ARGS)

effort: $(VENV)/.ready  ## what searching longer brings: files of KODAK at every effort, writes docs/effort.md
	@$(BIN)/python -m studies.effort --images $(KODAK) $(ARGS)

regularizer-study: $(VENV)/.ready  ## does the regularizer help? trains a grid of small codecs, writes docs/regularizer.md
	@$(BIN)/python -m studies.regularizer $(ARGS)

ablations: $(VENV)/.ready  ## what each choice in the graphs is worth: short runs, writes docs/ablations.md
	@$(BIN)/python -m studies.ablations $(ARGS)

leaderboard: $(VENV)/.ready  ## published codecs and ours by BD-rate and complexity, writes docs/leaderboard.md
	@$(BIN)/python -m studies.leaderboard $(ARGS)

shipped: $(VENV)/.ready  ## what the hours of training brought, from docs/data/shipped.tsv: writes docs/shipped.md
	@$(BIN)/python -m studies.shipping.history $(ARGS)

commands: $(VENV)/.ready  ## the options of every command, from the commands: writes docs/commands.md
	@$(BIN)/python -m studies.commands

docs: $(VENV)/.docs  ## the documentation as a site in site/; warnings are errors
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

lint: $(VENV)/.ready  ## ruff, mypy and the rule on imports
	@status=0; \
	$(BIN)/ruff check . || status=1; \
	$(BIN)/ruff format --check . || status=1; \
	$(BIN)/mypy || status=1; \
	$(BIN)/lint-imports --no-logo || status=1; \
	exit $$status

clean:  ## remove caches and outputs; .venv and runs stay
	rm -rf build dist site outputs .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

# Set-up, in steps that can be interrupted and taken up again at any point. The first two are enough for make demo.
PINNED := "torch==$(TORCH)" "torchvision==$(TORCHVISION)"

$(VENV)/.torch:
	@echo "[1/4] torch $(TORCH) and torchvision $(TORCHVISION) into $(VENV) (a large download)"
	@$(PYTHON) -c '$(SUITS)' || { \
	  echo "Python 3.10, 3.11 or 3.12 is needed (CompressAI wants numpy 1): make PYTHON=python3.12"; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@$(PIP) --no-compile $(PINNED) "numpy<2"
	@touch $@

$(VENV)/.codec: $(VENV)/.torch pyproject.toml $(wildcard glic_pyg/kernels/*.[ch])
	@echo "[2/4] glic-pyg and what encoding and decoding need"
	@$(PIP) --no-compile $(PINNED) --editable ".[inspect]"
	@touch $@

$(VENV)/.ops: $(VENV)/.torch
	@echo "[3/4] compiling torch-scatter and torch-cluster, both at once: some minutes of silence from the compiler"
	@$(PIP) setuptools wheel
	@.ci/build_ops $(BIN)/python $(VENV)/ops
	@touch $@

$(VENV)/.ready: $(VENV)/.codec $(VENV)/.ops
	@echo "[4/4] training, evaluation, and the tools of development"
	@$(PIP) $(PINNED) --editable ".[dev]"
	@touch $@
	@echo "Ready: $(BIN)/glic --help"

$(VENV)/.docs: $(VENV)/.codec
	@$(PIP) $(PINNED) --editable ".[docs]"
	@touch $@
