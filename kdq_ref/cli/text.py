"""Text that any terminal can take: without control characters, and without Unicode if need be."""

from __future__ import annotations

PLAIN = "kdq_ref.plain"
"""Name of the error handler :func:`plain`."""

_ASCII = {
    "µ": "u",
    "×": "x",
}


def printable(text: str) -> str:
    r"""Escape whatever is not a visible character, such as terminal control sequences.

    >>> printable("a\x1b[2Jb")
    'a\\x1b[2Jb'
    """
    return "".join(c if c.isprintable() else _escape(c) for c in text)


def plain(error: UnicodeError) -> tuple[str, int]:
    """Stand in for characters that an encoding lacks (an error handler for :mod:`codecs`)."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    return "".join(_ASCII.get(c) or _escape(c) for c in missing), error.end


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
