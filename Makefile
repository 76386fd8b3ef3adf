# make setup      create .venv with the packages to run, from requirements.lock
# make dev        add the packages for tests and checks, from requirements-dev.lock
# make pipeline   run the whole pipeline as a flow, from data to registered model
# make test       run the tests; `make test-slow` and `make test-gpu` run those that need time or CUDA;
#                 `make test ARGS="--durations=20"` passes options to pytest
# make coverage   run the tests and list the lines that no test runs
# make mutants    change the code in a hundred places, one at a time, and list the changes that no test notices; a further run
#                 goes on from there, and `make mutants ARGS=--measure` looks anew for the tests of each line
# make studies    run every study that is meant for the prepared data, and draw docs/studies; a stopped run goes on from
#                 there. `make studies STUDY_DATA="data/town data/voc"` takes the prepared data of several data sets
# make bench      measure the times that the README quotes; needs models/fcn and models/guided
# make check      check lint, format and types
# make docs       build the documentation site, site/index.html
# make lock       resolve the packages of pyproject.toml into the two lock files

PYTHON ?= python3
BIN := .venv/bin
# .venv is made again where it was moved, since its scripts name their folder, and where the PYTHON given is another one.
VERSION := import sys; print(sys.version_info[:2])
ifneq ($(wildcard .venv/.ready),)
STALE := $(shell grep -q "VIRTUAL_ENV=[\"']\?$(CURDIR)/.venv" $(BIN)/activate || echo moved)
ifneq ($(origin PYTHON),file)
STALE += $(shell test "$$($(PYTHON) -c '$(VERSION)')" = "$$($(BIN)/python -c '$(VERSION)')" || echo other)
endif
endif
UV_VERSION := 0.13.9
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--custom-compile-command "make lock"
# Commands that DVC and the flow start find `pixelwise` and `python` in .venv.
export PATH := $(CURDIR)/$(BIN):$(PATH)
export VIRTUAL_ENV := $(CURDIR)/.venv
export UV_PYTHON_DOWNLOADS := never
# No telemetry from the tools that make starts.
export DO_NOT_TRACK := 1
export DVC_NO_ANALYTICS := 1
# Many containers set this; then each command compiles a thousand modules and takes two seconds instead of one.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: stale bench docs studies setup dev pipeline test coverage mutants test-slow test-gpu check lock

setup: .venv/.ready

.venv/.ready: requirements.lock pyproject.toml $(if $(strip $(STALE)),stale)
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 14) else f"error: Python {v[0]}.{v[1]} found, 3.11 to 3.13 expected; say make PYTHON=/path/to/python3.12")'
	@$(if $(strip $(STALE)),rm -rf .venv)
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(BIN)/uv pip install --quiet --require-hashes --requirement requirements.lock
	@$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

dev: .venv/.dev

.venv/.dev: .venv/.ready requirements-dev.lock
	@$(BIN)/uv pip install --quiet --require-hashes --requirement requirements-dev.lock
	@touch $@

pipeline: setup
	@pixelwise run

test: dev
	@OMP_NUM_THREADS=1 python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not slow and not gpu" $(ARGS)

coverage: ARGS += --cov --cov-report term:skip-covered
coverage: test

test-slow: dev
	@python -m pytest -m "slow and not gpu"

test-gpu:
	@python -m pytest -m gpu tests/gpu

mutants: dev
	@OMP_NUM_THREADS=1 PYTHONPATH=tests python -m support.mutants $(ARGS)

bench: setup
	@python -m benchmarks.training_step --data data/prepared
	@python -m benchmarks.composition_cost
	@python -m benchmarks.click_cost
	@python -m benchmarks.many_pictures
	@python -m benchmarks.serving_load --model models/fcn --out reports/serving_load.json
	@python -m benchmarks.serving_load --model models/clockwork --requests frames --out reports/serving_load_frames.json
	@python -m benchmarks.serving_load --model models/guided --requests guidance --out reports/serving_load_guidance.json

STUDY_DATA ?= data/prepared

studies: setup
	@for data in $(STUDY_DATA); do pixelwise study --all --data $$data --out docs/studies || exit 1; done

check: dev
	@ruff check .
	@ruff format --check .
	@mypy

docs: dev
	@pixelwise study --redraw --out docs/studies > /dev/null
	@NO_MKDOCS_2_WARNING=1 python -m mkdocs build --quiet
	@echo "open site/index.html"

lock: setup
	@$(COMPILE) pyproject.toml --all-extras --output-file requirements.lock
	@$(COMPILE) --group dev --constraint requirements.lock --output-file requirements-dev.lock
