# Two commands do all the set-up on a machine with Python 3.11 and pip: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
STAMP = $(VENV)/.installed
DOCS = $(VENV)/.installed-docs

.PHONY: demo test slow check lint types contract docs install clean

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -c constraints.txt torch
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[dev]'
	touch $(STAMP)

install: $(STAMP)

demo: $(STAMP)
	$(BIN)/paralign demo --out runs/demo --resume

test: $(STAMP) lint types contract
	$(BIN)/python -m pytest -n 2

# The tests that test leaves out because each takes long.
slow: $(STAMP)
	$(BIN)/python -m pytest -n 2 -m slow

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

contract: $(STAMP)
	$(BIN)/lint-imports

$(DOCS): $(STAMP)
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[docs]'
	touch $(DOCS)

# Pages in build/docs; a warning (a broken link, a docstring that is no reStructuredText) is an error.
docs: $(DOCS)
	$(BIN)/sphinx-build -q -E -W --keep-going -c docs . build/docs
	@echo build/docs/docs/index.html

check: test

clean:
	rm -rf $(VENV) runs dist build .mypy_cache .ruff_cache .pytest_cache
