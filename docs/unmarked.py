"""Find figures in the sentences of a page that no committed record bears.

``python docs/unmarked.py PAGE...`` prints file, line and number of each and exits 1 if there is
one. A number counts as a figure where it

- has a decimal point, a sign, a plus-minus or a multiplication sign, or an exponent,
- stands before ``%``, ``points``, ``times`` or a unit of time or memory,
- counts one among others (``14 of 18``), or
- stands under a heading that says results, figures, speed or measured, whatever it looks like.

A figure stands in a mark (``<!-- fig: ... -->``, see docs/tables_figures.py) or in a generated
block. What is no figure of ours says so: a setting or a definition stands in backticks or between
``<!-- settings -->`` and ``<!-- end settings -->``, somebody else's number between
``<!-- cited: SOURCE -->`` and ``<!-- end cited -->``. On other pages than
those of tracks a figure of what no record holds, like the time of a step, stands between
``<!-- printed: COMMAND -->``, which prints it anew, and ``<!-- end printed -->``. Code, headings,
addresses of links, arXiv ids, versions and the words "95 % interval" are left alone. Settings
have no sign, no plus-minus and no multiplication sign, count nothing among others and are no points
or times; backticks hold no figure with its interval or error, and none before points or times.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import tables_figures
from tables import BLOCK

_NUMBER = r"(?:\d+(?:,\d{3})*(?:\.\d+)?|\.\d+)"
_SIGNED = re.compile(
    rf"""[±\N{{MULTIPLICATION SIGN}}]\s*{_NUMBER}|{_NUMBER}\s*[±\N{{MULTIPLICATION SIGN}}]
    |(?<![^\s(\[|,;:/])[+\N{{MINUS SIGN}}-]{_NUMBER}
    |\b\d+\s+of\s+\d+\b""",
    re.VERBOSE,
)
"""What is never a setting."""
_MEASURED = re.compile(
    rf"""(?<![\w.]){_NUMBER}(?:e-?\d+|\s*(?:%|per\s?cent\b|x\b(?!\s*\d)))
    |(?<![\w.]){_NUMBER}\s+(?:points?|times|(?:milli)?seconds?|minutes?|hours?|m?s|min|h|[MG]i?B)\b
    |(?<![\w.-])(?:\d+(?:,\d{{3}})*)?\.\d+""",
    re.VERBOSE,
)
_POINTS = re.compile(rf"(?<![\w.]){_NUMBER}\s+(?:points?|times)\b")
_HIDDEN = re.compile(
    rf"`\s*[+\N{{MINUS SIGN}}-]?{_NUMBER}\s*(?:(?:±|\[)[^`\n]*`|%?\s*`\s+(?:points?|times)\b)"
)
"""A figure in backticks, which is no setting."""
_ANY = re.compile(rf"(?<![\w.-]){_NUMBER}(?![\w-])")
_RESULTS = re.compile(r"\b(results|figures|speed|measured)\b", re.IGNORECASE)

_SPARED = [
    BLOCK,
    re.compile(r"^([ \t]*)(```|~~~).*?^\1\2[ \t]*$", re.MULTILINE | re.DOTALL),
    tables_figures.FIGURE,
    re.compile(r"<!-- cited: [^\n]*?\S -->.*?<!-- end cited -->", re.DOTALL),
]
_PRINTED = re.compile(r"<!-- printed: [^\n]*?\S -->.*?<!-- end printed -->", re.DOTALL)
_CODE = [
    re.compile(r"(?<!`)(`+)(?!`)(?:(?!\n\s*\n).)*?(?<!`)\1(?!`)", re.DOTALL),
    re.compile(r"(?<=\])\([^()\s]*\)|<https?:[^>\s]*>|https?://\S+"),
    re.compile(r"arXiv:\d+\.\d+|\bCC BY(?:-\w+)? \d\.\d|\bsuites? \d{4}\.\d+"),
    re.compile(r"\b(?:Python|torch|CUDA) [\d.]*\d|\b\d+\.\d+\.\d+"),
    re.compile(r"\b95 % (?:t )?(?:confidence )?intervals?|\bat 95 %"),
]
_SETTINGS = re.compile(r"<!-- settings -->(.*?)<!-- end settings -->", re.DOTALL)
_HEADING = re.compile(r"^(#+) .*$", re.MULTILINE)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_OPENS = re.compile(r"^[ \t]*(?:(?:[-*+>]|\d+[.)])[ \t]+)*<!--.*?-->[ \t]*\S", re.MULTILINE)


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", match[0])


def unmarked(text: str, printed: bool = False) -> Iterator[tuple[int, str]]:
    """Yield the line and the number of each figure of a page that has no mark, and of each mark
    that would break the paragraph it stands in.

    Args:
        text: what the page holds.
        printed: True: a figure may come from a command instead of a record.
    """
    for pattern in _SPARED[:2]:
        text = pattern.sub(_blank, text)
    for match in _OPENS.finditer(text):
        yield _line(text, match.end()), "a comment opens a line of text (put a word before it)"
    for pattern in (*_SPARED[2:], *([_PRINTED] if printed else [])):
        text = pattern.sub(_blank, text)
    yield from ((_line(text, match.start()), match[0]) for match in _HIDDEN.finditer(text))
    for pattern in _CODE:
        text = pattern.sub(_blank, text)
    results = _results(text)
    for match in re.finditer(
        r"<!--\s*(?:(?:cited|printed)\b|end (?:cited|fig|printed)\b)[^\n]*?-->", text
    ):
        yield _line(text, match.start()), f"{match[0]} (a mark not whole, or not for this page)"
    text, settings = _without_settings(_HEADING.sub(_blank, text))
    places = {
        match.start(): match[0]
        for pattern in (_POINTS, _SIGNED)
        for match in pattern.finditer(settings)
    }
    taken: list[tuple[int, int]] = []
    for pattern in (_SIGNED, _MEASURED, _ANY):
        for match in pattern.finditer(text):
            start, end = match.span()
            counts = pattern is not _ANY or any(start in part for part in results)
            if counts and not any(start < last and first < end for first, last in taken):
                taken.append((start, end))
                places[start] = match[0]
    for place, number in sorted(places.items()):
        yield _line(text, place), " ".join(number.split())


def _without_settings(text: str) -> tuple[str, str]:
    """Return a text without its settings, and what stands in these alone, at the same places."""
    inside = list(re.sub(r"[^\n]", " ", text))
    for match in _SETTINGS.finditer(text):
        inside[match.start(1) : match.end(1)] = match[1]
    found = _COMMENT.sub(_blank, _SETTINGS.sub(_blank, text))
    return found, _COMMENT.sub(_blank, "".join(inside))


def _results(text: str) -> list[range]:
    """Return where the sections lie whose headings say that they hold results."""
    heads = [match for match in _HEADING.finditer(text) if match[1] == "##"]
    ends = [*(match.start() for match in heads), len(text)][1:]
    return [
        range(head.start(), end)
        for head, end in zip(heads, ends, strict=True)
        if _RESULTS.search(head[0])
    ]


def _line(text: str, place: int) -> int:
    return text.count("\n", 0, place) + 1


def main() -> None:
    """Print what is unmarked on the pages named."""
    found = [
        f"{page}:{line}: {number}"
        for page in sys.argv[1:]
        for line, number in unmarked(
            Path(page).read_text(encoding="utf-8"), printed=Path(page).parent.name != "tracks"
        )
    ]
    if found:
        sys.exit(
            "\n".join(found)
            + "\nEach needs a mark: <!-- fig: ... --> where a committed record bears it; backticks "
            "or <!-- settings --> where it is a setting; <!-- cited: ... --> where it is not ours. "
            "CONTRIBUTING.md says how."
        )


if __name__ == "__main__":
    main()
