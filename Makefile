# make run: install, prepare, start.  make test: the whole test suite.  Nothing else is needed.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: run test lock clean

run: $(INSTALLED)
	@$(BIN)/tweetsent run

# One thread for each of several processes: most tests leave one core idle.
test: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

# The marker is written last: an interrupted installation is done again.
$(INSTALLED): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "tweetsent needs Python 3.11 or newer: make PYTHON=python3.12 …" >&2; exit 1; }
	@echo "installing into $(VENV): 2 GB, once, two minutes or more …" >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e . >&2
	@touch $@

# Resolve the newest versions that pyproject.toml allows; the lines about torch are kept.
lock: $(INSTALLED)
	$(BIN)/python -m pip install --quiet pip-tools
	grep '^torch==' requirements.txt > $(VENV)/torch.txt
	$(BIN)/pip-compile --quiet --upgrade --extra dev --strip-extras --no-header \
		--no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
		--unsafe-package torch --constraint $(VENV)/torch.txt \
		--output-file $(VENV)/lock.txt pyproject.toml
	{ head -3 requirements.txt; grep -v '^# \(The following\|torch$$\)' $(VENV)/lock.txt; } \
		> $(VENV)/new.txt
	mv $(VENV)/new.txt requirements.txt

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
