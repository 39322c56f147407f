"""Which bit is right, and why: kernels examined, dialects of runtimes, proofs about networks."""

from kdq_ref.verify.kernel import Finding, Verdict, verify_callable, verify_library

__all__ = ["Finding", "Verdict", "verify_callable", "verify_library"]
