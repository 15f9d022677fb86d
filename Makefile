# `make run`: the whole pipeline on the sample corpus.  `make run CORPUS=redial`: the real thing.
# PRESET names parameter sets of presets/, SET single values: make run CORPUS=redial
# PRESET=frozen SET="redial.source=zip redial.zip.location=redial_dataset.zip" JOBS=4
# JOBS is how many models train at once; without it one after the other, but the sample two at once.
# The quickest on two cores with bfloat16 instructions (lscpu | grep bf16): PRESET="frozen fast"
# JOBS=2; without them PRESET=frozen SET=compute.threads=1 JOBS=2
# CORPUS is the folder under runs/ as well: any name but `sample` takes the real corpora.
# MODELS is the folder of trained models that load, linking, examples, new-movies and screenshots
# read: after make run CORPUS=redial, MODELS=runs/redial/models

PYTHON ?= python3.11
CORPUS ?= sample
PRESET ?=
MODELS ?= models
SET ?=
JOBS ?= $(if $(filter sample,$(CORPUS)),2)

VENV := .venv
BIN := $(VENV)/bin
UNUSED := /tests/|/transformers/models/(?!auto/|bert/|[^/]*$$)
PRESETS := $(if $(filter sample,$(CORPUS)),sample) $(PRESET)

.PHONY: run results quote test check kill fuzz processes several-models storage memory reliability bench search load examples linking new-movies screenshots lint lock clean
.DEFAULT_GOAL := run

# made again when the lock changes; the stamp is written last, so that a broken install is retried;
# compiled here, on all cores: where PYTHONDONTWRITEBYTECODE is set, as in many containers, each
# process would else compile anew all that it imports; what does not compile is never imported, and
# hardly so a package's own tests or another architecture of transformers
$(VENV)/.installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-compile -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	$(BIN)/python -m compileall -q -j 0 -x '$(UNUSED)' $(VENV)/lib >/dev/null || true
	touch $@

run: $(VENV)/.installed
	$(BIN)/python -m stages.recommender.workspace $(CORPUS) $(addprefix --preset ,$(PRESETS)) $(addprefix --set ,$(SET)) $(addprefix --jobs ,$(JOBS))

# a finished run's tables and pictures to docs/results, and the documents' tables from there:
# make results CORPUS=redial NAME=redial-frozen
results: $(VENV)/.installed
	$(BIN)/python docs/publish_results.py runs/$(CORPUS) $(NAME)

# the documents' tables anew from where they lie, such as docs/benchmarks
quote: $(VENV)/.installed
	$(BIN)/python docs/publish_results.py

# two at once, whose threads must not wait by spinning on each other's core
test: $(VENV)/.installed
	OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

# two clones, run at once as the tests are, give the same bytes, the best model beats popularity, a
# repeat runs nothing, one parameter reruns its share
check: $(VENV)/.installed
	OMP_WAIT_POLICY=PASSIVE $(BIN)/python tests/check_reproducibility.py

# the small sample pipeline killed sixty times, and whether anything is lost: docs/reliability
kill: $(VENV)/.installed
	$(BIN)/python tests/reliability/kill_anywhere.py

# a million inputs for the corpora's parsers: docs/reliability, tests/reliability/findings
fuzz: $(VENV)/.installed
	$(BIN)/python tests/reliability/fuzz.py

# models trained in several processes, compared with one, killed, gone on: docs/reliability
processes: $(VENV)/.installed
	$(BIN)/python tests/reliability/processes.py

# several models at once against one after the other: docs/reliability
several-models: $(VENV)/.installed
	$(BIN)/python tests/reliability/several_models.py

# data, models and run-cache through a bucket of an S3 server on this machine: docs/reliability
storage: $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-s3.lock
	$(BIN)/python tests/reliability/shared_storage.py

# the data stages' memory at ten times the data, from the real corpus in data/ and ReDial's archive:
# make memory REDIAL=redial_dataset.zip
REDIAL ?= redial_dataset.zip
memory: $(VENV)/.installed
	$(BIN)/python -m tests.benchmarks.memory $(REDIAL)

# RELIABILITY.md, from the figures that the scripts left in docs/reliability
reliability: $(VENV)/.installed
	$(BIN)/python tests/reliability/assemble.py

# docs/benchmarks, from a workspace of the real corpus where nothing is left to run, and the archives
FINISHED ?= runs/redial
MOVIELENS ?= ml-latest.zip
bench: export BENCHMARK_DATA = $(FINISHED)/data
bench: $(VENV)/.installed
	$(BIN)/python -m tests.benchmarks.speed
	$(BIN)/python -m tests.benchmarks.tried
	$(BIN)/python -m tests.benchmarks.preparation --finished $(FINISHED)
	$(BIN)/python -m tests.benchmarks.growth
	$(BIN)/python -m tests.benchmarks.serving $(FINISHED)/models
	$(BIN)/python -m tests.benchmarks.eight $(REDIAL) $(MOVIELENS)

# the gate's hyperparameters, as DVC experiments on the validation split: docs/results/searches
search: $(VENV)/.installed
	$(BIN)/python docs/search.py gate

# fifty clients ask page and API's server for a minute: docs/results/serving/load.json
load: $(VENV)/.installed
	$(BIN)/python tests/load_api.py $(MODELS)

# titles found again in the test messages, by models with their data beside: docs/results/serving
linking: $(VENV)/.installed
	$(BIN)/python -m stages.recommender.serving.measure_linking $(MODELS)

# the README's example requests, answered: docs/results/serving/examples.txt
examples: $(VENV)/.installed
	$(BIN)/python docs/answer_examples.py $(MODELS)

# movies that training never saw, recommended by their texts alone: docs/results/serving
new-movies: $(VENV)/.installed
	$(BIN)/python -m stages.recommender.serving.measure_new_movies $(MODELS)

# the page as the README shows it: docs/page-light.png, docs/page-dark.png
screenshots: $(VENV)/.installed
	$(BIN)/python tests/draw_page.py $(MODELS)

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# the lock is what a new environment holds after installing what requirements.in asks for, and
# requirements-s3.lock what it holds more after requirements-s3.in
lock:
	rm -rf $(VENV)-lock
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/pip install --quiet --disable-pip-version-check -r requirements.in
	$(VENV)-lock/bin/pip freeze | sed "s/+cpu$$//" > requirements.lock
	$(VENV)-lock/bin/pip install --quiet --disable-pip-version-check -c requirements.lock -r requirements-s3.in
	$(VENV)-lock/bin/pip freeze | sed "s/+cpu$$//" | grep -vxFf requirements.lock > requirements-s3.lock
	rm -rf $(VENV)-lock

clean:
	rm -rf runs .cache
