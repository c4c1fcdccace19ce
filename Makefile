# Two commands set up everything on a fresh machine with Python and a network to PyPI.
#   make demo   the main job on the embedded miniature: build, check, print what was made and where
#   make test   linters, types and all tests
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= demo

.PHONY: demo test clean

demo: $(VENV)/.installed
	$(BIN)/isptools build sid --sample --out $(OUT)
	$(BIN)/isptools check $(OUT)
	$(BIN)/isptools inspect $(OUT)/sid-train-384x512-0000.h5

test: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "isptools needs Python 3.11 or newer"'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) $(OUT)
