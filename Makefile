PYTHON ?= python3
VENV ?= .venv
LOWEST ?= build/lowest
# Workers of pytest: one more than two cores have, since some tests wait for processes.
JOBS ?= 3
TRACK ?=
PART ?=
PRESET ?= default
DEVICE ?= cuda
SITE ?= build/site
RESULTS ?= results
# A file's tests stay with one worker, since they share fixtures; the files of many small tests come last and fill up the end.
SPREAD := --dist loadfile --no-loadscope-reorder
# Real data that Debian and Ubuntu package.
DATA := dataset-fashion-mnist r-cran-mlbench
SNIPPETS := vaderSentiment-3.3.2
HARNESS := tests/test_params.py tests/test_public.py tests/cli tests/plugins tests/runs tests/datasets tests/checks
NUMERICAL := tests/methods tests/training tests/tracks tests/tasks tests/leaderboard tests/conformance

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help install browser data demo lint types test test-methods test-kernels test-lowest test-slow dist gpu gpu-times bench-speed docs site board publish clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# The package alone. torch comes first and by itself, so that the pinned build is what everything else meets.
$(VENV)/.demo: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "make: '$(PYTHON)' is no Python 3.11 or later; name one, like 'make PYTHON=python3.11 $(MAKECMDGOALS)'." >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV); the first time takes some minutes"
	$(PIP) install torch -c constraints.txt
	$(PIP) install -e . -c constraints.txt
	@touch $@

# The lowest version of every dependency that is admitted, resolved anew: what a user may have installed beside the package.
$(LOWEST)/.installed: pyproject.toml
	$(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/python -m pip --disable-pip-version-check --quiet install 'uv==0.13.9'
	$(LOWEST)/bin/uv pip compile --quiet --python $(LOWEST)/bin/python --resolution lowest-direct --extra noisy --extra page --no-build \
		$(if $(PIP_EXTRA_INDEX_URL),--extra-index-url $(PIP_EXTRA_INDEX_URL) --index-strategy unsafe-best-match) pyproject.toml --output-file $(LOWEST)/lowest.txt
	$(LOWEST)/bin/python -m pip --disable-pip-version-check --quiet install -e '.[dev,noisy,page]' -c $(LOWEST)/lowest.txt
	@touch $@

# The package with what developers need.
$(VENV)/.installed: $(VENV)/.demo
	$(PIP) install -e '.[dev,docs,noisy,page]' -c constraints.txt
	@touch $@

install: $(VENV)/.installed ## make .venv with the package and the developers' tools

browser: ## install the headless Chromium that the tests of the page open it with (Debian and Ubuntu, as root); without it they are skipped
	@for name in chromium-headless-shell chromium chromium-browser google-chrome; do command -v $$name >/dev/null && exit 0; done; { \
		if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
			{ apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium-headless-shell fonts-dejavu-core >/dev/null; } || \
			echo "make: no Chromium could be installed; the tests of the page are skipped." >&2; \
		else echo "make: no Chromium here, and none can be installed without apt-get and root; the tests of the page are skipped." >&2; fi; }

data: $(VENV)/.installed ## install real data and what reads it (Debian and Ubuntu, as root; docs/data.md); without it the tests on it are skipped
	@dpkg -s $(DATA) >/dev/null 2>&1 || { \
		if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
			{ apt-get update -qq && apt-get install -y -qq --no-install-recommends $(DATA) >/dev/null; } || \
			echo "make: apt-get could not install $(DATA); docs/data.md says where else the data may come from." >&2; \
		else echo "make: run 'sudo apt-get install $(DATA)' (Debian, Ubuntu); docs/data.md says where else the data may come from." >&2; fi; }
	$(PIP) install -e '.[tables]' -c constraints.txt
	@place=$$($(BIN)/python -c 'from bench.runs.inputs import data_root; print(data_root() / "snippets")') && { test -e "$$place/$(SNIPPETS).tar.gz" || \
		$(PIP) download --no-deps --no-binary vaderSentiment -d "$$place" $(subst vaderSentiment-,vaderSentiment==,$(SNIPPETS)) || \
		echo "make: pip could not download the source archive of $(SNIPPETS); docs/data.md says where it belongs." >&2; }

demo: $(VENV)/.demo ## run four methods on noisy digits and show the board
	$(BIN)/bench run --method ce,gce,elr,coteaching --task noisy-digits --variant sym40,asym40 --seeds 5
	@echo
	@echo "next: 'source $(BIN)/activate', then 'bench show elr', 'bench compare elr ce', 'bench new method my-way --track noisy-labels'."
	@echo "      docs/quickstart.md continues from here; docs/tutorials/method.md makes a method of your own."

lint: $(VENV)/.installed ## ruff: rules and layout
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed ## mypy, strict
	$(BIN)/mypy

test: lint ## lint, types and the test suite, or with TRACK=name those of one track; types are checked beside the first tests, which leave a processor idle now and then
ifeq ($(TRACK),)
	@$(BIN)/mypy & types=$$!; ended=0; $(BIN)/python -m pytest -n $(JOBS) $(SPREAD) || ended=$$?; wait $$types || ended=$$?; exit $$ended
else
	@set -e; tests=$$($(BIN)/python tests/of_track.py '$(TRACK)'); $(BIN)/mypy; \
		BENCH_TEST_BUDGETS=off $(BIN)/python -m pytest -n $(JOBS) $(SPREAD) $$tests; \
		$(BIN)/bench check '$(TRACK)/*' --quick --device cpu
endif

test-methods: $(VENV)/.installed ## the quick form of bench check, and a pretended device, for the built-in methods and tracks that make test leaves out
	BENCH_TEST_BUDGETS=off $(BIN)/python -m pytest -n $(JOBS) -m slow tests/conformance tests/device -k 'passes_the_quick_form or mix_no_devices'

test-kernels: $(VENV)/.installed ## the numerical tests once more, under other kernels of BLAS and torch than this machine's own
	@set -e; other=$$($(BIN)/python tests/other_kernels.py); echo "with $$other"; \
		env $$other BENCH_TEST_BUDGETS=off $(BIN)/python -m pytest -n $(JOBS) $(SPREAD) $(NUMERICAL)

test-lowest: $(LOWEST)/.installed ## the tests of the harness, the methods and the tasks with the lowest versions of all dependencies, in an environment of their own
	BENCH_TEST_BUDGETS=off $(LOWEST)/bin/python -m pytest -n $(JOBS) $(SPREAD) $(HARNESS) $(NUMERICAL)

test-slow: $(VENV)/.installed ## the tests that take longer, many hours together, or with PART=2/8 the second of eight parts
	$(if $(PART),BENCH_TEST_PART=$(PART) )$(BIN)/python -m pytest -n $(JOBS) $(SPREAD) -m slow

gpu: $(VENV)/.demo ## every method and task on the GPU; TRACK=name for one track, PRESET=paper, DEVICE=cpu to try it without one
	$(BIN)/bench run $(if $(TRACK),--track $(TRACK),--all) --preset $(PRESET) --device $(DEVICE)

gpu-times: $(VENV)/.installed ## the GPU's step times that the docs state
	$(BIN)/python -m pytest -s -m gpu tests/speed

bench-speed: $(VENV)/.installed ## speed tests, as ratios within one run
	$(BIN)/python -m pytest --benchmark-enable --benchmark-only tests/speed

docs: $(VENV)/.demo ## write the tables of README.md and docs/ anew from docs/records/
	$(BIN)/python docs/tables.py

site: $(VENV)/.installed ## build the site of the docs into build/site and check every link; a warning or a dead link is an error
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going --nitpicky --fresh-env --doctree-dir build/doctrees docs $(SITE)
	$(BIN)/python docs/links.py $(SITE)
	@echo "site: $(SITE)/index.html"

board: $(VENV)/.installed ## run every method on every default task, five seeds (hours on two cores; goes on where it was), and make the board's page in build/board
	$(BIN)/bench run --all --preset default --seeds 5 --results $(RESULTS)
	$(BIN)/bench leaderboard --results $(RESULTS) --out build/board

dist: $(VENV)/.installed ## build wheel and source distribution into dist/ and test them: contents, sizes, and runs in an empty environment
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist
	BENCH_TEST_DIST=dist BENCH_TEST_BUDGETS=off $(BIN)/python -m pytest -m 'not gpu' tests/examples/test_distributions.py

publish: $(VENV)/.installed ## a step of a release: put the records of RESULTS into docs/records, freeze anchors, write the boards in leaderboard/published and the tables of the docs
	$(BIN)/bench results export --by-task docs/records --results $(RESULTS)
	$(BIN)/bench leaderboard --results docs/records --freeze
	$(BIN)/bench leaderboard --suite real --results docs/records --freeze
	$(BIN)/bench leaderboard --suite real --no-stale --results docs/records --out leaderboard/published/real-2
	$(BIN)/bench leaderboard --no-stale --results docs/records --out leaderboard/published
	$(BIN)/python docs/tables.py

clean: ## remove caches and builds; results/ and .venv stay
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks .coverage build dist
	find bench methods tasks datasets leaderboard tests docs examples -name __pycache__ -type d -prune -exec rm -rf {} +
