"""What a terminal of some columns shows: lines that fit, names whole; and
everything as it is where stdout is no terminal.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tabulate import tabulate

from bench.cli._layout import markdown, narrow, table, whole, wrapped
from bench.cli._progress import Bar

WORD = st.text("abcdefghij-/_.0123456789é", min_size=1, max_size=25)
PROSE = st.lists(WORD, max_size=12).map(" ".join)
ROWS = st.integers(1, 6).flatmap(
    lambda count: st.lists(st.tuples(WORD, *[PROSE] * count), min_size=1, max_size=6)
)


CELL = st.sampled_from([None, 0, -12, True, 1.5, "", " blanks ", "a", "two words é", "x" * 30])


@given(
    st.integers(1, 5).flatmap(
        lambda count: st.tuples(
            st.lists(st.tuples(*[CELL] * count), min_size=1, max_size=6),
            st.tuples(*[st.sampled_from(["a", "header", "a longer header"])] * count),
        )
    )
)
def test_a_table_that_is_piped_is_laid_out_as_tabulate_does(drawn):
    rows, headers = drawn
    assert whole(rows, headers) == tabulate(
        rows, headers=headers, tablefmt="simple", disable_numparse=True
    )


@pytest.mark.parametrize("text", ["表", "e\u0301", "two\nlines", "\t"])
def test_what_is_not_one_line_of_characters_of_one_column_is_left_to_tabulate(text):
    assert not narrow(text)
    assert narrow("plain ≥ é ·")


@given(ROWS, st.integers(20, 120))
def test_a_table_loses_nothing_breaks_no_word_and_fits(rows, width):
    headers = ["method", *("a", "b", "c", "d", "e", "f")[: len(rows[0]) - 1]]
    text = table(rows, headers, width)
    longest = max(
        len(word) for row in [*rows, headers] for cell in row for word in cell.split() or [""]
    )
    assert all(len(line) <= max(width, longest + 4) for line in text.split("\n"))
    shown = text.split()
    for row in rows:
        assert row[0] in shown
        assert all(word in shown for cell in row for word in cell.split())


def test_a_table_of_figures_is_told_in_parts_that_say_what_each_row_is_of():
    rows = [
        ["1", "noisy", "sym40", *["10.25 [9.1, 11.2]"] * 4],
        ["2", "noisy", "pair45", *["99"] * 4],
    ]
    text = table(rows, ["rank", "task", "variant", "a", "b", "c", "d"], 60)
    parts = text.split("\n\n")
    assert len(parts) == 2
    assert all(
        "noisy" in line and ("sym40" in line or "pair45" in line)
        for part in parts
        for line in part.split("\n")[2:]
    )
    assert all(len(line) <= 60 for line in text.split("\n"))


BOARD = (
    "### A · b\n\n| method | mean | what a long header | about |\n|---|---:|---|---|\n| a\\|b "
    "| 1.5 | x | y |\n| cd | 10.25 | x | a text of several words that goes on |\n\n- Note."
)


def test_markdown_that_fits_and_all_that_is_piped_stays_as_it_is():
    assert markdown(BOARD, None) == BOARD
    assert markdown(BOARD, 200) == BOARD


def test_a_table_in_markdown_is_laid_out_for_the_terminal():
    lines = markdown(BOARD, 50).split("\n")
    assert all(len(line) <= 50 for line in lines)
    assert lines[0] == "### A · b"
    # figures to the right, and the bar as it was meant
    assert any(line.startswith("a|b ") and "  1.5  " in line for line in lines)
    assert lines[-1] == "- Note."


@given(PROSE, st.integers(20, 90))
def test_wrapped_text_has_its_words_in_their_order(text, width):
    said = wrapped(f"a fact:   {text}", width)
    assert said.split() == ["a", "fact:", *text.split()]
    assert wrapped(text, None) == text


class Spec:
    def __init__(self, text: str) -> None:
        self.text = text

    def label(self) -> str:
        return self.text


class Ended:
    def __init__(self, text: str) -> None:
        self.cell = self
        self.spec = Spec(text)


@given(
    total=st.integers(1, 100_000),
    cached=st.integers(0, 10**6),
    label=st.text(max_size=80),
    width=st.integers(10, 200),
    share=st.floats(0, 1),
)
def test_the_line_of_progress_never_wraps(total, cached, label, width, share):
    bar = Bar(total, cached)
    bar._finished, bar._label, bar._began = int(total * share), label, bar._began - 5000
    text = bar.text(width)
    assert len(text) <= width
    assert text.isprintable() or "\t" in label or "\n" in label
    assert text.startswith(f"{int(total * share)}/{total} runs"[:width])
    if width >= 160 and label.isprintable() and label.strip() and len(label) <= 80:
        assert label in text


def on_a_terminal(arguments: list[str], columns: int, **environment: str) -> tuple[str, int]:
    """Run ``bench`` on a terminal of its own and return all that it shows, and its exit code."""
    control, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    variables = {
        **{name: value for name, value in os.environ.items() if name != "COLUMNS"},
        **environment,
    }
    with subprocess.Popen(
        [sys.executable, "-m", "bench", *arguments],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=variables,
    ) as process:
        os.close(terminal)
        shown = b""
        while True:
            try:
                data = os.read(control, 1 << 16)
            except OSError:
                break
            if not data:
                break
            shown += data
        process.wait()
    os.close(control)
    return shown.decode().replace("\r\n", "\n"), process.returncode


def test_a_list_and_a_card_fit_the_terminal_and_are_whole_where_that_is_asked(tmp_path):
    listed, _ = on_a_terminal(["list"], 80)
    whole = subprocess.run(
        [sys.executable, "-m", "bench", "list"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "COLUMNS": "40"},
    ).stdout
    names = [line.split()[0] for line in whole.split("\n") if "/" in line[:30]]
    assert len(names) > 100
    assert max(map(len, listed.split("\n"))) <= 80
    assert set(names) <= set(listed.split())
    assert max(map(len, whole.split("\n"))) > 120
    assert on_a_terminal(["list", "--wide"], 80)[0].split("\n") == whole.split("\n")
    card, _ = on_a_terminal(["show", "noisy-digits"], 200, COLUMNS="60")
    assert max(map(len, card.split("\n"))) <= 60
    assert len(card.split("\n")) > 20


FAILS = '''
from typing import ClassVar
from bench import Case, Method, MethodCard, Metric, Preset, Reference, Score, Task, TaskCard


class Half(Method):
    """Fails for odd seeds."""

    card: ClassVar = MethodCard(name="half-of-the-seeds-fail-with-this-one", title="H", track="halves")

    def solve(self, problem, run):
        if run.seed % 2:
            raise ValueError("odd")
        return 1.0


class Halves(Task):
    """Takes a number."""

    card: ClassVar = TaskCard(
        name="halves-of-a-long-name", title="H", track="halves", metrics=(Metric(name="got", direction="max", primary=True),),
        presets={"smoke": Preset(variants={"plain": {}}, seeds=4, timeout=60)}, references=(Reference(name="half-of-the-seeds-fail-with-this-one", kind="low"),),
    )

    def prepare(self, run):
        return Case(problems=[0.0], hidden=None)

    def evaluate(self, case, outcomes, run):
        return Score(metrics={"got": outcomes[0].solution})
'''


def test_progress_keeps_to_one_line_and_words_beside_it_begin_on_their_own(tmp_path):
    (tmp_path / "halves.py").write_text(FAILS)
    command = [
        "run",
        "--track",
        "halves",
        "--preset",
        "smoke",
        "--plugins",
        str(tmp_path / "halves.py"),
        "--results",
        str(tmp_path / "r"),
        "--device",
        "cpu",
    ]
    shown, code = on_a_terminal([*command, "--executor", "inline"], 80)
    assert code == 1
    drawn = [piece for piece in re.split("[\r\n]", shown) if re.match(r"\d+/4 runs", piece)]
    assert any("4/4 runs" in piece and "100 %" in piece for piece in drawn)
    assert all(len(piece) <= 79 for piece in drawn)
    assert len(re.findall(r"(?:^|[\r\n])bench: failed: halves-of-a-long-name", shown)) == 2
    board = shown[shown.index("### halves-of-a-long-name") :]
    assert max(map(len, board.split("\n"))) <= 80
    assert "half-of-the-seeds-fail-with-this-one" in board.replace("*", " ").split()


@pytest.mark.parametrize("words", ["plain", "a\x1b[31m"])
def test_words_beside_the_line_of_progress_clear_it_first(monkeypatch, capsys, words):
    from bench.cli._options import warn

    monkeypatch.setenv("COLUMNS", "50")
    with Bar(4, 0) as bar:
        bar.advance(Ended("first"))
        warn(words)
    said = capsys.readouterr().err
    assert f"\r{' ' * 49}\rbench: " in said
    assert "\x1b" not in said
    assert said.endswith("\n")


def test_the_report_of_a_check_fits_the_terminal(tmp_path, session_cache):
    mock = str(Path(__file__).parents[1] / "mock")
    command = ["check", "mock-regression/constant", "--quick", "--plugins", mock]
    shown, code = on_a_terminal(command, 70, BENCH_CACHE=str(session_cache))
    assert code == 0
    assert max(map(len, shown[shown.index("## method") :].split("\n"))) <= 70
