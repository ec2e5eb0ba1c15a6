# Every target makes what it needs, from a bare clone; a second call starts at once.
VENV := .venv
BIN := $(VENV)/bin
LOCK := requirements/compatible.txt
# Importing TFX takes four times as long without compiled bytecode.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run test test-unit lint lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.installed ## Train, evaluate, gate and push the default recipe (handwritten digits)
	@$(BIN)/graft run

test: $(VENV)/.installed ## Run every test
	@$(BIN)/pytest

test-unit: $(VENV)/.installed ## Run the tests that train nothing and start no processes
	@$(BIN)/pytest --ignore=tests/e2e -m "not slow"

lint: $(VENV)/.installed ## Check style and the direction of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-cache

lock: $(VENV)/.installed ## Resolve the dependencies anew and pin them with hashes
	@$(BIN)/uv pip compile pyproject.toml --extra dev --python-version 3.10 \
	    --python-platform x86_64-manylinux_2_28 --upgrade --quiet --generate-hashes --no-emit-index-url \
	    --no-emit-find-links --custom-compile-command "make lock" --output-file $(LOCK)

clean: ## Remove the environment and what the tools left; runs/ stays
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.installed: pyproject.toml $(LOCK)
	@python=$$(tools/find_python.sh) || exit 1; \
	    echo "Setting up $(VENV) with $$python (TFX 1.16, a few minutes the first time)"; \
	    "$$python" -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
	    --only-binary=:all: -r requirements/uv.txt
	@$(BIN)/uv pip install --quiet --require-hashes --compile-bytecode -r $(LOCK)
	@$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@
