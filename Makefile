# Gridroll. `make help` lists what can be done here.

PYTHON ?= python3
ARGS ?=

export PYTHON
# Where bytecode is not kept, each program compiles all its libraries anew: three seconds instead of one, hundreds of times.
unexport PYTHONDONTWRITEBYTECODE
VENV := .venv
BIN := $(VENV)/bin
# Compiling on first use instead of for everything saves ten seconds of a first `make demo`.
PIP := $(BIN)/python -m pip install --disable-pip-version-check -qq --no-compile

# What is installed is as new as these two files. The second stamp holds all of the first.
PINS := requirements.txt pyproject.toml
RUN := $(VENV)/.stamp-run
DEV := $(VENV)/.stamp-dev

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup demo test check bench docs clean packages-demo packages-test

help:  ## this list
	@awk 'BEGIN {FS = ":.*##"} /^[a-z-]+:.*##/ {printf "  make %-7s %s\n", $$1, $$2}' Makefile
	@echo '  ARGS="..." is handed on to demo, test, bench and docs; PYTHON=python3.12 picks the interpreter.'

setup: packages-demo $(DEV)  ## Debian packages and a .venv with everything; quick when nothing changed

demo: packages-demo $(RUN)  ## a simulated class from the video grid to the attendance sheet
	@$(BIN)/gridroll demo $(ARGS)

test: packages-test $(DEV)  ## the whole test suite, with the database server and the browser it needs
	@$(BIN)/pytest --complete --numprocesses=4 --dist=loadfile --no-loadscope-reorder $(ARGS)

check: $(DEV)  ## lint, format, types and the direction of imports
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: packages-demo $(DEV)  ## accuracy and speed, measured on this machine
	@$(BIN)/python -m bench $(ARGS)

docs: packages-test $(DEV)  ## draw the pictures in docs/ again
	@$(BIN)/python -m docs.pictures $(ARGS)

clean:  ## remove .venv, caches and build output
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

packages-demo packages-test:
	@deploy/debian-packages.sh $(@:packages-%=%)

$(BIN)/pip: | packages-demo
	@$(PYTHON) -m venv $(VENV)

$(RUN): $(PINS) | $(BIN)/pip
	@echo 'gridroll: installing the Python packages into $(VENV) (about 350 MB the first time)'
	@$(PIP) --editable .
	@touch $@

$(DEV): $(PINS) | $(BIN)/pip
	@echo 'gridroll: installing the Python packages into $(VENV) (about 460 MB the first time)'
	@$(PIP) --editable '.[dev]'
	@touch $(RUN) $@
