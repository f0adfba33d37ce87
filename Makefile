# run          the whole demonstration house on this machine
# test         every test                  lint   ruff, mypy; tsc and eslint where Node is
# test-faults  faults at full length, 15 to 20 minutes
# test-packages  builds the Debian packages and uses them in a clean root; 10 minutes, as root
# test-homeassistant  with a real Home Assistant, where python3.13 is
# coverage     every test, and how much of the code they reach
# bench        the measurements            clean  removes what can be made again (var/ stays)
# lock         writes the newest versions that setup.cfg allows into requirements/dev.txt
#
# Each target makes .venv itself, and again when setup.cfg changes. `run` and `bench` take any
# version that setup.cfg allows; `test` and `lint` take exactly those of requirements/dev.txt.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ROOT := $(filter 0,$(shell id -u))
pip = $(BIN)/python -m pip --disable-pip-version-check

# A fresh machine may not know any package yet, so a second try after an update.
apt_install = DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --yes \
    --no-install-recommends $(1) >/dev/null 2>&1
apt = { $(call apt_install,$(1)) || { apt-get update --quiet=2 && $(call apt_install,$(1)); }; }

# Each installation runs in `shown`, which fails if it does.
shown = $(RM) $@.failed; { { $(1); } 2>&1 || touch $@.failed; } | { $(progress); } >&2; \
    test ! -e $@.failed

