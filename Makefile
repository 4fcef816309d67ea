# Everything a contributor runs. `make` alone lists it. All paths are relative, so that a folder name may hold spaces.
.DEFAULT_GOAL := help
unexport PYTHONDONTWRITEBYTECODE
unexport PYTHONPATH
BIN := .venv/bin

.PHONY: help setup servers readers demo test check lint types imports unit benchmark scale crash peers search format \
  constraints schemas api clean

help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  \1|/' | column -t -s '|'

setup: ## Make .venv with everything that demo and tests need (pinned)
	@sh scripts/setup.sh

servers: ## Install what some tests start: MariaDB, PostgreSQL, podman (Debian, root)
	@sh scripts/servers.sh

readers: setup ## Install the programs that some tests have read plans: terraform-compliance, tftest
	@sh scripts/readers.sh

demo: setup ## Apply the penguins example: data, training, a live endpoint, a prediction, lineage, clean-up
	@$(BIN)/python scripts/demo.py

test: check ## Install what the tests need, then lint, types, import contracts and tests

check: setup lint types imports unit ## Run all that CI runs

lint: setup ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup ## mypy --strict
	$(BIN)/mypy

imports: setup ## The layers of the architecture
	$(BIN)/lint-imports

unit: setup servers readers ## The tests
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not benchmark and not search and not crash"

benchmark: setup ## Measurements
	$(BIN)/python -m pytest -m benchmark -s --ignore tests/scale --ignore tests/staleness

scale: setup servers ## Plan and list with 1,000 past applies and 1,000,000 executions, on SQLite and MariaDB (takes long)
	ZENCTL_TEST_SERVERS=required $(BIN)/python -m pytest -m benchmark -s tests/scale

search: setup ## Compare the language with Go's at length, and try more random input
	ZENCTL_TEST_EXAMPLES=5000 $(BIN)/python -m pytest -n 2 --dist worksteal tests/unit/lang -m "not benchmark"

crash: setup ## Kill applies at every moment that counts, some 600 times, here and with machines, and print what came of it (hours)
	$(BIN)/python -m pytest -m crash -s tests/crash

peers: setup ## Changes of code that dvc, snakemake and redun miss, beside ours (they get a .venv-peers)
	@test -x .venv-peers/bin/dvc || { $(BIN)/python -m venv .venv-peers && \
	  .venv-peers/bin/python -m pip install --quiet --requirement tests/staleness/peers/requirements.txt; }
	$(BIN)/python -m pytest -m benchmark -s tests/staleness/test_peers.py

format: setup ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schemas: setup ## Write the JSON Schemas anew from the code
	$(BIN)/python scripts/schemas.py

api: ## Write down anew what providers may use of zenctl (tests/architecture/provider-api.txt)
	python3 scripts/provider_api.py

constraints: setup ## Resolve all versions anew and pin them
	sh scripts/constraints.sh

clean: ## Remove what make made (state of the examples included)
	rm -rf .venv .venv-peers .mypy_cache .pytest_cache .ruff_cache examples/*/.zenctl
