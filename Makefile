# `make run`: the pipeline on real data. `make test`: everything that must hold.
# Both set up .venv once, from $(PYTHON), with the exact versions in constraints.txt.

PYTHON ?= python3
CONFIG ?= configs/magic.toml
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/ready

.PHONY: run test test-clusters fuzz soak format lint docs notebook benchmark package hdfs hdfs-stop clean distclean

run: $(STAMP)
	$(BIN)/luigi --module tasks Evaluate --config $(CONFIG)
	$(BIN)/python -m tasks show $(CONFIG)

# Four processes, each with a Spark of its own, as most tests wait half of their time; the tests of
# a file stay in one of them, and the files in the order of tests/conftest.py.
test: lint $(VENV)/browser $(VENV)/spark.jsa
	$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder

# A Chromium, where Debian's can be installed; `make run` needs none.
$(VENV)/browser: $(STAMP)
	bash scripts/install_system.sh browser
	touch $@

# The Java classes of the tests' Sparks, half a minute; where that fails they start without.
$(VENV)/spark.jsa: $(STAMP)
	$(BIN)/python -m tests.spark_archive $@

# More of HDFS, YARN and Spark on several hosts, and with parts of them killed: half an hour.
test-clusters: $(STAMP)
	$(BIN)/python -m pytest -m long tests/clusters tests/storage

# More than a million frames that are wrong in one way or another: about a quarter of an hour.
fuzz: $(VENV)/fuzz
	$(BIN)/python -m tests.fuzz

$(VENV)/fuzz: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --use-pep517 \
		--constraint constraints.txt --editable ".[fuzz]"
	touch $@

# Two hundred workers on one server.
SOAK_SECONDS ?= 600

soak: $(STAMP)
	$(BIN)/python -m tests.load --seconds $(SOAK_SECONDS)

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --strict

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The pages of docs/ that are made from the code.
docs: $(STAMP)
	@$(BIN)/python -m scripts.config_docs

# Executes the notebook among the examples, and writes it with its results.
notebook: $(STAMP)
	@$(BIN)/python -m scripts.notebook

benchmark: $(STAMP)
	@for script in $$(grep -l '^if __name__ == "__main__"' benchmarks/*.py); do \
		echo "== $$script"; $(BIN)/python "$$script" || exit 1; \
	done

# What executors need, in dist/: an archive of .venv with the library, and the library alone.
package: $(STAMP)
	@$(BIN)/python -m scripts.package --environment $(VENV)

# A real HDFS on this machine, for trying out: a NameNode and two DataNodes, in the background.
HDFS ?= .hdfs

hdfs: $(STAMP)
	@$(BIN)/python -m scripts.clusters start $(HDFS)

hdfs-stop: $(STAMP)
	@$(BIN)/python -m scripts.clusters stop $(HDFS)

$(STAMP): setup.py constraints.txt scripts/install_system.sh
	PYTHON="$(PYTHON)" bash scripts/install_system.sh
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --use-pep517 \
		--constraint constraints.txt --editable ".[test]"
	touch $@

# Results, caches and temporary files; distclean also removes the environment.
clean:
	rm -rf output spark-warehouse metastore_db derby.log build dist *.egg-info
	rm -rf .fuzz .pytest_cache .mypy_cache .ruff_cache .hypothesis .schemathesis
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV)
