# The two commands of a newcomer are `make search` and `make test`; both install what they need.
PYTHON ?= python3
EXTRAS ?= dev
BIN := .venv/bin
INSTALLED := .venv/installed
# Two files of tests at a time, the long ones first. Most wait for processes to start.
PYTEST := $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: install search test test-all gpu-check cluster-test check format benchmark clean

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[$(EXTRAS)]'
	touch $@

search: $(INSTALLED)
	$(BIN)/python nasray/launch.py $(ARGS)

test: check
	$(PYTEST) -m "not slow and not cluster" $(ARGS)

# Without the test on a cluster, which needs root, sshd, rsync and iproute2.
test-all: check
	$(PYTEST) -m "not cluster" $(ARGS)

# On a machine with a GPU, or two; elsewhere it says why it does nothing.
gpu-check: $(INSTALLED)
	$(BIN)/pytest -m gpu tests/gpu $(ARGS)

cluster-test: $(INSTALLED)
	$(BIN)/pytest -m cluster -s $(ARGS)

check: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(INSTALLED)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

benchmark: $(INSTALLED)
	$(BIN)/python benchmarks/everything.py $(ARGS)

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
