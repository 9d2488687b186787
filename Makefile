# make run: install, prepare, start.  make test: the whole test suite.  Nothing else is needed.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
INSTALLED := $(VENV)/.installed

.PHONY: run test lock audit clean

run: $(INSTALLED)
	@$(BIN)/tweetsent run

# One thread for each of several processes, one more than there are cores: many tests wait.
test: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $$(($$(getconf _NPROCESSORS_ONLN) + 1)) \
		--maxprocesses 4 --dist loadfile --no-loadscope-reorder

# The marker is written last: an interrupted installation is done again.
$(INSTALLED): requirements.txt requirements-torch.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "tweetsent needs Python 3.11 or newer: make PYTHON=python3.12 …" >&2; exit 1; }
	@echo "installing into $(VENV): 2 GB, once, two minutes or more …" >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install --require-hashes --no-deps -r requirements.txt >&2
	@$(PIP) install -r requirements-torch.txt >&2
	@$(PIP) install --no-deps --no-build-isolation -e . >&2
	@touch $@

# Pin and hash what pyproject.toml asks for, for every platform; pins that fit stay as they are, but
# with `make lock UPGRADE=--upgrade`. torch and the packages of its CUDA build are left out.
lock: $(INSTALLED)
	$(PIP) install uv
	$(BIN)/uv pip compile --quiet $(UPGRADE) --universal --python-version 3.11 --all-extras \
		--generate-hashes --no-header --constraint requirements-torch.txt \
		--output-file requirements.txt pyproject.toml
	awk '/^[a-z]/ {drop = /^(torch==|triton==|cuda-|nvidia-)/} !drop' requirements.txt \
		> $(VENV)/lock.txt
	mv $(VENV)/lock.txt requirements.txt

# Known vulnerabilities of the pinned versions; fails too when the database of PyPI does not answer.
audit: $(INSTALLED)
	$(PIP) install pip-audit
	$(BIN)/pip-audit --strict --require-hashes --disable-pip -r requirements.txt
	$(BIN)/pip-audit --strict --no-deps --disable-pip -r requirements-torch.txt

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
