# Each target makes its own .venv; nothing else on the machine is assumed but Python and Node.
PYTHON ?= python3
BIN := .venv/bin
# Compiled modules are worth their files: each run of pytest would compile the plugin anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: bench test check quick train format wheel clean

## bench: all sixty tasks with the offline reference model, ending in the per-level table
bench: .venv/ready
	$(BIN)/pytest --sema-model=reference -q

## test: format, lint, types, tests and the wheel check
test: check wheel

## check: format, lint, types and tests
check: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/sema-bench vm info
	$(BIN)/pytest -n 2 --dist worksteal -q

## quick: the tests that start neither a VM nor a pytest of their own, in under a minute
quick: .venv/ready
	$(BIN)/pytest -n 2 --dist worksteal -q -m "not vm and not pytester and not browser and not chaos"

## train: the tests that train with TRL, which a folder of the user's cache holds
train: .venv/ready
	PYTHONPATH="$$(.ci/train_packages $(BIN)/python)" $(BIN)/pytest -q -m train

## format: let ruff mend what it can
format: .venv/ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

## wheel: build the wheel, install it into an empty environment, run the bench from elsewhere
wheel: .venv/ready
	$(BIN)/python .ci/check_wheel.py

.venv/ready: pyproject.toml
	$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"Python 3.11 or newer is needed; this is {v[0]}.{v[1]}. Try: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache
