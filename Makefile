# Each target is complete on a machine with python3 (>= 3.11, with venv), make and git.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3
CORES ?= 2
VENV := .venv
# What a run imports; what tests and checks need besides.
RUNTIME := $(VENV)/.runtime
INSTALLED := $(VENV)/.installed
SNAKEMAKE := $(VENV)/bin/snakemake
# Snakemake, as the one owner of its results: continues after a kill, refuses while a run lives, and
# prints what matters; its own log is <results>/logs/snakemake.log.
RUN := $(VENV)/bin/python workflow/run.py
PYTEST := OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest
# One process more than cores: tests of runs and of SLURM often wait. A file's tests stay together, so
# all on the one SLURM are in one file.
PARALLEL := -n $(shell echo $$(($(CORES) + 1))) --dist loadfile --no-loadscope-reorder
# Each job starts a Python, which shall find compiled what it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo controls methods real transfer slurm-demo partial paper run estimate status slurm-setup submit manifest new-edition new-method gpu-check test test-faults test-editions test-peers lint docs benchmarks clean-demo
.DEFAULT_GOAL := help

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

setup: $(INSTALLED) ## install the pinned packages into .venv

PIP = $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile -c requirements/constraints.txt

# The Python that built .venv is kept with it: pins resolve per Python version.
$(RUNTIME): requirements/runtime.txt requirements/constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "make: $(PYTHON) must be Python 3.11 or newer (make PYTHON=python3.11 ...)" >&2; exit 1; }
	@echo "installing into $(VENV), once"
	$(PYTHON) -m venv $(VENV)
	$(PIP) -r requirements/runtime.txt
	touch $@

$(INSTALLED): $(RUNTIME) requirements/develop.txt
	$(PIP) -r requirements/develop.txt
	touch $@

demo: $(RUNTIME) ## the whole challenge on synthetic images, in minutes
	@$(RUN) --profile profiles/demo --cores $(CORES)

CONTROLS := config/controls.yaml
controls: $(RUNTIME) ## comparisons whose answer is known: does the analysis find it? fails where not
	@$(RUN) --configfile $(CONTROLS) --cores $(CORES) --resources mem_mb=12000
	@PYTHONPATH=workflow/scripts $(VENV)/bin/python -m selma3d.ranking.controls $(CONTROLS)

