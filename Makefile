# These set up everything on a fresh machine with Python and a network to PyPI.
#   make demo   the main job on the embedded miniature: build, check, print what was made and where
#   make train  a small network from those shards, scored beside what needs no training, and used
#   make test   linters, types and tests
#   make test-long   the tests that take long and repeat what shorter ones show (10 minutes)
#   make gpu    all checks and measurements of a GPU, in at most 8 minutes, into docs/gpu.md and docs/gpu.json;
#               without one the tiny form, into gpu/
#   make bench  how fast it is beside other programs, in at most 15 minutes: docs/benchmarks.md
#   make bench-quick   the ratios alone, against half of what they were
#   make faults everything that was tried to break it, again (20 minutes): docs/reliability.md
#   make fuzz   more of hypothesis on what reads strangers' bytes; FUZZ=20000 examples of each
#   make mutants   does a test notice 400 small faults in the trainer and the measures? (hours)
#   make docs   the site into site/html: pages, reference, gallery and notebooks; a warning is an error
#   make docs-links   are the addresses that pages name still there? (asks the network)
#   make fingerprint   does every recipe give the bytes it gave? (10 minutes)
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= demo
# what `make demo` installs beside the builder; `make train` and `make test` add PyTorch
EXTRAS ?=
# how many processes test at once, each whole files of tests; 0: this one alone
WORKERS ?= 2

# says every 4 seconds that a silent command is alive
ALIVE = (while :; do echo "installing into $(VENV) ..."; sleep 4; done) & ticks=$$!; trap "kill $$ticks 2>/dev/null" EXIT;
# what is not used needs not be compiled: a third of the time
PIP = $(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt

.PHONY: bench bench-quick demo train test test-long docs docs-links gpu mutants fingerprint faults fuzz clean

demo: $(VENV)/.installed
	$(BIN)/isptools build sid --sample --out $(OUT)
	$(BIN)/isptools check $(OUT)
	$(BIN)/isptools inspect $(OUT)/sid-train-384x512-0000.h5 --image $(OUT)/look.png
	$(BIN)/isptools report $(OUT) --out $(OUT)/report.html || test $$? = 3

train: demo $(VENV)/.installed-train
	$(BIN)/isptools train deepisp $(OUT) --out $(OUT)/run --preset demo
	$(BIN)/isptools eval $(OUT)/run $(OUT) --image $(OUT)/trained.png
	$(BIN)/isptools sample sid --out $(OUT)/raws
	$(BIN)/isptools develop $(OUT)/run $(OUT)/raws/Sony/short/10003_00_0.1s.ARW --out $(OUT)/developed.png --gain 100

test: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy & types=$$!; $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder; \
	tests=$$?; wait $$types && exit $$tests

test-long: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m long

docs: $(VENV)/.installed-docs
	$(BIN)/python docs/site/assemble.py site/source
	$(BIN)/python -m sphinx -j 2 -W --keep-going -q -b html site/source site/html

docs-links: $(VENV)/.installed-docs
	$(BIN)/python docs/site/assemble.py site/source
	$(BIN)/python -m sphinx -q -D plot_gallery=0 -b linkcheck site/source site/links

gpu: $(VENV)/.installed-dev
	if $(BIN)/python -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; \
	then $(BIN)/python benchmarks/gpu.py --out docs --page docs/gpu.md; \
	else $(BIN)/python benchmarks/gpu.py --tiny --out gpu; fi

mutants: $(VENV)/.installed-dev
	$(BIN)/python benchmarks/mutants.py --jobs $(WORKERS) --least 0.9

fingerprint: $(VENV)/.installed-train
	$(BIN)/python benchmarks/fingerprint.py
	$(BIN)/python benchmarks/fingerprint_train.py

bench: $(VENV)/.installed-dev
	$(BIN)/python benchmarks/speed.py --page docs/benchmarks.md

bench-quick: $(VENV)/.installed-dev
	$(BIN)/python benchmarks/speed.py --quick --turns 5

faults: $(VENV)/.installed-dev
	$(BIN)/python benchmarks/faults.py --minutes 20 --page docs/reliability.md

FUZZ ?= 20000
fuzz: $(VENV)/.installed-dev
	FUZZ=$(FUZZ) $(BIN)/python -m pytest -q tests/test_fuzz.py tests/test_facts.py

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "isptools needs Python 3.11 or newer"'
	@echo "installing into $(VENV): about 0.9 GB on the disk"
	@$(ALIVE) $(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	@$(ALIVE) $(PIP) -e '.$(if $(EXTRAS),[$(EXTRAS)])'
	@touch $@

$(VENV)/.installed-train: $(VENV)/.installed
	@echo "installing PyTorch into $(VENV): about 0.9 GB more"
	@$(ALIVE) $(PIP) -e '.[train]'
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@$(ALIVE) $(PIP) -e '.[dev]'
	@touch $@

$(VENV)/.installed-docs: $(VENV)/.installed
	@$(ALIVE) $(PIP) -e '.[docs]'
	@touch $@

clean:
	rm -rf $(VENV) $(OUT) gpu site
