# One door to the project. A newcomer needs Python 3.11 (or later) and make.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
JOBS   ?= auto

.DEFAULT_GOAL := help
OLDEST := .venv-oldest
PEERS  := .venv-peers

.PHONY: help install demo test test-slow test-oldest test-wheel check format bench bench-cache race docs build clean

help:  ## Say what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(BIN)/.installed: pyproject.toml requirements/constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("pitstop needs Python 3.11 or later, this is " + sys.version.split()[0] + ": make PYTHON=python3.11 ...") if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --constraint requirements/constraints.txt --editable '.[all]' --group dev
	touch $@

install: $(BIN)/.installed  ## Install Pitstop and its tools into .venv

demo: install  ## See, cure and prove: the blog service on real data, in under three minutes
	$(BIN)/pitstop demo

test: install  ## Run the test suite (private servers are started and stopped)
	$(BIN)/python -m pytest -n $(JOBS) -m 'not slow'

test-slow: install  ## Run the long proofs as well
	$(BIN)/python -m pytest -n $(JOBS)

test-oldest: install  ## Run the tests of the SQL room with the oldest supported SQLAlchemy
	test -x $(OLDEST)/bin/python || $(PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(OLDEST)/bin/python -m pip install --quiet --editable '.[all]' --group test 'sqlalchemy[asyncio]==2.0.40' 'sqlmodel<0.0.40'
	$(OLDEST)/bin/python -m pytest -n $(JOBS) tests/sql tests/test_transactions.py

test-wheel: build  ## Install the wheel into an empty environment and run a load from elsewhere
	PYTHON=$(BIN)/python sh tests/wheel.sh dist/pitstop-*.whl

check: install  ## Lint, format, types, import contracts, spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell src tests docs benchmarks README.md CHANGELOG.md

format: install  ## Let ruff format and mend what it can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: install  ## Run the benchmarks whose figures stand in docs/results.md
	$(BIN)/python -m benchmarks

bench-cache:  ## Put caches side by side, in .venv-peers (OPTIONS="--quick --only hits")
	test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(PEERS)/bin/python -m pip install --quiet --constraint requirements/constraints.txt --constraint requirements/peers.txt --editable '.[servers]' --group peers
	$(PEERS)/bin/python -m benchmarks cache $(OPTIONS)

race: install  ## Race the cache's promise against real servers, half an hour (OPTIONS="--quick --only strict")
	$(BIN)/python -m benchmarks cache_race $(OPTIONS)

docs: install  ## Build the documentation into site/
	$(BIN)/mkdocs build --strict

build: install  ## Build the wheel into dist/
	rm -rf dist
	$(BIN)/python -m build --wheel --no-isolation

clean:  ## Remove what was built (not .venv)
	rm -rf $(OLDEST) $(PEERS) dist build site .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
