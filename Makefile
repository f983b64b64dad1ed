# Everything is set up by the targets that need it: a virtual environment in .venv and, where packages may be
# installed, the compilers and the emulator. A second run finds the stamps and starts at once.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
TORCH := $(shell grep -E '^torch==' requirements/torch.txt)
FUZZ ?= 10000

.PHONY: demo test lint bench fuzz clean system system-tests

demo: $(VENV)/.base system
	@$(BIN)/python -m octavo.demo

test: $(VENV)/.dev system-tests
	@$(BIN)/python -m pytest -n 2 -q

lint: $(VENV)/.dev
	@$(BIN)/ruff check .
	@$(BIN)/mypy

bench: $(VENV)/.dev system
	@$(BIN)/python -m benchmarks

# FUZZ mutated files for each importer.
fuzz: $(VENV)/.dev
	@OCTAVO_FUZZ=$(FUZZ) $(BIN)/python -m pytest -n 2 -q tests/formats -k fuzz

clean:
	rm -rf $(VENV) build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

system:
	@scripts/system_packages.sh

system-tests:
	@scripts/system_packages.sh --tests

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: Octavo needs Python 3.11 or newer; name one: make PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || scripts/system_packages.sh python3-venv
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "error: no virtual environments; install them: apt-get install python3-venv"; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

# The CPU build by its own version: an index without it is no source of a CUDA build.
$(VENV)/.torch: $(VENV)/.made requirements/torch.txt
	@echo "Installing $(TORCH) for the CPU ..."
	@case "$$(uname -s)" in \
	  Linux) $(PIP) install -qq "$(TORCH)+cpu" || \
	    { echo "error: pip finds no CPU build of $(TORCH); name PyTorch's CPU index in PIP_EXTRA_INDEX_URL"; exit 1; } ;; \
	  *) $(PIP) install -qq "$(TORCH)" ;; \
	esac
	@touch $@

$(VENV)/.base: $(VENV)/.torch requirements/base.txt pyproject.toml
	@echo "Installing the pinned requirements ..."
	@$(PIP) install -qq -r requirements/base.txt
	@$(PIP) install -qq --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.base requirements/dev.txt
	@echo "Installing what tests and benchmarks compare with ..."
	@$(PIP) install -qq -r requirements/dev.txt
	@touch $@
