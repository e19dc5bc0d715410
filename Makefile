# Two commands do everything: `make demo` and `make test`. Needs Debian's python3, python3-venv and make.
#   PYTHON=python3.12 VENV=/path make test     another interpreter, another place for the environment
#   make demo TORCH=cpu                        the CPU build of torch from its own index
PYTHON ?= python3
VENV ?= .venv
TORCH ?= auto
DEMO ?= demo
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

ifeq ($(TORCH),cpu)
INDEX := --extra-index-url https://download.pytorch.org/whl/cpu
endif

.PHONY: help demo test quick docs lint types check clean

help:
	@echo "make demo    align, degrade, train and evaluate on the bundled photos; ends with a report"
	@echo "make test    run the tests"
	@echo "make quick   run those that take no time"
	@echo "make docs    write the documentation to site/, which opens from disk"
	@echo "make check   tests, linter and type checker"
	@echo "make clean   remove the environment and the demo's output"

$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) not found; apt-get install python3 python3-venv make"; exit 3; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON="; exit 3; }
	@$(PYTHON) -m venv $(VENV) || { echo "cannot make an environment; apt-get install python3-venv"; exit 3; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt $(INDEX) -e '.[dev]'
	@touch $@

demo: $(STAMP)
	$(BIN)/python -m pipelines.demo -o $(DEMO)

test: $(STAMP)
	$(BIN)/python -m pytest -n auto --dist worksteal -q -m "not gpu"

quick: $(STAMP)
	$(BIN)/python -m pytest -n auto --dist worksteal -q -m "not gpu and not slow"

$(VENV)/.docs: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt $(INDEX) -e '.[docs]'
	@touch $@

docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict
	@echo "site/index.html"

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

check: lint types test

clean:
	rm -rf $(VENV) $(DEMO) site build/tutorials