# A variable, since a comma within $(if ...) would end its argument.
# Text between the single quotes of YAML, between the double quotes of a shell.
quoted = $(subst `,\`,$(subst $$,\$$,$(subst ",\",$(subst \,\\,$(subst ','',$(1))))))
REAL_IMAGES = --config "archives={images: {kind: local, folder: '$(call quoted,$(DATA))'}}"
METHODS := $(RUN) --cores $(CORES) --resources mem_mb=12000 --keep-going --configfile
methods: $(RUNTIME) ## all methods, small, on synthetic images [and real ones: make methods DATA=folder]
	$(METHODS) config/methods-phantoms.yaml
	$(if $(DATA),$(METHODS) config/methods-real.yaml $(REAL_IMAGES))
	@for table in results/methods-*/tables/per-type/standings.md; do printf '\n%s\n' "$$table"; cat "$$table"; done

real: $(RUNTIME) ## what pretraining gains on real images: make real DATA=folder [SIZE=small] [CONFIG=config/real-cfos.yaml]
	@test -n "$(call quoted,$(DATA))" || { echo "make: expected DATA=<folder of real images> (docs/running.md, 'Real images')" >&2; exit 1; }
	@$(RUN) --configfile config/real.yaml $(if $(filter small,$(SIZE)),config/real-small.yaml) $(CONFIG) --cores $(CORES) --resources mem_mb=16000 --keep-going $(REAL_IMAGES)

# The last file's folder, or beside it one for the short form: they train for different lengths.
TRANSFER := results=results/transfer$(if $(filter small,$(SIZE)),-small)
transfer: $(RUNTIME) ## how to fine-tune best, by validation brains alone: make transfer DATA=folder [SIZE=small]
	@test -n "$(call quoted,$(DATA))" || { echo "make: expected DATA=<folder of real images> (docs/running.md, 'Real images')" >&2; exit 1; }
	@$(RUN) --configfile config/real.yaml $(if $(filter small,$(SIZE)),config/real-small.yaml) config/transfer.yaml --cores $(CORES) --resources mem_mb=16000 $(REAL_IMAGES) $(TRANSFER) -- ways
	@cat results/transfer$(if $(filter small,$(SIZE)),-small)/tables/ways.md

# As many CPUs as this machine lends: SLURM keeps the other jobs waiting, as on a cluster.
SLURM := SLURM_TEST_NODES=1 SLURM_TEST_CPUS=$(CORES) tests/slurm/one_machine_slurm.sh
SLURM_CONFIG ?= config/demo.yaml tests/slurm/demo.yaml
slurm-demo: $(RUNTIME) ## the demo on a SLURM that is set up on this machine (root on Debian)
	$(SLURM) start
	time $(RUN) --profile slurm --configfile $(SLURM_CONFIG) --verbose \
	  --slurm-init-seconds-before-status-checks 2 --latency-wait 10 || { $(SLURM) stop; exit 1; }
	$(SLURM) stop
	@echo "what the GPU jobs asked for (results/slurm-demo/logs/snakemake.log):"
	@grep -ao 'sbatch --parsable .* --wrap' results/slurm-demo/logs/snakemake.log | grep -e --gpus | sed 's/ --wrap//'
	@test ! -d results/demo/scores || { diff -r results/demo/scores results/slurm-demo/scores \
	  && echo "score tables: identical to those of make demo"; }

ARCHIVE ?= S-BIAD1196
EDITION ?= selma2024
manifest: $(RUNTIME) ## bring an archive's manifest up to date: make manifest [EDITION=selma2024] [ARCHIVE=S-BIAD1196]
	PYTHONPATH=workflow/scripts $(VENV)/bin/python -m selma3d.archive config/editions/$(EDITION).yaml $(ARCHIVE)

CONFIG ?=
partial: $(RUNTIME) ## rank and report what is finished so far: make partial [CONFIG=config/real.yaml]
	@$(RUN) --configfile $(or $(CONFIG),config/demo.yaml) --cores $(CORES) --config partial=True

paper: $(RUNTIME) ## figures, tables and numbers as a LaTeX manuscript: make paper [CONFIG=config/real.yaml]
	@$(RUN) --configfile $(or $(CONFIG),config/demo.yaml) --cores $(CORES) paper
	@PYTHONPATH=workflow/scripts $(VENV)/bin/python -m selma3d.report.paper.compile $(or $(CONFIG),config/demo.yaml)

PROFILE ?=
# --configfile takes all that follows up to an option: a file in ARGS stands behind another one.
run: $(RUNTIME) ## any run: make run [PROFILE=slurm] [CONFIG=config/my.yaml] [ARGS="more for snakemake"]
	@$(RUN) $(if $(CONFIG),--configfile $(CONFIG)) \
	  $(if $(PROFILE),--profile profiles/$(PROFILE),--cores $(CORES)) $(ARGS)

GPU ?=
estimate: $(RUNTIME) ## what it will cost in jobs, GPU hours and disk: make estimate [CONFIG=config/my.yaml] [GPU=H100]
	@PYTHONPATH=workflow/scripts $(VENV)/bin/python -m selma3d.monitor.estimate $(CONFIG) $(if $(GPU),--gpu "$(GPU)")

WATCH ?=
status: $(RUNTIME) ## how far a challenge is: make status [CONFIG=config/demo.yaml] [WATCH=seconds]
	@PYTHONPATH=workflow/scripts $(VENV)/bin/python -m selma3d.monitor.status $(CONFIG) $(if $(WATCH),--watch $(WATCH))

slurm-setup: $(RUNTIME) ## ask a SLURM cluster for its partitions and check a job of every kind [CONFIG=config/my.yaml]
	@PYTHONPATH=workflow:workflow/scripts $(VENV)/bin/python -m on_slurm.setup $(CONFIG)

# As they were typed, by the environment: neither shell nor make reads spaces, quotes and dollars.
export NEW_EDITION_NAME := $(value NAME)
export NEW_EDITION_DATA := $(value DATA)
new-edition: $(RUNTIME) ## files for your own images: make new-edition NAME=mylab DATA=<folder>
	@PYTHONPATH=workflow/scripts $(VENV)/bin/python -m selma3d.images.new_edition

submit: $(RUNTIME) ## Snakemake itself as a SLURM job that outlives its time limit: make submit [CONFIG=...] [ARGS=...]
	@PYTHONPATH=workflow:workflow/scripts $(VENV)/bin/python -m on_slurm.submit $(if $(CONFIG),--configfile $(CONFIG)) \
	  --partitions profiles/slurm/partitions.yaml $(ARGS)

KIND ?= rule
FOLDER ?=
new-method: $(RUNTIME) ## files of a new method that run at once: make new-method NAME=mine [KIND=recipe] [FOLDER=elsewhere]
	@PYTHONPATH=workflow/scripts $(VENV)/bin/python -m selma3d.challenge.new_method "$(NAME)" "$(KIND)" $(if $(FOLDER),"$(FOLDER)")

test: $(INSTALLED) lint ## everything that CI runs
	$(PYTEST) $(PARALLEL) --durations 40 -m "not faults and not editions and not peers"

test-faults: $(INSTALLED) ## the long suites: kills, faults, memory
	$(PYTEST) -m faults --ignore tests/slurm
	SELMA3D_FAULT_TABLE=results/faults.md $(PYTEST) tests/slurm

test-editions: $(INSTALLED) ## the editions of 2025 and 2026 on phantoms of their structures
	$(PYTEST) -m editions

test-peers: $(INSTALLED) ## methods of other packages, installed and run; needs a package index
	$(PYTEST) -m peers

gpu-check: $(RUNTIME) ## does this machine's GPU train and predict as it should? [CONFIG=config/my.yaml] (docs/gpu.md)
	PYTHONPATH=workflow/scripts $(VENV)/bin/python -m selma3d.monitor.gpu_check $(CONFIG)

lint: $(INSTALLED) ## ruff, snakefmt, snakemake --lint
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/snakefmt --check Snakefile workflow
	$(SNAKEMAKE) --lint

# In an environment of its own: nothing that runs or tests needs it. Pages keep their places, so that
# links between them are those of the repository.
SITE := results/site
docs: ## all pages as one site with a search: results/site/index.html
	@test -x .venv-docs/bin/mkdocs || { $(PYTHON) -m venv .venv-docs && .venv-docs/bin/pip install --quiet --disable-pip-version-check -r requirements/docs.txt; }
	@rm -rf $(SITE) $(SITE)-pages && mkdir -p $(SITE)-pages
	@git ls-files -z -- '*.md' '*.ipynb' docs config LICENSE CITATION.cff | tar --null -T - -cf - | tar -xf - -C $(SITE)-pages
	@NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --quiet --strict
	@echo "site: $(SITE)/index.html; with its search: $(PYTHON) -m http.server --directory $(SITE), then http://localhost:8000"

benchmarks: $(INSTALLED) ## side by side with peers, as ratios
	for script in benchmarks/*.py; do PYTHONPATH=workflow/scripts $(VENV)/bin/python $$script; done

clean-demo: ## remove the demo's results
	rm -rf results/demo
