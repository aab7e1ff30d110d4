# Everything that can be done with this project. Each target makes what it needs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
WORKERS ?= 2

.PHONY: demo test check format bench nightly setup setup-test lock clean

demo: $(INSTALLED)  ## a good release and a bad one, with real traffic, in about two minutes
	$(BIN)/tidegate demo

test: $(INSTALLED) setup-test  ## everything that is tested in minutes
	$(BIN)/pytest -n $(WORKERS) -m "not nightly"

check: $(INSTALLED)  ## format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(INSTALLED)
	$(BIN)/ruff check --fix . || true
	$(BIN)/ruff format .

bench: $(INSTALLED) setup-test  ## figures, as ratios within one run
	$(BIN)/python -m benchmarks

nightly: $(INSTALLED) setup-test  ## the long forms: chaos, many users, many changes
	$(BIN)/pytest -m nightly --timeout 3600

setup: $(INSTALLED)

$(INSTALLED): requirements.lock pyproject.toml
	$(PYTHON) scripts/make_venv.py $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

setup-test:  ## servers and tools that tests and benchmarks use, where they are missing
	$(PYTHON) scripts/setup_test.py

lock: $(INSTALLED)  ## resolve the dependencies anew
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url \
		--python-version 3.11 --all-extras --group dev pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
