# Every target sets up what it needs, in .venv; `make help` lists them.

PYTHON ?= python3
BIN := .venv/bin
JB := $(BIN)/jupyter-book build . -W -n --keep-going
CHAPTERS := $(wildcard book/*.ipynb)
# What tests the library, and does not look at the book.
LIBRARY := src $(filter-out $(foreach part,benchmarks book browser explorables glossary pages,tests/test_$(part).py),\
  $(wildcard tests/test_*.py))
PORT ?= 8000
# How many processes run the tests.
JOBS ?= 2
# What the tests use beyond `.[test]`; without PyTorch, which is large: make test EXTRAS=
EXTRAS ?= .venv/with-torch
# A Python for asdex, beside which `sparse` is timed, in .venv-asdex; without one, `make bench` leaves that out.
PYTHON312 ?= $(firstword $(foreach python,python3.12 python3.13 $(wildcard ~/.pyenv/versions/3.1[23].*/bin/python),\
  $(shell $(python) -c 'import ensurepip, sys, venv; print(sys.executable)' 2>/dev/null)))
# What `make bench` runs: --quick, in about ten minutes, or --full, or --gpu.
HOW ?= --quick
export JUPYTER_PLATFORM_DIRS := 1
export PYDEVD_DISABLE_FILE_VALIDATION := 1

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help book serve lab execute test test-colab test-matrix test-release test-gpu coverage lint chromium pdf bench clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' Makefile

.venv/made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed, and $(PYTHON) is not. Say which: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo "The Python module venv is missing. On Debian: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

# One stamp a set of extras; a set is installed again when its requirements change.
.venv/with-%: .venv/made pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[$*]"
	@touch $@

book: .venv/with-book  ## build the pages from the stored outputs
	@rm -rf _build/html _build/.doctrees
	$(JB) --quiet
	@echo "The book is built. Open _build/html/index.html, or run: make serve"

serve: book  ## build the pages and show them at http://127.0.0.1:8000 (or PORT=8001)
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory _build/html $(PORT)

lab: .venv/with-book .venv/with-hep .venv/with-dev $(EXTRAS)  ## open the chapters in JupyterLab
	$(BIN)/jupyter lab book

execute: .venv/with-book .venv/with-hep .venv/with-test $(EXTRAS)  ## run the chapters again and store their outputs
	$(BIN)/python book/_ext/execute.py $(CHAPTERS)

test: book .venv/with-hep .venv/with-test $(EXTRAS) lint chromium  ## check style and types, run all tests, the chapters and the pages
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --nbval --nbval-current-env -p no:cacheprovider $(CHAPTERS)

test-colab: .venv/with-release  ## run the chapters, but that on PyTorch, beside the versions that Colab ships
	$(BIN)/nox --session colab

test-matrix: .venv/with-release  ## run tests and chapters on each Python there is, with the oldest and newest packages
	$(BIN)/nox --session matrix

test-release: .venv/with-release  ## build the packages, and run the library's tests with nothing but what it requires
	$(BIN)/nox --session release

test-gpu: .venv/with-hep .venv/with-test $(EXTRAS)  ## run tests and chapters on a GPU, if JAX sees one
	$(BIN)/python tests/on_gpu.py $(LIBRARY)

coverage: .venv/with-hep .venv/with-test $(EXTRAS)  ## measure how many of the library's lines are tested
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal --cov autodiff_tutorial --cov-report term:skip-covered \
	  --cov-fail-under 95 $(LIBRARY)

lint: .venv/with-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/nbstripout --verify --keep-output --keep-count --keep-id $(CHAPTERS)

# Playwright, which steers the browser, brings a program that needs libatomic.
chromium: .venv/with-test
	@{ [ -n "$$CHROMIUM" ] || command -v chromium; } >/dev/null && $(BIN)/playwright --version >/dev/null 2>&1 \
	  || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
	    && apt-get update -qq && apt-get install -y -qq chromium libatomic1 >/dev/null; } \
	  || { echo "CHROMIUM IS MISSING: no page can be looked at. On Debian: apt-get install chromium libatomic1"; \
	    [ "$$CI" != true ]; }

pdf: .venv/with-book .venv/with-test chromium  ## print the book to _build/autodiff-tutorial.pdf
	$(BIN)/python book/_ext/make_pdf.py

bench: .venv/with-test .venv/with-hep .venv/with-bench  ## time the library against its peers (all there is: make bench HOW=--full)
	@$(if $(PYTHON312),$(MAKE) --no-print-directory .venv-asdex/made,:)
	$(BIN)/python -m benchmarks.run $(HOW)

# asdex 0.5 needs Python 3.12 and JAX 0.11: `sparse` is timed there, and its results name these versions.
.venv-asdex/made: pyproject.toml
	$(PYTHON312) -m venv .venv-asdex
	.venv-asdex/bin/python -m pip install --quiet --disable-pip-version-check \
	  "jax>=0.11,<0.12" asdex sparsejac scipy numpy sympy
	.venv-asdex/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

clean:  ## remove what was built, not .venv
	rm -rf _build .nox .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage*
