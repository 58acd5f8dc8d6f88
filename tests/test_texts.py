"""Text that UTF-8 can't hold: between processes it stays what it is, in
records it is escaped, and a shell gets back the same bytes.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.texts import decode, encode, escaped, plain, printable, readable, shell_word

TEXT = st.text(st.characters(exclude_categories=()), max_size=60)
"""Any text at all, lone surrogates and control characters included."""
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
)
DATA = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


class Page(msgspec.Struct):
    name: str
    notes: dict[str, str] = {}
    lines: list[str] = []
    count: int = 0
    fine: bool = True


@given(DATA)
def test_plain_data_reaches_another_process_as_it_is(value):
    assert decode(encode(value)) == value


@given(TEXT, st.dictionaries(TEXT, TEXT, max_size=3))
def test_a_struct_reaches_another_process_as_it_is(name, notes):
    assert decode(encode(Page(name, notes)), Page) == Page(name, notes)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b'{"a":NaN,"b":"\\udce9"}',
        b'["\\udce9"',
        b"\xff\\ud",
        b"[" * 100_000 + b'"\\udce9"',
    ],
)
def test_what_no_process_of_ours_said_is_not_read(data):
    with pytest.raises((msgspec.MsgspecError, RecursionError)):
        decode(data)


@given(TEXT)
def test_escaped_text_is_utf8_and_text_that_was_stays(text):
    assert escaped(text).encode().decode() == escaped(text)
    if not any("\ud800" <= character <= "\udfff" for character in text):
        assert escaped(text) == text


@given(TEXT)
def test_printed_text_moves_no_cursor_and_changes_no_colour(text):
    shown = printable(text)
    assert all(character.isprintable() or character in "\n\t" for character in shown)
    assert printable(shown) == shown


@given(DATA)
def test_plain_data_is_json_for_every_reader(value):
    assert (
        msgspec.json.decode(json.dumps(plain(value), allow_nan=False)) is not None or value is None
    )


@given(TEXT, TEXT)
def test_a_readable_struct_goes_through_json(name, note):
    page = readable(Page(name, {name: note}, [note]))
    assert msgspec.json.decode(msgspec.json.encode(page), type=Page) == page
    assert page.lines == [escaped(note)]


def test_values_of_other_libraries_become_plain_ones():
    found = readable(Page(np.str_("é\udce9"), {}, [np.str_("a")], np.int64(3), np.bool_(True)))
    assert found == Page("é\\udce9", {}, ["a"], 3, True)
    assert [type(value) for value in (found.name, found.count, found.fine)] == [str, int, bool]
    assert plain({1: np.float32(0.5), "rows": np.arange(3), "x": {2.5}, "big": 10**400}) == {
        "1": 0.5,
        "rows": "[0 1 2]",
        "x": [2.5],
        "big": str(10**400),
    }


def test_what_is_no_struct_of_the_kind_is_said_and_not_made_up():
    with pytest.raises(msgspec.ValidationError, match="count"):
        readable(Page("a", count="many\udce9"))


class Mute:
    def __str__(self):
        raise RuntimeError("no")


def test_an_object_that_cannot_say_what_it_is_does_no_harm():
    assert plain([Mute()]) == ["(it can't say what it is)"]


PATHS = st.binary(min_size=1, max_size=20).filter(lambda data: b"\0" not in data)


@settings(max_examples=5)
@given(
    st.lists(PATHS, min_size=40, max_size=40),
    st.lists(TEXT.filter(lambda text: "\0" not in text), min_size=40, max_size=40),
)
def test_a_shell_reads_back_the_bytes_of_a_word(paths, texts):
    words = (
        [os.fsdecode(path) for path in paths]
        + [escaped(text) for text in texts]
        + ["é 'x' $HOME `a` \\ \n!", "", "-x", "elr[lam=1]", "~"]
    )
    for encoding in ("utf-8", "ascii", "latin-1"):
        line = "printf '%s\\0' " + " ".join(shell_word(word, encoding) for word in words)
        said = subprocess.run(
            ["bash", "-c", os.fsencode(line)], capture_output=True, check=True
        ).stdout
        assert said.split(b"\0")[:-1] == [os.fsencode(word) for word in words]
        line.encode(encoding)  # the terminal can show it


def test_a_plain_word_is_quoted_as_usual():
    assert [shell_word(text) for text in ("elr", "elr[lam=1]", "my file", "é")] == [
        "elr",
        "'elr[lam=1]'",
        "'my file'",
        shlex.quote("é"),
    ]
