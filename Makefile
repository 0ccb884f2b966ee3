# Two commands on a fresh machine with Python 3.11 or newer, git and make:
#   make run    a page on http://localhost:8002 that chats
#   make test   all tests that can run here
# They install what they need into .venv, from the hash-locked requirements files.

PYTHON ?= python3
# `make run PORT=9000`; everything else comes from the environment or from .env.
ifdef PORT
export PORT
endif

.PHONY: run test faults bench-widget check lock widget clean

run: .venv/run.stamp
	@exec .venv/bin/gunicorn --config ws/gunicorn_config.py app.main:app_instance

# Tests mostly wait, so four processes are not too many for two cores. `make test JOBS=0 ARGS=--pdb` has none beside it.
JOBS ?= 4
test: .venv/dev.stamp
	@exec .venv/bin/python -m pytest --numprocesses $(JOBS) --dist loadfile $(ARGS)

# The long fault campaign: 1,000 cuts, 100 kills and 20 orderly ends in at most 30 minutes.
# `make faults ARGS="--seed 7 --kills 10"`.
faults: .venv/dev.stamp
	@exec .venv/bin/python -m tests.faults $(ARGS)

# Long answers in Chromium, about ten minutes. `make bench-widget ARGS="code --runs 1"`.
bench-widget: .venv/dev.stamp
	@exec .venv/bin/python -m bench.widget_stream $(ARGS)

check: .venv/dev.stamp
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

# After a change of pyproject.toml. Needs poetry with poetry-plugin-export.
POETRY ?= poetry
lock:
	$(POETRY) lock
	$(POETRY) export --format requirements.txt --output requirements.txt
	$(POETRY) export --format requirements.txt --with dev --output requirements-dev.txt

# After a change in widget/. Needs node and npm; running the server does not.
widget:
	cd widget && npm ci --no-audit --no-fund && npm run build

clean:
	rm -rf .venv

.venv/run.stamp: requirements.txt | .venv/bin/python
	@echo "Installing what the server needs into .venv ..."
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.txt
	@touch $@

.venv/dev.stamp: requirements-dev.txt | .venv/bin/python
	@echo "Installing what the tests need into .venv ..."
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-dev.txt
	@touch $@ .venv/run.stamp

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name one with: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv .venv || { echo "The venv module is missing; on Debian: apt install python3-venv"; rm -rf .venv; exit 1; }
