# Everything a fresh machine needs is built here: Python 3.11 or newer, pip, make and git are enough.
#   make demo    a simulated year, projected, verified and reported
#   make test    lint, types and all tests, PostgreSQL included
#   make bench   every performance target of the design, measured; writes docs/benchmarks.md

PYTHON ?= python3
UV = .tools/bin/uv
RUN = .venv/bin/python -m
export VIRTUAL_ENV = $(CURDIR)/.venv
export UV_LINK_MODE ?= copy
export UV_SYSTEM_CERTS ?= 1
unexport PYTHONDONTWRITEBYTECODE  # without bytecode on disk every start of a program compiles 500 modules: half its time
WORKERS ?= 2

.PHONY: demo test check bench soak lock docs clean

demo: .venv/ready
	.venv/bin/python -m opsledger demo

test: check
	$(RUN) pytest -n $(WORKERS) --dist worksteal

check: .venv/ready
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	$(RUN) mypy --config-file pyproject.toml tests/typing
	$(RUN) mypy --config-file pyproject.toml benchmarks
	.venv/bin/lint-imports

bench: .venv/ready .tools/bench/ready
	PYTHONPATH=.tools/bench $(RUN) benchmarks

soak: .venv/ready
	$(RUN) pytest -n $(WORKERS) tests/soak --soak

docs: .venv/ready
	$(RUN) opsledger.cli.reference docs/reference

lock:
	$(UV) pip compile --quiet --universal --python-version 3.11 --group dev --all-extras --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header pyproject.toml -o requirements.lock
	$(UV) pip compile --quiet --universal --python-version 3.11 --group bench --constraint requirements.lock --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header -o benchmarks/requirements.lock
	echo uv | $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header - -o tools.lock

clean:
	rm -rf .venv .tools .hypothesis demo

.tools/bin/uv: tools.lock
	$(PYTHON) -m pip install --quiet --upgrade --target .tools --require-hashes -r tools.lock
	touch $@

.tools/bench/ready: .venv/ready benchmarks/requirements.lock
	rm -rf .tools/bench
	$(UV) pip install --quiet --target .tools/bench --require-hashes -r benchmarks/requirements.lock || $(PYTHON) -m pip --python .venv/bin/python install --quiet --target .tools/bench --require-hashes -r benchmarks/requirements.lock
	touch $@

.venv/ready: .tools/bin/uv requirements.lock pyproject.toml
	$(UV) venv --quiet --clear --python $(PYTHON) --no-python-downloads .venv
	$(UV) pip sync --quiet --compile-bytecode --require-hashes requirements.lock || $(PYTHON) -m pip --python .venv/bin/python install --quiet --require-hashes -r requirements.lock
	$(UV) pip install --quiet --no-deps --no-index --editable .
	touch $@
