"""Build of the C core; everything else about the package is in pyproject.toml.

Without a working C compiler the package is installed all the same, says so, and runs on its NumPy
specification.
"""

from __future__ import annotations

import contextlib
import os
import sys

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

NOTICE = """
**********************************************************************************************
kdq_ref: the C core could not be compiled ({reason}).
The installation goes on without it: every result is the same, computed by the slower NumPy
specification. To get the core, install gcc or clang and reinstall; the log above has the errors.
**********************************************************************************************
"""


class BuildCoreIfPossible(build_ext):
    """build_ext that reports a failure instead of aborting the installation."""

    def build_extension(self, ext: Extension) -> None:
        """Compile one extension; on failure, remove what an earlier build left."""
        try:
            super().build_extension(ext)
        except Exception as error:
            print(NOTICE.format(reason=error), file=sys.stderr, flush=True)
            with contextlib.suppress(FileNotFoundError):
                os.remove(self.get_ext_fullpath(ext.name))
            raise  # setuptools logs it and goes on: the extension is marked optional


setup(
    cffi_modules=["csrc/build_ffi.py:ffibuilder"],
    cmdclass={"build_ext": BuildCoreIfPossible},
    options={"bdist_wheel": {"py_limited_api": "cp310"}},
)
