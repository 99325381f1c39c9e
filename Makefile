# One command each; CI calls the same. Every target sets up what it needs, once.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# The pinned CPU build for CI. A GPU machine: make setup TORCH="torch --index-url https://download.pytorch.org/whl/cu126"
TORCH  ?= torch==2.13.0
CAMUS  ?= ../shared/data/camus
# What `make models` compiles with: data sets as KIND:FOLDER, and the patients that accuracy is judged on.
DATA   ?= camus:$(CAMUS)
VALID  ?= $(CAMUS)/split_valid.txt

.PHONY: setup peers demo test test-quick test-docs lint bench models index wheel lock wheelhouse prove-aarch64 prove-service clean

# What the tests of streams and outputs talk to; without it they skip and say which peer is missing.
PEERS := ffmpeg gstreamer1.0-tools gstreamer1.0-plugins-good gstreamer1.0-plugins-bad python3-gst-1.0 \
	gir1.2-gst-rtsp-server-1.0 mosquitto prometheus xvfb xdotool g++ linux-libc-dev libsrt-openssl-dev openssl \
	openigtlink-examples libopenigtlink-dev shellcheck systemd tesseract-ocr

# Runtime only: no torch.
$(VENV)/.run: requirements/run.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/run.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

# Everything for tests, training and export.
$(VENV)/.dev: $(VENV)/.run requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(TORCH)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/dev.txt
	touch $@

setup: $(VENV)/.dev

peers:
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(PEERS)

demo: $(VENV)/.run
	$(BIN)/echoedge run "$$($(BIN)/python -c 'from pydicom.examples import get_path; print(get_path("ybr_color"))')" --view A4C --out out --name demo

# On a machine with cores to spare, side by side: make test JOBS=4
JOBS ?= 0
test: $(VENV)/.dev
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile

# What changes most, in two minutes: no codec, stream, training, compiling or refining.
QUICK := $(addprefix tests/edge/,heart picture screen threads igtl stages weights test_config.py test_imports.py test_preprocess.py \
	test_postprocess.py test_terminal.py) tests/echoedge
test-quick: $(VENV)/.dev
	$(BIN)/python -m pytest -m "not slow and not data and not gpu" --ignore tests/edge/stages/test_refining.py $(QUICK)

# The commands of README.md and docs/start.md, from the wheel, in a new environment and an empty folder.
test-docs: wheel
	$(BIN)/python tests/docs/run_blocks.py --wheel dist/*.whl README.md docs/start.md

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev
	$(BIN)/echoedge bench nets

models: $(VENV)/.dev
	for net in pspnet-mk quality; do \
		$(BIN)/echoedge compile models/$$net --target all $(DATA:%=--data %) --held-out $(VALID) --report out/$$net.html || exit; \
	done
	$(BIN)/python -m edge.weights.listing models

# The list by which `echoedge weights get` checks what it fetches; after every change of a model.
index: $(VENV)/.run
	$(BIN)/python -m edge.weights.listing models

wheel: $(VENV)/.run
	rm -rf dist
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .

lock: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile -q --universal --python-version 3.10 --no-header --extra openvino --extra dicom pyproject.toml -o requirements/run.txt
	$(BIN)/uv pip compile -q --universal --python-version 3.10 --no-header --extra openvino --extra dicom --extra compile --extra dev \
		pyproject.toml requirements/dev.in -c requirements/run.txt --override requirements/override.txt --no-emit-package torch \
		-o requirements/dev.txt
	$(BIN)/uv pip compile -q --universal --python-version 3.10 --no-header --extra openvino --extra dicom pyproject.toml requirements/device.in \
		-c requirements/run.txt -o requirements/device.txt

# Every wheel for a Jetson with JetPack 6 (cp310) and 7 (cp312), to be copied there: jetson/install.sh needs no network then.
wheelhouse: $(VENV)/.dev
	$(BIN)/python jetson/wheelhouse.py --python 3.10 --out wheelhouse/cp310-aarch64
	$(BIN)/python jetson/wheelhouse.py --python 3.12 --out wheelhouse/cp312-aarch64

# Slow (half an hour and more each) and as root; not part of CI. Needs debootstrap, qemu-user-static and gcc-aarch64-linux-gnu.
# 3.10 is JetPack 6's Python, 3.12 JetPack 7's; 3.11 and 3.13 are Debian's. The last two wheels are for 3.10, which pip does not see.
PROOFS := $(addprefix prove-,3.10 3.11 3.12 3.13)
.PHONY: $(PROOFS)
prove-aarch64: prove-3.10 prove-3.12
$(PROOFS): TAG = cp$(subst .,,$*)
$(PROOFS): prove-%: $(VENV)/.dev
	$(BIN)/python jetson/wheelhouse.py --python $* --out wheelhouse/$(TAG)-aarch64
	$(BIN)/python -m pip download --quiet --only-binary=:all: --dest wheelhouse/tests-$(TAG) --implementation cp \
		--python-version $* --abi $(TAG) --abi none --platform manylinux2014_aarch64 pytest hypothesis exceptiongroup tomli
	jetson/prove_aarch64.sh out/aarch64 $*

# As root: boots a Debian 12 by systemd-nspawn and runs the units in it. Needs debootstrap and systemd-container.
prove-service: $(VENV)/.dev
	$(BIN)/python jetson/wheelhouse.py --python 3.11 --machine x86_64 --out wheelhouse/cp311-x86_64
	jetson/prove_service.sh out/service wheelhouse/cp311-x86_64

clean:
	rm -rf $(VENV) dist out .pytest_cache .ruff_cache .mypy_cache
