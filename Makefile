# Every target makes what it needs, from a bare clone; a second call starts at once.
VENV := .venv
BIN := $(VENV)/bin
LOCKS := requirements/compatible.txt requirements/modern.txt requirements/uv.txt
# Importing TFX takes four times as long without compiled bytecode.
unexport PYTHONDONTWRITEBYTECODE

# Two processes: more would each import TFX again and make the same fixtures. A file stays in one.
PYTEST := $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help run test test-unit test-chaos lint lock image clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.installed ## Train, evaluate, gate and push the default recipe (handwritten digits)
	@cat $<
	@$(BIN)/graft run

test: $(VENV)/.installed ## Run every test
	@cat $<
	@$(PYTEST)

test-unit: $(VENV)/.installed ## Run the tests that are not slow
	@$(PYTEST) -m "not slow"

test-chaos: $(VENV)/.installed ## Kill, fill the disk and damage at random: 200 trials (an hour)
	@$(BIN)/pytest -m hypothesis --hypothesis-profile random
	@$(BIN)/python -m tests.chaos --storage 140 --chain 60 2>/dev/null

lint: $(VENV)/.installed ## Check style and the direction of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-cache

lock: $(VENV)/.installed ## Pin the dependencies with hashes; UPGRADE=1: the newest ones
	@tools/lock.sh $(BIN)/uv requirements $(if $(UPGRADE),--upgrade)

image: ## Show how to build the image with Docker or Buildah, and write its SBOM; IMAGE=NAME:TAG VARIANT=cpu|gpu
	@tools/image.sh $(or $(IMAGE),registry.example.com/graft:0.1.0) $(or $(VARIANT),cpu)

clean: ## Remove the environment and what the tools left; runs/ stays
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.installed: pyproject.toml $(LOCKS)
	@tools/set_up.sh $(VENV)
