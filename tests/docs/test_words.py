"""Plain technical English: words and turns of phrase that readers stumbled over stay out of what users
read, and words that the project uses in a sense of its own are in the glossary.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),  # docs/cli.md is the help of every command
    *sorted((ROOT / "docs").rglob("*.rst")),
]
PAGES = [page for page in PAGES if page.name not in ("CHANGELOG.md", "decisions.md")]
"""What users read; the changelog and the log of decisions are history."""

BETTER = {
    r"\b(?:the|a|its|track's|no) null\b(?! method)": "baseline",
    r"\bnull (?:method|run|row|baseline)s?\b": "baseline",
    r"\binert\b": "not counted, with the reason",
    r"\bstations?\b": "machine",
    r"\bdrops? of one task\b": "leaving one task out",
    r"\bdata sets?\b": "dataset",
    r"\bmend(?:s|ed|ing)?\b": "fix",
    r"\bre-run": "rerun",
    r"\bhouse (?:rules?|style|words?)\b|\bof the house\b": "project",
    r"\bnobody\b|\bsomebody\b|\bwhoever\b": "name who, or say it in the passive",
    r"\bthe like\b": "name the things",
    r"\bat hand\b": "available, this machine",
    r"\bheld against\b|\bhold\w* (?:\w+ ){0,3}against\b": "compare with",
    r"\b(?:is|are|be) told (?:from|apart|by)\b|\btold apart\b": "distinguish, separate",
    r"\bgoes on (?:where|from)\b": "continues",
    r"\bcame of\b|\bcomes of\b": "result",
    r"\bin vain\b": "without success",
    r"\bshown nothing\b": "not been shown to help",
    r"\bchance in a run\b|\bbehind all chance\b": "randomness in a run",
    r"\bcross(?:es)? the border\b": "are exchanged",
    r"\bwelcome and not needed\b": "helps but is not required",
    r"\bfree of (?:them|it)\b": "exempt",
    r"\bnone is better than\b": "no other method significantly beats",
    r"\bkeeps? the answers to itself\b": "methods never receive the answers",
    r"\bis the (?:talk|product)\b": "say what goes where",
    r"\bwhere that ends\b": "where the protection ends",
    r"\bdoes not survive\b": "is not significant after correction",
    r"\bhas none: why\b|\bhave none: why\b": "if it has none, the cell says why",
}
"""Pattern -> what to write instead."""

TERMS = """anchor artifact baseline board card cell control custom floor gate key need night peeks place
plain baseline preset primary metric problem provisional range record reference renewal room saturated
score seed solution stacked stale stream suite thin tier track tuned variant verdict example visit leading group
hidden part""".split()


def prose(page: Path) -> list[tuple[int, str]]:
    """The lines of a page with their numbers, without what is code or quoted from a paper."""
    text = re.sub(
        r"^```(?!text).*?^```|`[^`\n]*`|<!--.*?-->",
        lambda match: re.sub(r"[^\n]", " ", match[0]),
        page.read_text(),
        flags=re.MULTILINE | re.DOTALL,
    )
    return list(enumerate(text.splitlines(), 1))


@pytest.mark.parametrize("pattern", BETTER)
def test_no_page_and_no_help_has_words_that_readers_stumble_over(pattern):
    found = [
        f"{page.relative_to(ROOT)}:{number}: {match[0]!r}, better: {BETTER[pattern]}"
        for page in PAGES
        for number, line in prose(page)
        if (match := re.search(pattern, line, re.IGNORECASE))
    ]
    assert found == []


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md", ROOT / "docs" / "decisions.md"])
def test_no_page_holds_the_marks_of_two_edits_that_met(page):
    assert not re.search(r"^(?:<{7} |>{7} |={7}$)", page.read_text(), re.MULTILINE)


def test_the_words_are_found_where_they_stand():
    line = "The null is inert; a data set that nobody mends, held against the runs at hand."
    assert sum(bool(re.search(pattern, line, re.IGNORECASE)) for pattern in BETTER) == 7


@pytest.fixture(scope="module")
def defined():
    rows = re.findall(
        r"^\| ([^|]+?) \| ([^|]+?) \|$", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE
    )
    return {word: meaning for word, meaning in rows if word not in ("word", "---")}


def test_the_glossary_is_sorted_and_defines_each_word_once(defined):
    words = [word.casefold() for word in defined]
    assert words == sorted(words)
    assert all(len(meaning.split()) > 4 for meaning in defined.values())


def test_every_word_of_our_own_is_in_the_glossary(defined):
    text = " ".join(TERMS)
    for word in [word for word in defined if " " in word and word in text]:
        text = text.replace(word, "")
    assert [word for word in text.split() if word not in defined] == []
