# Two commands set everything up: `make run` and `make test`.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test chains lint nightly benchmarks viz clean

run: .venv/installed
	$(BIN)/kedro run

# A process per core with one thread each; the tests of a file share what they set up. tests/conftest.py has the order.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

test: lint
	$(PYTEST)

# Whole runs: what runs again after a change, newcomers to the registries, pipelines beside the main job, a cluster.
chains: .venv/installed
	$(PYTEST) -m chains

lint: .venv/installed
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/deptry src

# Slow checks on real data.
nightly: .venv/installed
	$(BIN)/python -m pytest -m nightly

benchmarks: .venv/installed
	$(BIN)/python -m benchmarks

viz: .venv/installed
	@echo "The stages alone: http://localhost:4141/?types=nodes"
	$(BIN)/kedro viz run --include-hooks

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

# The stamp is renewed when what is to be installed changes.
.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "archatlas needs Python 3.11 or later: make PYTHON=python3.12 run")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@
