# The commands of this project. `make run` and `make test` need Python >= 3.11 only.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11,$(shell $(p) -c 'import sys; sys.version_info >= (3, 11) and print("$(p)")' 2>/dev/null)))
PORT ?= 8080
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# What a stamp stands for is what its lock file said when it was last installed.
RUNTIME := $(VENV)/.runtime-installed
TESTING := $(VENV)/.testing-installed

.PHONY: help run test check bench format lock browser clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

run: $(RUNTIME) ## a whole shop on this machine, with no account anywhere
	@exec $(BIN)/stampcard demo --port $(PORT)

test: $(TESTING) browser ## the whole suite; ARGS="-k name" picks
	@$(BIN)/python -m pytest $(ARGS)

check: $(TESTING) ## format, lint, types, layers, spelling
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/codespell --ignore-regex '[^\x00-\x7F]+' $$(git ls-files '*.py' README.md CHANGELOG.md)

bench: $(TESTING) ## speed as ratios to a yardstick, measured in one run
	@$(BIN)/python -m tests.bench

format: $(TESTING) ## put every file into the house format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock: $(BIN)/python ## resolve the dependencies anew into the two lock files
	@$(PIP) install --quiet uv
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --upgrade \
		--python-version 3.11 --extra build pyproject.toml -o requirements.lock
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --upgrade \
		--python-version 3.11 --extra build --extra test -c requirements.lock \
		pyproject.toml -o tests/requirements.lock

browser: ## Debian's Chromium and Japanese fonts, for the browser tests
	@if command -v chromium >/dev/null; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo 'installing chromium and fonts-noto-cjk for the browser tests'; \
		export DEBIAN_FRONTEND=noninteractive; \
		if apt-get update -qq && apt-get install -qqy --no-install-recommends chromium fonts-noto-cjk >/dev/null; then exit 0; fi; \
	fi; \
	printf '\n%s\n%s\n%s\n\n' \
		'############################################################' \
		'NO CHROMIUM HERE, AND NONE MAY BE INSTALLED: THE BROWSER TESTS ARE SKIPPED' \
		'############################################################' >&2

clean: ## forget the environment; data in var/ stays
	rm -rf $(VENV) build *.egg-info

$(BIN)/python:
	@if [ -z '$(PYTHON)' ]; then echo 'Python 3.11 or newer is needed (or say which: make PYTHON=...)' >&2; exit 1; fi
	@echo 'making $(VENV) with $(PYTHON)'
	@'$(PYTHON)' -m venv $(VENV) || { rm -rf $(VENV); echo 'python3-venv is missing (Debian: apt install python3-venv)' >&2; exit 1; }

$(RUNTIME): requirements.lock pyproject.toml | $(BIN)/python
	@echo 'installing what requirements.lock names'
	@$(PIP) install --quiet --require-hashes -r requirements.lock
	@$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(TESTING): tests/requirements.lock pyproject.toml | $(BIN)/python
	@echo 'installing what tests/requirements.lock names'
	@$(PIP) install --quiet --require-hashes -r tests/requirements.lock
	@$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $@ $(RUNTIME)
