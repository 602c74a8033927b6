# make demo      the whole road on a real model, in a temporary folder; needs python3, git and the network for pip
# make test      everything that make check looks at, then every test
# make check     style, types, generated files, floors
# make generate  manual pages, completions, docs/reference.md, docs/api.md, from records and docstrings
# make hostile   every command in every hostile clone, for which make test takes only the nearest
# make torture   commands killed at random moments, hundreds of them; TORTURE='--kills 1000 --seed 7'
# make judges    environments with real DVC, the newest and 3.50, that the tests compare with
# make models    a real language model's weights, 91 MB, that a test versions
# make bench     the benchmarks; BENCH= takes their options (bench/README.md)
# make bench-peers  what they measure against, besides DVC: s5cmd, aws, Go for a fast server, matplotlib
# make install   PREFIX=/usr/local DESTDIR=; make uninstall takes it away again

PREFIX ?= /usr/local
DESTDIR ?=
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python3.10; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && echo $$python && break; done)

VENV = .venv
PIP = $(VENV)/bin/python -m pip --disable-pip-version-check --quiet

.PHONY: demo test check generate judges models bench bench-peers hostile torture install uninstall clean

demo: $(VENV)/demo
	PATH="$(CURDIR)/bin:$(CURDIR)/$(VENV)/bin:$$PATH" sh examples/demo.sh

test: check
	$(VENV)/bin/pytest -n auto -q $(TESTS)

check: $(VENV)/develop
	$(VENV)/bin/ruff check --quiet
	$(VENV)/bin/ruff format --check --quiet
	$(VENV)/bin/mypy --no-error-summary
	$(VENV)/bin/python tools/generate.py --check
	$(VENV)/bin/pytest -q -n 0 tests/floors

generate: $(VENV)/develop
	$(VENV)/bin/python tools/generate.py

torture: $(VENV)/develop
	$(VENV)/bin/python tests/faults/torture.py $(TORTURE)

hostile: $(VENV)/develop
	CPVTEST_HOSTILE=all $(VENV)/bin/pytest -n auto -q tests/security

judges: $(VENV)/create
	sh tests/judges/install

models: $(VENV)/create
	sh tests/models/install $(VENV)/bin/python

bench: $(VENV)/develop
	$(VENV)/bin/python bench/run.py $(BENCH)

bench-peers: $(VENV)/create
	sh bench/install-peers $(VENV)/bin/python

install: $(VENV)/create
	sh tools/install "$(VENV)/bin/python" "$(PREFIX)" "$(DESTDIR)"

uninstall:
	sh tools/uninstall "$(PREFIX)" "$(DESTDIR)"

clean:
	rm -rf $(VENV) .bench .judges .models build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

# Each stamp is a step of the environment that is done; later ones include the earlier.

$(VENV)/create:
	@test -n "$(PYTHON)" || { echo "make: no Python 3.10 or newer on PATH; name one with PYTHON=" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "make: $(PYTHON) cannot make environments; on Debian: apt install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/runtime: $(VENV)/create pyproject.toml
	$(PIP) install --editable .
	touch $@

$(VENV)/demo: $(VENV)/runtime examples/digits/requirements.txt
	$(PIP) install --requirement examples/digits/requirements.txt
	touch $@

$(VENV)/develop: $(VENV)/demo examples/huggingface/requirements.txt
	$(PIP) install --editable '.[dev,test]' --requirement examples/huggingface/requirements.txt
	touch $@
