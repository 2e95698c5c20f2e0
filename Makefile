# `make run` and `make test` are all one needs; both set up what they lack.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
LOCK ?= requirements.lock

.PHONY: setup run test check bench up clean

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml $(LOCK)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement $(LOCK)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	$(BIN)/tuner models fetch
	touch $@

run: setup
	$(BIN)/tuner run configs/quickstart.yaml

test: setup
	$(BIN)/python -m pytest

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

bench: setup
	$(BIN)/python -m benchmarks

up: setup
	$(BIN)/tuner up

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .import_linter_cache build *.egg-info
