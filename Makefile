# `make run` is the demo, `make test` the tests. Nothing but Python 3.11 to 3.15, pip and make is needed.
# A Python built without profile-guided optimisation, as pyenv builds it, takes a tenth longer to judge a
# contract: if `python3` is such a one, and the system's own will do, that one is taken.
OPTIMISED := import sysconfig as s, sys; sys.exit("--enable-optimizations" not in s.get_config_var("CONFIG_ARGS"))
WILL_DO := import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 16))
ifndef PYTHON
PYTHON := $(shell python3 -c '$(OPTIMISED)' 2>&- || ! /usr/bin/python3 -c '$(WILL_DO)' 2>&- \
	&& echo python3 || echo /usr/bin/python3)
endif
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help run secantus test unit lint docs torture mutations chances test-pooler hosts install-service bench bench-growth \
	bench-locks bench-million bench-gates same test-airflow clean

help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 24

# Luigi 3.8.1 says of itself that it is for Python before 3.14. What is installed is pinned, so no other bound is
# missed by it.
PAST_LUIGIS := import sys; sys.version_info < (3, 14) or print("--ignore-requires-python")
PIP_INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check $$($(BIN)/python -c '$(PAST_LUIGIS)')

$(BIN)/.installed: pyproject.toml requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 16))' || \
		{ echo 'Python 3.11 to 3.15 is needed: make PYTHON=python3.12 ...' >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo 'installing into $(VENV) (about a minute, once) ...'
	@$(PIP_INSTALL) -c requirements.txt -e '.[demo,dev]'
	@$(BIN)/python -m compileall -q ccb_luigi
	@touch $@

run: $(BIN)/.installed ## The demo: servers, contracts, a migration, a summary
	@$(BIN)/ccb-luigi demo

# Many tests wait, for servers and for deadlines: two processes per core keep the cores busy.
test: export PYTEST_XDIST_AUTO_NUM_WORKERS ?= $(shell $(PYTHON) -c 'import os; print(2 * (os.cpu_count() or 1))')
test: lint ## Lint, types and all tests
	@$(BIN)/python -m pytest

unit: $(BIN)/.installed ## The tests that need no server
	@$(BIN)/python -m pytest tests/unit

lint: $(BIN)/.installed ## Lint and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

docs: $(BIN)/.installed ## docs/data-dictionary.md, from the tables
	@$(BIN)/python docs/make_dictionary.py

# It has wheels for Python 3.11 to 3.13 alone. Its source wants, in Debian's words: g++ cmake ninja-build swig
# python3-dev zlib1g-dev liblz4-dev libzstd-dev libsnappy-dev
SECANTUS := $(shell sed -n 's/.*"\(SecantusDB==[^;"]*\).*/\1/p' pyproject.toml)
secantus: $(BIN)/.installed ## SecantusDB for a Python that it has no wheel for: built, in about five minutes
	@$(PIP_INSTALL) '$(SECANTUS)'

# Measured in turn; the tables are compared byte for byte after each. On a quiet machine.
CONTRACTS ?= 20000
REPEAT ?= 5
USUAL ?= 2000
SIZES ?= 20000 100000 500000

$(BIN)/.bench: $(BIN)/.installed
	@$(PIP_INSTALL) -c requirements.txt -e '.[bench]'
	@touch $@

bench: $(BIN)/.bench ## Speed beside the limit and the usual way (CONTRACTS=20000 REPEAT=5 USUAL=2000)
	@$(BIN)/python -m benchmarks.compare --contracts $(CONTRACTS) --repeat $(REPEAT) --usual-contracts $(USUAL)

bench-growth: $(BIN)/.bench ## Time and memory as a date grows (SIZES="20000 100000 500000")
	@$(BIN)/python -m benchmarks.growth $(SIZES)

PARCELAS ?= 10000000
bench-locks: $(BIN)/.bench ## How long a changing schema keeps readers and writers waiting (PARCELAS=10000000)
	@$(BIN)/python -m benchmarks.locks --parcelas $(PARCELAS)

MILLION ?= 1000000
bench-million: $(BIN)/.bench ## A million contracts by a plan, interrupted twice, beside 20,000 (MILLION=1000000)
	@$(BIN)/python -m benchmarks.million --contracts $(MILLION)

bench-gates: $(BIN)/.bench ## Ways through the contract, and each stage, in microseconds
	@$(BIN)/python -m benchmarks.gates --repeat $(REPEAT)
	@$(BIN)/python -m benchmarks.stages --documents $(CONTRACTS) --repeat $(REPEAT)

BASE ?= HEAD
same: $(BIN)/.installed ## Does an earlier commit make the same rows? (BASE=HEAD CONTRACTS=20000)
	@$(BIN)/python -m benchmarks.sameness --base $(BASE) --contracts $(CONTRACTS)

N ?= 1000
torture: $(BIN)/.installed ## Kills the migration N times (1000) and compares every table; SEED=, ONLY=
	@$(BIN)/python tests/torture.py --rounds $(N) $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only $(ONLY))

mutations: $(BIN)/.installed ## Takes each guard away in turn: do the tests notice? ONLY="sweep NUL", RESUME=1
	@$(BIN)/python tests/mutations.py $(if $(RESUME),--resume) $(ONLY)

chances: $(BIN)/.installed ## The unit tests with five seeds and on odd dates: does one fail by chance?
	@tests/chances $(BIN)/python

test-pooler: $(BIN)/.installed ## tests/db through PgBouncer in both modes, beside rude neighbours; and with sessions that begin oddly
	$(BIN)/python -m pytest tests/db --through pgbouncer-session
	$(BIN)/python -m pytest tests/db --through pgbouncer-transaction
	$(BIN)/python -m pytest tests/db --through preferences

hosts: $(BIN)/.installed ## Three hosts in network namespaces share a migration, as root (CONTRACTS=50000)
	@CCB_TEST_HOSTS_CONTRACTS=$(CONTRACTS) $(BIN)/python -m pytest tests/acceptance/test_hosts.py -n 0 -s -q

install-service: ## The systemd units, users and directories; as root (APP=/opt/ccb-luigi DESTDIR=)
	@systemd/install

# An Airflow of its own: its libraries aren't ours.
AIRFLOW := .venv-airflow

$(AIRFLOW)/.installed: integrations/airflow/requirements.txt
	@test -x $(AIRFLOW)/bin/python || $(PYTHON) -m venv $(AIRFLOW)
	@echo 'installing Airflow into $(AIRFLOW) (about two minutes, once) ...'
	@$(AIRFLOW)/bin/python -m pip install -qq --disable-pip-version-check -r $<
	@touch $@

test-airflow: $(BIN)/.installed $(AIRFLOW)/.installed ## The DAG in a real Airflow (about three minutes)
	@CCB_LUIGI=$(abspath $(BIN)/ccb-luigi) $(AIRFLOW)/bin/python -m pytest -q -c /dev/null \
		-p no:cacheprovider --rootdir integrations/airflow integrations/airflow

clean: ## Removes the virtual environments and the demo's data
	@! test -f $(BIN)/.installed || ! test -e .demo || $(BIN)/python -c \
		'from pathlib import Path; from ccb_luigi.demo.servers import delete; delete(Path(".demo"))'
	rm -rf $(VENV) $(AIRFLOW) .demo .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
