"""Text for any terminal."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdq_ref.cli.text import PLAIN, plain, printable

codecs.register_error(PLAIN, plain)


@given(st.text())
def test_printable_text_is_one_harmless_line(text: str) -> None:
    """No control character, line end, surrogate or override of direction is left."""
    assert printable(text).isprintable()


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_ordinary_text_stays(text: str) -> None:
    """Visible ASCII is not touched."""
    assert printable(text) == text


@given(st.text(st.characters()))
def test_every_text_fits_every_encoding(text: str) -> None:
    """Nothing fails to encode, not even lone surrogates."""
    for encoding in ("ascii", "cp1252", "utf-8"):
        text.encode(encoding, PLAIN)


def test_units_stay_readable() -> None:
    """The characters that the tables use have names in ASCII."""
    assert "8×8: 5 µs, ü".encode("ascii", PLAIN) == b"8x8: 5 us, \\xfc"


def test_decoding_faults_are_not_ours() -> None:
    """The handler is for writing."""
    with pytest.raises(UnicodeDecodeError):
        b"\xff".decode("ascii", PLAIN)
