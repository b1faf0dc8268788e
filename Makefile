# Everything starts from a fresh clone: Python 3.11 or later, make and a package index are all it takes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The environment is of the Python that is asked for: of another one it is made anew.
VERSION := $(shell "$(PYTHON)" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null)
READY := $(VENV)/.ready-$(VERSION)
RIVALS := $(VENV)/.benchmarks
DEMO := .scoring/demo
UV := build/uv/bin/uv
# Installs into environments, in a quarter of pip's time. Where it keeps what it has downloaded, if there is no home:
ifneq ($(shell [ -w "$${HOME:-/}" ] && echo yes),yes)
export UV_CACHE_DIR ?= $(CURDIR)/build/uv/cache
endif
# Programs that start hundreds of times, as in the tests, read compiled code.
unexport PYTHONDONTWRITEBYTECODE
# What `make fuzz` does, and for how long each.
TARGETS ?= front_matter json_lines write_back manifest trees
SECONDS ?= 300
# Processes of the tests; each collects all of them. One more than CI has cores, since tests also wait.
JOBS ?= 3
# What is checked beside the tests, which wait for others a quarter of their time.
CHECKS := site test-clone test-postgres smoke
# Every test but those that repeat at length what others check in brief.
BRIEF := -m 'not exhaustive'
# What the fast loop tests.
FAST := tests/property tests/leakage $(foreach room,records features labels storage model training evaluation \
	explanation drift audit artifact,$(addsuffix /$(room),tests scoring))
# More for pytest.
ARGS ?=
# What reads records and models, and what fuzzing found: these run on the system's own Python too.
READERS := tests/records tests/property tests/fuzz tests/features/test_reading.py tests/contract/test_patterns.py \
	tests/integration/test_no_yaml.py tests/artifact/test_zip_export.py tests/artifact/test_saved_model.py tests/model/test_format.py \
	tests/model/test_hostile.py tests/artifact/test_lightgbm_validation.py tests/model/test_booster.py
# What depends on the place of the clone, besides the commands, the store and the runs of the demo.
PLACED := tests/contract/test_house.py tests/contract/test_readme.py tests/model/test_format.py
# Folders of labelled records that the benchmarks read; made-up records where there are none.
ARCHIVES ?=

.DEFAULT_GOAL := help
.PHONY: help venv browser programs compiled test test-all test-fast coverage test-lowest test-system-python test-clone test-postgres test-stores postgres fuzz lock lint types layers docs site notebooks screenshots check check-all demo benchmark benchmark-accuracy benchmark-related benchmark-twins benchmark-service soak build smoke clean mutants

help:  ## List what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(READY)  ## Make the environment: the package, editable, with what its tests need

$(READY): pyproject.toml | $(UV)
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=python3.11 ...")'
	"$(PYTHON)" -m venv $(if $(wildcard $(READY)),,--clear) $(VENV)
	$(UV) pip install --quiet --python $(BIN)/python --editable '.[dev]'
	$(BIN)/python -m compileall -q scoring
	@touch $@

browser:  ## Bring Chromium, which the tests of the page drive, where it is missing (as root, from Debian's packages)
	@if ! command -v chromium >/dev/null; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium fonts-dejavu-core; \
		else \
			echo 'chromium is missing: the tests of the page are skipped'; \
		fi; \
	fi

