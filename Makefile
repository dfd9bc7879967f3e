# OR Vault. `make` lists the commands. Every one does its own set-up.
PYTHON ?= python3
BIN := .venv/bin
CONFIG ?= ray_config.yaml
# Side by side; tests/conftest.py says which stay together.
TEST_PROCESSES ?= 3
# Installed once per requirements file; the stamp is newer than what it stands for.
RUN_STAMP := .venv/.installed-run
DEV_STAMP := .venv/.installed-dev
# Packages are compiled on all cores, or beside what else is checked: pip would do it alone, for half a minute.
COMPILED_STAMP := .venv/.compiled
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes
LINK := $(BIN)/python scripts/link_project.py
# Where tests of the player's window leave pictures of what they saw; CI keeps them.
export ORVAULT_SCREENSHOTS ?= $(CURDIR)/build/screenshots
# What a process compiled is there for the next, whatever the machine asks for: tests start a thousand of them.
unexport PYTHONDONTWRITEBYTECODE
SOURCES := cluster actors api player orvault benchmarks tests scripts

.PHONY: help packages demo up test test-long check check-types check-windows check-imports player bench format requirements clean
help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

demo: $(RUN_STAMP) $(COMPILED_STAMP) ## record, request, mask, package, verify and play: the whole path, on two synthetic cameras
	$(BIN)/orvault demo --config $(CONFIG)

up: $(RUN_STAMP) $(COMPILED_STAMP) ## keep the system serving; prints the address of the API's docs
	$(BIN)/orvault init --config $(CONFIG) --if-needed
	$(BIN)/orvault up --config $(CONFIG)

test: packages $(DEV_STAMP) check ## set-up, format, lint, types, import contracts and all tests
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --no-loadscope-reorder tests/e2e tests/cluster tests/contract tests/unit tests/binary

check: $(DEV_STAMP) ## format, lint, types, import contracts
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(MAKE) --no-print-directory --jobs 2 --output-sync=target check-types check-windows check-imports $(COMPILED_STAMP)

check-types:
	$(BIN)/mypy
check-windows: # no call that Windows lacks
	$(BIN)/mypy --platform win32 --cache-dir .mypy_cache/windows -p player
check-imports:
	$(BIN)/lint-imports --no-cache

test-long: packages $(DEV_STAMP) ## tests that take minutes under load
	$(BIN)/python -m pytest -m long

player: packages $(DEV_STAMP) ## the player's binary in dist/, as a folder and as one file, tried without Python
	$(BIN)/pyinstaller --noconfirm --log-level WARN --workpath build --distpath dist scripts/player/orvault_player.spec
	$(BIN)/python -m pytest --noconftest -q tests/binary

bench: $(DEV_STAMP) ## every benchmark, as a table
	$(BIN)/python -m benchmarks

format: $(DEV_STAMP) ## put the code into its standard form
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

packages: ## Debian packages that the tests need (as root; otherwise says what is missing)
	scripts/debian-packages.sh

requirements: $(DEV_STAMP) ## resolve the pinned, hashed requirements again
	scripts/compile-requirements.sh

clean: ## remove what was built and the demonstration's data
	rm -rf .venv demo build dist .mypy_cache .ruff_cache .pytest_cache

.venv/bin/python:
	$(PYTHON) scripts/make_venv.py .venv

$(RUN_STAMP): .venv/bin/python requirements.txt
	@echo "installing what orvault needs (about 1 GB, once)"
	$(PIP_INSTALL) -r requirements.txt
	$(LINK)
	@touch $@

$(DEV_STAMP): .venv/bin/python requirements-dev.txt
	@echo "installing what the tests need (about 1 GB, once)"
	$(PIP_INSTALL) -r requirements-dev.txt
	$(LINK)
	@touch $@ $(RUN_STAMP)

$(COMPILED_STAMP): $(RUN_STAMP)
	@$(BIN)/python -m compileall -qq -j 0 .venv/lib || true # templates among them are no Python, as pip knows too
	@touch $@
