"""Kernels in C, compiled once; every test that needs them is skipped where nothing compiles."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from kdq_ref.verify.kernel.abi import asset

HERE = Path(__file__).parent
Build = Callable[..., Path]


@pytest.fixture(scope="session")
def build(compiler: list[str], tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Compile a C file, once, to a shared library (or a program); return its path."""
    folder = tmp_path_factory.mktemp("kernels")
    (folder / "kdq_kernel_abi.h").write_text(asset("kdq_kernel_abi.h"))
    made: dict[tuple[object, ...], Path] = {}

    def run(source: Path, *flags: str, program: bool = False) -> Path:
        key = (source, flags, program)
        if key not in made:
            made[key] = folder / f"{source.stem}-{len(made)}{'' if program else '.so'}"
            shape = [] if program else ["-shared", "-fPIC"]
            # Wrong kernels are wrong on purpose, and warned of.
            command = [*compiler, "-O2", "-std=gnu11", "-I", str(folder), *shape, *flags]
            command += ["-w", "-o", str(made[key]), str(source), "-lm", "-ldl", "-lpthread"]
            subprocess.run(command, check=True)
        return made[key]

    return run


@pytest.fixture(scope="session")
def products(build: Build) -> Path:
    """Wrong products."""
    return build(HERE / "wrong_kernels" / "products.c")


@pytest.fixture(scope="session")
def layers(build: Build) -> Path:
    """Wrong layers, requantizations and convolutions."""
    return build(HERE / "wrong_kernels" / "layers.c")


@pytest.fixture(scope="session")
def right(build: Build) -> Path:
    """Right kernels."""
    return build(HERE / "right_kernels" / "dense.c", "-ffp-contract=off")


@pytest.fixture(scope="session")
def example(build: Build, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example that ships with the package."""
    source = tmp_path_factory.mktemp("example") / "example.c"
    source.write_text(asset("example.c"))
    return build(source)
