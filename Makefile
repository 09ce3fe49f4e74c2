# Each target makes .venv itself, with plain venv and pip, as root or not, and does nothing twice.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

# Two processes, as many as the smallest machine has cores; what shares a server stays together.
PYTEST := $(BIN)/python -m pytest --numprocesses=2 --dist=loadscope
# What begins on the archive's fixtures, once more with its catalog on PostgreSQL.
ON_POSTGRESQL := tests/access tests/capture tests/retention tests/rights tests/custody

.PHONY: quickstart test lint docs bench faults clean
.DELETE_ON_ERROR:

.venv/.core: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(INSTALL) --editable .
	@touch $@

.venv/.dev: .venv/.core
	$(INSTALL) --editable '.[test,lint,docs]'
	@touch $@

quickstart: .venv/.core
	@$(BIN)/python examples/quickstart.py

test: .venv/.dev lint docs
	$(PYTEST) --cov=kelarec --cov-branch --cov-report=
	KELAREC_TEST_CATALOG=postgresql $(PYTEST) -q $(ON_POSTGRESQL)
	@$(BIN)/python -m coverage report --fail-under=90 >docs/_build/coverage.txt || { cat docs/_build/coverage.txt; exit 1; }

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy conftest.py docs/conf.py
	$(BIN)/lint-imports --no-logo

docs: .venv/.dev
	$(BIN)/python -m sphinx --fail-on-warning --quiet -b html docs docs/_build/html

.venv/.bench: .venv/.dev
	$(INSTALL) --editable '.[bench]'
	@touch $@

bench: .venv/.bench
	@for each in benchmarks/*.py; do echo "== $$each"; $(BIN)/python $$each || exit 1; done

faults: .venv/.dev
	$(BIN)/python -m pytest -m deep -s

clean:
	rm -rf .venv docs/_build .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis
