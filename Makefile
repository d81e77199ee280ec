SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# stages and commands find the kit's own Python first
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: help env repro verify test test-slow lint bench clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 18

env: ## create or refresh .venv from the lock files (every target does it first)
	@requirements/bootstrap.sh

repro: env ## run the pipeline at the scale of params.yaml, then show the verdicts
	@dvc repro
	@$(show-verdicts)

verify: env ## show the verdicts on the evidence at hand, without running anything
	@$(show-verdicts)

# NOT REPRODUCED is an honest answer (exit 1 of `repro verify`), so what decides here is whether the answers are the
# accepted ones of tracks/*/verdicts.json. An unreadable registry or evidence (exit 2) always fails.
define show-verdicts
repro verify || (($$? == 1)); \
if repro verify --accepted >/dev/null; then \
	echo "Every verdict above is the accepted one (tracks/*/verdicts.json)."; \
else \
	repro verify --accepted; \
fi
endef

test: env ## the fast tests, a few minutes on 2 cores
	@OMP_NUM_THREADS=1 pytest -n 2 --dist loadfile -m "not slow"

test-slow: env ## the slow tests: kills in every stage, fresh clones, accuracy
	@OMP_NUM_THREADS=1 pytest -n 2 --dist loadfile -m slow

lint: env ## style, imports, types
	@ruff check .
	@ruff format --check .
	@mypy

bench: env ## speed and memory, as ratios against peers measured in the same run
	@for file in benchmarks/[a-z]*.py; do python -m "benchmarks.$$(basename "$$file" .py)"; done

clean: ## remove the environment and the tools' caches; DVC's cache and all results stay
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist *.egg-info
	@find . -name __pycache__ -type d -not -path './.dvc/*' -prune -exec rm -rf {} +
