# Everything from a bare machine: Python >= 3.11 with venv, make and a package
# registry. `make report` and `make test` need no other step before them.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.lightbox-ready
UV := $(BIN)/uv

.PHONY: help report test smoke faults bench lab check words lock clean

help:
	@echo "make report   the demo report: reports/demo/report.{html,pdf}"
	@echo "make test     the test suite"
	@echo "make smoke    every study, small, on phantoms and real radiographs"
	@echo "make faults   kills, full disks, bad input: minutes, and a table at the end"
	@echo "make bench    speed beside the tutorial loop, Lightning and fastai, as ratios"
	@echo "make lab      JupyterLab with the Lightbox kernel"
	@echo "make check    formatting, lint, notebooks included; nothing left untranslated"
	@echo "make words    renew the catalogue of translations from what is said"
	@echo "make lock     renew requirements.lock from pyproject.toml"
	@echo "make clean    remove the environment (data, runs and reports stay)"

report: $(READY)
	$(BIN)/lightbox report params/demo

test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests --ignore=tests/faults \
	  --numprocesses 2 --dist loadscope -m "not smoke"

smoke: $(READY)
	$(BIN)/python -m pytest tests/test_studies.py

faults: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/faults --quiet

# The peers get an environment of their own, .venv/peers.
bench: $(READY)
	$(BIN)/python tests/benchmarks/peers.py

lab: $(READY)
	$(BIN)/python -m ipykernel install --sys-prefix --name lightbox \
	  --display-name "Lightbox"
	$(BIN)/jupyter lab notebooks

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/python lib/tools/catalogue.py --check

words: $(READY)
	$(BIN)/python lib/tools/catalogue.py

$(UV):
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet uv

# `--exact` makes the environment equal to the lock, so a renewed lock also
# removes what it no longer names. uv and pip, which live there too, stay.
$(READY): requirements.lock pyproject.toml | $(UV)
	$(UV) pip install --quiet --exact --require-hashes --compile-bytecode \
	  --python $(BIN)/python --requirement requirements.lock
	$(UV) pip install --quiet --no-deps --python $(BIN)/python --editable .
	touch $@

lock: | $(UV)
	$(UV) pip compile --quiet --universal --generate-hashes --upgrade \
	  --python-version 3.11 --extra lab --extra dev \
	  --custom-compile-command "make lock" --output-file requirements.lock \
	  pyproject.toml

clean:
	rm -rf .venv
