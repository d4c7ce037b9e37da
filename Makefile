SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
SEED ?= $(shell date +%s)

.PHONY: install demo test check bench browser soak format

install: $(STAMP) ## make .venv with the pinned dependencies and the project (editable)

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $(STAMP)

.PHONY: compiled
compiled: install # what is not compiled, every process that a test starts would compile anew
	@$(BIN)/python -m compileall -q bot handlers notify billing sandbox

demo: install ## start everything with demo data; prints "ready: <url>"
	@$(BIN)/mingzhang demo

test: compiled ## the whole suite, parallel, on the embedded engines
	PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n 4 -q -m 'not soak and (not browser or journey)'

check: install ## format, lint, types, import contracts, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MAKE) test

format: install ## rewrite the sources in the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: install ## every benchmark, small sizes
	$(BIN)/python -m benchmarks

browser: install ## every Chromium test
	$(BIN)/pytest -q -m browser

soak: install ## fault, race and property tests with full counts and a printed seed
	@echo "seed: $(SEED)"
	MINGZHANG_TEST_PROFILE=soak $(BIN)/pytest -n 3 -q --hypothesis-seed=$(SEED) -m 'not browser'
