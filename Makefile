# Everything that can be done with this project. Each target makes what it needs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
WORKERS ?= 2
# What was simulated of this commit, so that a run can be stopped and goes on.
SIMULATED ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/tidegate/simulation/$(shell git rev-parse --short HEAD 2>/dev/null || echo here)

.PHONY: demo test check format bench docs pictures nightly nightly-tests nightly-simulation nightly-type-one nightly-published setup setup-test lock lock-localemu clean

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

docs: $(INSTALLED)  ## the documentation as a site, in build/site; a link that leads nowhere is an error
	$(BIN)/zensical build --clean --strict

pictures: $(INSTALLED) setup-test  ## the pictures in the documentation, taken of the pages as they are now; look at them
	PICTURES=docs/pictures TZ=UTC $(BIN)/pytest -n 0 tests/dashboard/test_pictures.py

nightly: nightly-tests nightly-published nightly-simulation nightly-type-one  ## the long forms, hours of them

nightly-tests: $(INSTALLED) setup-test  ## chaos, many users, many changes
	$(BIN)/pytest -m nightly --timeout 3600
	EXPLORE=1 $(BIN)/pytest -m "not nightly and not real" --timeout 3600

nightly-published: $(INSTALLED)  ## the published sizes of designs, reproduced
	$(BIN)/python -m benchmarks.simulation.published

nightly-simulation: $(INSTALLED)  ## comparisons in every world, at every traffic, beside the field; goes on where it was stopped
	$(BIN)/python -m benchmarks.simulation.run --full --workers $(WORKERS) --cache $(SIMULATED)

nightly-type-one: $(INSTALLED)  ## false alarms of 30,000 candidates that are harmless by the skin of their teeth
	$(BIN)/python -m benchmarks.simulation.type_one --workers $(WORKERS) --cache $(SIMULATED)

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

lock-localemu: $(INSTALLED)  ## the same for the emulator of AWS that wants a newer Python
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url --python-version 3.12 \
		--excludes tests/drivers/aws/localemu.without tests/drivers/aws/localemu.in -o tests/drivers/aws/localemu.lock

clean:
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