# One line for each package instead of the many of pip; its errors and warnings stay.
progress = n=0; while read -r word rest; do case "$$word $$rest" in \
    Collecting*) n=$$((n + 1)); echo "  package $$n: $$rest" ;; \
    Installing\ collected*) echo "  installing the packages" ;; \
    ERROR*|error*|WARNING*|requirements/*) echo "$$word $$rest" ;; esac; done

.PHONY: run test test-faults test-homeassistant test-packages coverage bench lint lock clean
.DEFAULT_GOAL := run

# Tests start hundreds of programs: each would compile every module again.
unexport PYTHONDONTWRITEBYTECODE

# A test that hangs ends the run after ten minutes and shows where it waits.
# A third of the time tests wait, so three share two processors. The files start in the order of
# their names: long ones, which have few tests, do not come last.
PYTEST = $(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder --timeout 600

# `exec`: the supervisor takes the shell's place, so make's signals reach it.
run: $(VENV)/run.stamp
	@exec $(BIN)/python control.py up --follow-parent

# What fails runs once more, alone: a test that passes then depends on the load of the machine.
# Its first failure stays in the output, and it has to be mended.
test: $(VENV)/dev.stamp $(VENV)/system.stamp
	@$(PYTEST) $(PYTEST_ARGS) || { \
	    echo "once more, alone; what passes now is unstable and has to be mended:" >&2; \
	    $(BIN)/python -m pytest --last-failed --last-failed-no-failures none --timeout 600 \
	        --verbose; }

coverage: $(VENV)/dev.stamp $(VENV)/system.stamp
	@$(PYTEST) --cov --cov-report=term:skip-covered $(PYTEST_ARGS)

# One process at a time: a fault needs the machine for itself.
test-faults: $(VENV)/dev.stamp $(VENV)/system.stamp
	@JPH_FAULTS=full $(BIN)/python -m pytest -m "faults or not faults" tests/faults $(PYTEST_ARGS)

test-packages:
	@debian/test-packages

# Its core comes into a cache outside the tree, 0.5 GB; nothing else needs it. A Python 3.13 that is not on
# the path: make test-homeassistant HASS_PYTHON=/path/to/python3.13
HASS_PYTHON ?= python3.13
HASS_VERSION := 2025.4.4
HASS := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/jph/homeassistant-$(HASS_VERSION)
HASS_NEEDS := paho-mqtt==2.1.0 home-assistant-frontend hassil==2.2.3 home-assistant-intents==2025.3.28 \
    mutagen ha-ffmpeg==3.2.2 PyTurboJPEG==1.7.5 pymicro-vad==1.0.1 pyspeex-noise==1.0.2 numpy sqlalchemy

test-homeassistant: $(VENV)/dev.stamp
	@if ! $(HASS_PYTHON) -c '' 2>/dev/null && [ ! -x $(HASS)/venv/bin/hass ]; then \
	    echo "skipped: Home Assistant $(HASS_VERSION) needs python3.13 (HASS_PYTHON)" >&2; exit 0; fi; \
	test -e $(HASS)/ready || { echo "installing Home Assistant into $(HASS), once" >&2; \
	    $(BIN)/uv venv --quiet --clear --python $(HASS_PYTHON) $(HASS)/venv && \
	    $(BIN)/uv pip install --quiet --python $(HASS)/venv/bin/python \
	        homeassistant==$(HASS_VERSION) $(HASS_NEEDS) && touch $(HASS)/ready; } && \
	JPH_HASS=$(HASS)/venv/bin/hass $(BIN)/python -m pytest -q tests/jph/mqtt/test_real_homeassistant.py

bench: $(VENV)/bench.stamp
	@$(BIN)/python -m bench

lint: $(VENV)/dev.stamp
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy control.py jph nodes collector bench examples tests
	@if ! command -v node >/dev/null; then echo "JavaScript: not checked, Node is missing" >&2; \
	elif [ ! -x node_modules/.bin/tsc ] || [ ! -x node_modules/.bin/eslint ]; then \
	    echo "JavaScript: not checked, run 'npm install --no-package-lock' first" >&2; \
	else node_modules/.bin/tsc -p tsconfig.json && node_modules/.bin/eslint jph/gateway/static; fi

lock: $(VENV)/dev.stamp
	@$(BIN)/uv pip compile setup.cfg $(addprefix --extra=,embedded devices mqtt schedule seal sites gateway test dev) --universal \
	    --python-version=3.11 --upgrade --generate-hashes --no-emit-index-url --no-annotate \
	    --custom-compile-command='make lock' --output-file=requirements/dev.txt --quiet

clean:
	@rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# In variables, because a comma would end an argument of `call`.
ALL_EXTRAS := embedded,devices,mqtt,schedule,seal,sites,gateway,test,dev
$(VENV)/run.stamp: EXTRAS = embedded,devices,mqtt,schedule,seal,gateway
$(VENV)/bench.stamp: EXTRAS = embedded,devices,mqtt,schedule,seal,gateway,bench

$(VENV)/run.stamp $(VENV)/bench.stamp: setup.cfg pyproject.toml | $(BIN)/pip
	@echo "installing jph[$(EXTRAS)] into $(VENV), once; it takes one or two minutes" >&2
	@$(call shown,$(pip) install --editable '.[$(EXTRAS)]')
	@touch $@

# An index that builds its own wheels has other hashes; then any version that setup.cfg allows.
$(VENV)/dev.stamp: requirements/dev.txt setup.cfg pyproject.toml | $(BIN)/pip
	@echo "installing requirements/dev.txt into $(VENV), once" >&2
	@$(call shown,$(pip) install --require-hashes --requirement requirements/dev.txt || { \
	    echo "requirements/dev.txt cannot be installed here; taking what setup.cfg allows" >&2; \
	    $(pip) install --editable '.[$(ALL_EXTRAS)]'; })
	@$(call shown,$(pip) install --no-deps --no-build-isolation --editable .)
	@touch $@

# Debian keeps ensurepip in a package of its own.
$(BIN)/pip:
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	    if [ -n "$(ROOT)" ] && command -v apt-get >/dev/null; then \
	        $(call apt,python3-venv); \
	    else \
	        echo "$(PYTHON) cannot make virtual environments:" \
	            "install python3-venv (Debian: sudo apt install python3-venv)" >&2; exit 1; fi; }
	@echo "making $(VENV)" >&2
	@$(PYTHON) -m venv $(VENV)

# What only root can install. Without them the tests that need them skip and say so.
$(VENV)/system.stamp: | $(BIN)/pip
	@if [ -n "$(ROOT)" ] && command -v apt-get >/dev/null; then \
	    for pair in chromium:chromium ip:iproute2 nft:nftables; do \
	        command -v $${pair%%:*} >/dev/null || { \
	            echo "installing $${pair##*:}" >&2; \
	            $(call apt,$${pair##*:}) || echo "$${pair##*:} could not be installed" >&2; }; \
	    done; fi
	@touch $@
