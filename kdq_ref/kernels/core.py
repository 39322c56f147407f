"""Loads the compiled module, or remembers why it is not there."""

from __future__ import annotations

import importlib
from typing import Any

from kdq_ref.errors import KernelUnavailableError

MODULE = "kdq_ref.kernels._core"


def _load() -> tuple[Any, Any, str | None]:
    try:
        module = importlib.import_module(MODULE)
    except ModuleNotFoundError as error:
        if error.name != MODULE:
            raise
        problem = (
            "the C core is not part of this installation, because no C compiler worked when "
            "kdq_ref was installed"
        )
        return None, None, problem
    except ImportError as error:
        return None, None, f"the C core is installed but cannot be loaded: {error}"
    return module.ffi, module.lib, None


ffi, lib, _problem = _load()


def core_available() -> bool:
    """Whether the C core was built and loads."""
    return _problem is None


def core_problem() -> str | None:
    """Why there is no C core; None if there is one."""
    return _problem


def require_core() -> None:
    """Raise KernelUnavailableError, with the reason, unless there is a C core."""
    if _problem is not None:
        raise KernelUnavailableError(
            f"{_problem}. Install gcc or clang and reinstall kdq_ref to get it; until then use "
            f"kdq_ref.intref, or infer.Engine without isa=, which give the same results"
        )
