"""Whether a kernel computes what it should: `verify_library`, `verify_callable`."""

from kdq_ref.verify.kernel import Finding, Verdict, verify_callable, verify_library

__all__ = ["Finding", "Verdict", "verify_callable", "verify_library"]
