# make report   makes the environment, writes the sample study, renders its report to reports/
# make test     makes the environment, runs the tests one runs before a commit (three minutes on two cores)
# make test-all everything that needs only Python: long random runs, worlds, kills, notebooks, doctests as well
# make check    lint, types
# make docs     writes the pages of docs/ that are made from the package
# make site     builds the documentation site into site/, in an environment of its own
# make lab      opens JupyterLab in the environment
# make calibrate   how often verdicts are wrong, in worlds whose truth is known (hours)
# make coverage    how often 95% intervals hold the truth (an hour on one core)
# make hostile  how often verdicts are wrong in companies where something else drives customers away (hours; goes on)
# make atlas DATA=FOLDER   tries all claims on the public sets whose files are in FOLDER, writes docs/atlas.md (a minute or two)
# make kills    two hundred reports killed at every step (half an hour)
# make bench    speed and memory as ratios to lifelines, R and a raw scan, side by side in one run
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SITE := .venv-docs
# neighbours stay together, so that what a module shares is made once; an idle worker takes from the other
SIDE_BY_SIDE := -n 2 --dist worksteal
# a worker has a core to itself; threads beside it wait for each other on tables of a few rows, at twice the work. Doctests
# and the tests that need a browser, Spark or PostgreSQL have threads as they come
ONE_THREAD := POLARS_MAX_THREADS=1 OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
# hundreds of processes are started: modules compiled once are kept, whatever this shell says of that
test test-all: export PYTHONDONTWRITEBYTECODE :=

.PHONY: report test test-all check docs site lab bench calibrate coverage hostile atlas kills lock clean

report: $(READY)
	@mkdir -p reports
	@$(BIN)/cxresearch sample reports/sample-study --force >/dev/null
	@$(BIN)/cxresearch report reports/sample-study/study.toml --out reports
	@echo "Open this page in a browser: $(CURDIR)/reports/index.html"

test: export CX_ENGINES := $(or $(CX_ENGINES),polars)
test: $(READY)
	@$(ONE_THREAD) $(BIN)/python -m pytest -m "not slow and not browser and not spark and not postgres" $(SIDE_BY_SIDE) -q

test-all: export CX_EXAMPLES := $(or $(CX_EXAMPLES),25)
test-all: $(READY)
	@$(ONE_THREAD) $(BIN)/python -m pytest -m "not browser and not spark and not postgres" $(SIDE_BY_SIDE) -q
	@$(BIN)/python -m pytest --doctest-modules --ignore=src/cxresearch/engines/spark.py $(SIDE_BY_SIDE) -q src/cxresearch

check: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/mypy

docs: $(READY)
	@$(BIN)/python scripts/study_file.py
	@$(BIN)/python -m docs.rivals.draw
	@$(BIN)/python -m docs.statistics.draw
	@$(BIN)/python scripts/site_pages.py
	@$(BIN)/python -m benchmarks.atlas.run

site: $(SITE)/.ready
	@NO_MKDOCS_2_WARNING=1 $(SITE)/bin/mkdocs build --quiet
	@echo "Open this page in a browser: $(CURDIR)/site/index.html"

lab: $(READY)
	@$(BIN)/jupyter lab notebooks

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed; name one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@if command -v uv >/dev/null 2>&1; then \
	  uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock && \
	  uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e . ; \
	else \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . ; \
	fi
	@touch $(READY)

$(SITE)/.ready: requirements-docs.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed; name one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(SITE)
	@if command -v uv >/dev/null 2>&1; then \
	  uv pip install --quiet --python $(SITE)/bin/python --require-hashes -r requirements-docs.lock ; \
	else \
	  $(SITE)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-docs.lock ; \
	fi
	@touch $(SITE)/.ready

bench: $(READY)
	@$(BIN)/python benchmarks/bench.py

kills: $(READY)
	@$(BIN)/python benchmarks/kills.py

calibrate: $(READY)
	@$(BIN)/python benchmarks/calibration.py

coverage: $(READY)
	@$(BIN)/python benchmarks/coverage.py

hostile: $(READY)
	@$(BIN)/python -m benchmarks.hostile.run --replicates 20 --jobs 2 --resume --with-moment-keys --table benchmarks/work/hostile.md

# without DATA the page is written anew from what is kept in benchmarks/atlas/results
atlas: $(READY)
	@$(BIN)/python -m benchmarks.atlas.run $(if $(DATA),--data "$(DATA)")

lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate \
	  --extra duckdb --extra lab --group dev pyproject.toml -o requirements.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate \
	  --extra spark --constraint requirements.lock pyproject.toml -o requirements-spark.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate \
	  --extra postgres --constraint requirements.lock pyproject.toml -o requirements-postgres.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate \
	  --group docs --constraint requirements.lock -o requirements-docs.lock

clean:
	rm -rf $(VENV) .venv-servers $(SITE) build dist site
