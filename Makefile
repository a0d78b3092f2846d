# Every target sets up what it needs by itself; the second time that costs nothing.
BIN := .venv/bin
MAKEFLAGS += --no-print-directory
unexport PYTHONDONTWRITEBYTECODE # it doubles every start

.DEFAULT_GOAL := help
.PHONY: help demo run test chaos check lint fmt bench lock

# Processes share the tests file by file, so that what a file's tests share is started once.
PYTEST := $(BIN)/python -m pytest --dist loadfile --no-loadscope-reorder

help: ## show this list
	@sed -n 's/^\([a-z]*\):.* ## /\1\t/p' Makefile | while IFS='	' read -r name text; do printf 'make %-6s %s\n' "$$name" "$$text"; done

demo: ## carry one link from a media site on this machine to signed links, and check what arrived
	@scripts/setup.sh run
	@$(BIN)/python -m scripts.demo

run: ## start Linkferry: the web endpoint and the worker in one command
	@scripts/setup.sh run
	@exec $(BIN)/linkferry up

test: ## run every test
	@scripts/setup.sh test
	@$(PYTEST) -n 3 # for two processors: many tests wait for what they started

chaos: ## break everything while requests come in, and count; JOBS=500 runs long, SEED=7 repeats a run
	@scripts/setup.sh test
	@CHAOS_JOBS=$(JOBS) CHAOS_SEED=$(SEED) $(BIN)/python -m pytest -s -q tests/chaos/test_chaos.py

check: lint ## formatter, linter, types, layers and the fast tests, in less than a minute
	@scripts/setup.sh test
	@$(PYTEST) -n 3 -q -m "not slow"

lint: ## formatter, linter, types and layers
	@scripts/setup.sh check
	$(BIN)/ruff format --check --quiet
	$(BIN)/ruff check --quiet
	$(BIN)/mypy
	$(BIN)/mypy -p scripts
	$(BIN)/lint-imports
	@! command -v terraform >/dev/null || terraform fmt -check -recursive infra/terraform

fmt: ## format the code and fix what the linter can
	@scripts/setup.sh check
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

bench: ## measure, side by side with what it is compared to
	@scripts/setup.sh test
	@$(BIN)/python -m benchmarks

lock: ## refresh both lock files; ONLY="yt-dlp" moves only that package
	@scripts/setup.sh check
	@scripts/lock.sh $(ONLY)
