"""Build of the C core; everything else about the package is in pyproject.toml.

Without a working C compiler the package is installed all the same, says so, and runs on its NumPy
specification.
"""

from __future__ import annotations

import contextlib
import os
import sys
import textwrap

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

    def run(self) -> None:
        """Compile; where that failed, remove what an earlier, luckier build left."""
        self.failed: list[str] = []
        super().run()  # setuptools goes on after an error: the extension is marked optional
        for name in self.failed:
            with contextlib.suppress(FileNotFoundError):
                os.remove(self.get_ext_fullpath(name))

    def build_extension(self, ext: Extension) -> None:
        """Compile one extension, or say clearly that it did not work."""
        try:
            super().build_extension(ext)
        except Exception as error:
            reason = textwrap.shorten(str(error), 60)
            print(NOTICE.format(reason=reason), file=sys.stderr, flush=True)
            self.failed.append(ext.name)
            raise


setup(
    cffi_modules=["csrc/build_ffi.py:ffibuilder"],
    cmdclass={"build_ext": BuildCoreIfPossible},
    options={"bdist_wheel": {"py_limited_api": "cp310"}},
)
