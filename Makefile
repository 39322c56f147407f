# Development commands; CONTRIBUTING.md says when to use which.
PYTHON ?= python
.PHONY: build test lint c-warnings asan tsan cross exhaustive bench clean

build:
	$(PYTHON) setup.py -q build_ext --inplace

test:
	$(PYTHON) -m pytest -q

lint: c-warnings
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy kdq_ref

WARNINGS = -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wvla -Werror
C_FLAGS = $(shell $(PYTHON) -c "import sys; sys.path.insert(0, 'csrc'); \
	import build_ffi; print(*build_ffi.COMPILE_ARGS)")

c-warnings:
	@for cc in gcc clang; do \
		if ! command -v $$cc > /dev/null; then \
			echo "$$cc is not installed: its warnings have NOT been checked"; continue; \
		fi; \
		for file in csrc/*.c tests/native/*.c; do \
			$$cc $(C_FLAGS) $(WARNINGS) -Icsrc -c $$file -o /dev/null || exit 1; \
		done; \
		echo "$$cc: no warnings"; \
	done

# A second copy of the package, whose core checks itself; the tests run from inside it, so that they
# and the processes they start import that copy. Some Pythons compile with -fwrapv, which would hide
# signed overflow.
SANITIZE = -fsanitize=address,undefined
ASAN_PYTHON = cd build/asan && LD_PRELOAD=$(shell gcc -print-file-name=libasan.so) \
	PYTHONMALLOC=malloc ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 \
	$(shell $(PYTHON) -c "import sys; print(sys.executable)")

asan:
	rm -rf build/asan build/asan-temp
	CC=gcc CFLAGS="-g -fno-omit-frame-pointer -fno-sanitize-recover=all -fno-wrapv $(SANITIZE)" \
		LDFLAGS="$(SANITIZE)" $(PYTHON) setup.py -q build --build-base build/asan-temp \
		--build-lib build/asan
	$(ASAN_PYTHON) -c "from kdq_ref.kernels import core; core.require_core(); \
		print('sanitized core:', core.importlib.import_module(core.MODULE).__file__)"
	$(ASAN_PYTHON) -m pytest -q -p no:cacheprovider --rootdir ../.. -c ../../pyproject.toml \
		../../tests/kernels

# Runs shared by threads, without Python in between.
tsan:
	mkdir -p build
	gcc $(C_FLAGS) -g -fsanitize=thread -Icsrc tests/native/threads.c csrc/*.c -lm -pthread \
		-o build/threads
	TSAN_OPTIONS=halt_on_error=1 build/threads

# The kernels natively and under emulators, for CPUs that this machine is not.
cross:
	PYTHON="$(PYTHON)" C_FLAGS="$(C_FLAGS)" WARNINGS="$(WARNINGS)" bash tests/native/cross.sh

# Every rounding rule over all 2^32 accumulators, in less than an hour; EXHAUSTIVE_FLAGS=--full takes several.
exhaustive:
	$(PYTHON) tests/native/exhaustive.py $(EXHAUSTIVE_FLAGS)

bench:
	$(PYTHON) -m bench requant $(BENCH_FLAGS)
	@for threads in 1 2; do for subject in roofline gemm conv network train; do \
		echo "$(PYTHON) -m bench $$subject --threads $$threads $(BENCH_FLAGS)"; \
		$(PYTHON) -m bench $$subject --threads $$threads $(BENCH_FLAGS) || exit 1; \
	done; done

clean:
	rm -rf build dist *.egg-info kdq_ref/kernels/_core*.so
