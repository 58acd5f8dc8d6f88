"""The tutorials, executed as they stand: every command of a page, in
order, in a fresh environment; every file that it shows, written.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

PAGES = Path(__file__).resolve().parents[2] / "docs" / "tutorials"
NAMES = sorted(page.stem for page in PAGES.glob("*.md"))
INSTALL = "pip install datacentric-bench"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def steps(page: Path) -> list[tuple[str, str]]:
    """Return what a page asks for: ``("$", command)``, or a file's name,
    which is the comment on its first line, and its text.
    """
    found = []
    for language, text in BLOCK.findall(page.read_text()):
        if language == "console":
            found += [
                ("$", line.removeprefix("$ "))
                for line in text.splitlines()
                if line.startswith("$ ")
            ]
        elif name := re.match(r"# (\S+\.\w+)\n", text):
            found.append((name[1], text))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_tutorial_is_short_and_its_commands_and_files_are_found(name):
    asked = steps(PAGES / f"{name}.md")
    commands, files = (
        [text for kind, text in asked if kind == "$"],
        [text for kind, text in asked if kind != "$"],
    )
    assert asked[0] == ("$", INSTALL)
    assert 4 <= len(commands) <= 12
    assert all(len(text.splitlines()) <= 60 for text in files)
    blocks = re.findall(r"^```(\w*)$", (PAGES / f"{name}.md").read_text(), re.MULTILINE)
    assert set(blocks) <= {"console", "python", ""}
    assert len(files) == blocks.count("python")


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_tutorial_does_what_it_says(name, fresh, wheels):
    page = PAGES / f"{name}.md"
    call = fresh(wheels=wheels)
    call(INSTALL)
    begun = time.monotonic()
    for kind, text in steps(page)[1:]:
        if kind == "$":
            call(text)
        else:
            (call.home / kind).parent.mkdir(parents=True, exist_ok=True)
            (call.home / kind).write_text(text)
    assert time.monotonic() - begun <= 180