postgres:  ## Install PostgreSQL for `make test-postgres` if it is missing (as root, from Debian's packages)
	@if ! command -v initdb >/dev/null && ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 && \
		[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends postgresql; \
	fi

programs:  # One at a time: Debian's package manager is locked while it works.
	@$(MAKE) --no-print-directory browser
	@$(MAKE) --no-print-directory postgres

compiled: $(READY)  # Once, and not by each process of the tests.
	@$(BIN)/python -m pytest --collect-only --quiet >/dev/null

test: $(READY) browser  ## Run the tests and the examples in the docs: make test ARGS='-k lead tests/model'
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(BRIEF) $(ARGS)

test-all: $(READY) browser  ## Run all tests, those too that take minutes: many kills, whole sessions, clusters, the largest archives
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(ARGS)

test-fast: $(READY)  ## Run the tests of records, features, labels and models, without the slow ones
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m 'not slow and not exhaustive' $(FAST) $(ARGS)

coverage: $(READY) browser  ## Run all tests, and report the share of lines and branches that they reach: make coverage ARGS=tests/model
	@mkdir -p build
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal --cov --cov-report=term:skip-covered --cov-report=html:build/coverage $(ARGS)

test-lowest: $(UV)  ## Run the tests on the lowest versions of all that is needed
	rm -rf build/lowest
	$(UV) venv --quiet --python "$(PYTHON)" build/lowest
	$(UV) pip install --quiet --python build/lowest/bin/python --resolution lowest-direct --editable '.[dev]'
	build/lowest/bin/python -m pytest -n $(JOBS) --dist worksteal

test-system-python: $(READY) $(UV)  ## Run the tests of the readers on the system's own Python, where it is another one
	tests/system_python.sh $(BIN)/python $(UV) $(BRIEF) -k 'not search_runs and not edit_of_a_file' $(READERS)

test-clone: $(UV)  ## Run the demo and some tests in a clone where it is hardest: only its owner can read it, LANG is C
	tests/clone.sh "$(PYTHON)" $(UV) $(BRIEF) -k 'not examples_run_in_order' $(PLACED)

test-postgres: $(READY) postgres  ## Train, compare, promote and score through an MLflow server that keeps its runs in PostgreSQL
	$(BIN)/python -m pytest tests/postgres/through_server.py

test-stores: $(READY) | $(UV)  ## Run commands on Google Cloud Storage and Azure, which emulators imitate, and on an SFTP server; needs npm's azurite
	$(UV) pip install --quiet --python $(BIN)/python --target build/stores --requirement tests/stores/requirements.txt
	PYTHONPATH=build/stores $(BIN)/python -m pytest tests/stores/through_stores.py $(ARGS)

fuzz: $(READY)  ## Look for inputs that break a promise: make fuzz SECONDS=600 TARGETS='trees manifest'
	@$(BIN)/python -c 'import atheris' || { echo 'atheris has no build for this Python: make test has the search by hypothesis'; exit 1; }
	for target in $(TARGETS); do $(BIN)/python -m tests.fuzz.run $$target $(SECONDS) || exit 1; done

mutants: $(READY)  ## Check that tests notice small changes of the core: make mutants ARGS='training/rubric gate'
	$(BIN)/python tests/mutants/run.py $(ARGS)

lock: $(UV)  ## Write down the versions and hashes of all that is needed
	$(UV) pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --extra dev \
		--custom-compile-command 'make lock' --output-file requirements.lock pyproject.toml

$(UV):
	"$(PYTHON)" -m venv build/uv
	$(UV:%uv=%pip) install --quiet uv

lint: $(READY)  ## Check style, format, and that public names are documented in full
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m docs.check_docstrings

types: $(READY)  ## Check the types
	$(BIN)/mypy

layers: $(READY)  ## Check that imports only point down
	$(BIN)/lint-imports

docs: $(READY)  ## Write the commands' help, the Python API, metrics and the architecture into the docs, and build their site
	$(BIN)/python docs/write_cli.py
	$(BIN)/python docs/write_api.py
	$(BIN)/python docs/write_figures.py
	$(BIN)/python docs/write_architecture.py
	$(MAKE) --no-print-directory site

site: $(READY)  ## Build the site of the docs into build/site; every link has to lead somewhere
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

notebooks: $(READY)  ## Run the notebooks of the docs and store their outputs
	$(BIN)/python -m docs.write_notebooks

screenshots: $(READY) browser  ## Take the pictures of the page in the docs
	$(BIN)/python -m docs.write_screenshots

check: $(READY)  ## All of the checks; this is what CI runs
	$(MAKE) --no-print-directory -j 2 programs compiled lint layers types
	$(MAKE) --no-print-directory -j 2 test $(CHECKS)

check-all: check  ## The checks, and the tests that take longer: before a release
	$(MAKE) --no-print-directory test-all test-system-python test-lowest

demo: $(READY)  ## Train on made-up records, score others, show where the run is
	rm -rf $(DEMO)
	mkdir -p -m 0700 $(dir $(DEMO))
	$(BIN)/scoring sample $(DEMO)/labelled --records 600 --seed 1
	$(BIN)/scoring sample $(DEMO)/incoming --records 12 --seed 2 --unlabelled
	$(BIN)/scoring train $(DEMO)/labelled --output $(DEMO)/model --experiment demo
	$(BIN)/scoring score $(DEMO)/incoming --model $(DEMO)/model --as-of 2019-01-01 --format table
	$(BIN)/scoring config
	@echo 'The run is in the experiment "demo" of the tracking_uri above: $(BIN)/scoring ui shows it.'

$(RIVALS): $(READY)
	$(BIN)/pip install --quiet --editable '.[benchmarks]'
	@touch $@

benchmark: $(RIVALS)  ## Measure speed into experiments/RESULTS.md: make benchmark ARCHIVES='FOLDER ...'
	for what in read decode features train score one_record; do \
		$(BIN)/python experiments/benchmarks/$$what.py $(or $(ARCHIVES),--smoke) || exit; \
	done
	$(BIN)/python experiments/benchmarks/growth.py $(if $(ARCHIVES),,--smoke)
	$(BIN)/python experiments/benchmarks/same_texts.py $(or $(ARCHIVES),--smoke)
	$(BIN)/python experiments/benchmarks/verbs.py $(if $(ARCHIVES),,--smoke)
	$(BIN)/python experiments/benchmarks/watch.py $(if $(ARCHIVES),,--smoke)
	$(BIN)/python experiments/benchmarks/runs.py $(if $(ARCHIVES),,--smoke)
	$(BIN)/python experiments/benchmarks/dask_cluster.py $(or $(ARCHIVES),--smoke)

benchmark-accuracy: $(RIVALS)  ## Compare with what others would set up: make benchmark-accuracy ARCHIVES='FOLDER ...'
	$(BIN)/python experiments/benchmarks/accuracy.py $(or $(ARCHIVES),--smoke)

benchmark-twins: $(READY)  ## Tell what no model can know of the records: make benchmark-twins ARCHIVES='FOLDER ...'
	$(BIN)/python experiments/benchmarks/twins.py $(or $(ARCHIVES),--smoke)

benchmark-related: $(RIVALS)  ## Find hidden lists of related records again: make benchmark-related ARCHIVES=FOLDER
	$(BIN)/python experiments/benchmarks/relate.py $(or $(ARCHIVES),--smoke)
	$(BIN)/python experiments/benchmarks/relate_growth.py $(if $(ARCHIVES),,--smoke)

benchmark-service: $(READY)  ## Measure the service: make benchmark-service ARCHIVES='FOLDER ...'
	$(BIN)/python experiments/benchmarks/service.py $(or $(ARCHIVES),--smoke)
	$(BIN)/python experiments/benchmarks/hostile.py $(if $(ARCHIVES),,--smoke)
	$(BIN)/python experiments/benchmarks/desk.py $(if $(ARCHIVES),,--smoke)

soak: $(READY)  ## Load the service while its model is swapped, then while its store comes and goes
	$(BIN)/python experiments/soak.py

build: $(READY) $(UV)  ## Build the wheel and the source archive into dist/, and check both
	rm -rf dist
	$(UV) build --quiet --python $(BIN)/python --out-dir dist
	$(BIN)/twine check --strict dist/*
	$(BIN)/python docs/check_distribution.py dist

smoke: build $(UV)  ## Install the wheel without extras and with all, check the size, and score with it
	tests/smoke.sh "$(PYTHON)" $(UV) dist/news_scoring-*.whl

clean:  ## Remove what was made
	rm -rf $(VENV) build dist docs/__pycache__ .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	rm -rf $(DEMO)
	find scoring tests -name __pycache__ -type d -prune -exec rm -rf {} +
