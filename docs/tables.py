"""Write the generated parts of the docs anew: tables of results from committed records, the
reference of the command line.

README.md and docs/ hold blocks from ``<!-- KIND: WORDS -->`` to ``<!-- end KIND -->``:

- ``table: TASK [PRESET]``: the board of a task, by ``bench leaderboard`` from docs/records.
- ``claims: TRACK``: what the papers of the track claim, from the cards, against these records.
- ``cards: TRACK``: what the cards of its tasks and methods say.
- ``data: all``, ``described: all``: how to have the datasets, and what ``bench describe`` says.
- ``tracks: PLACE``: what the cards of the tracks say, with links from a page at that place.
- ``preregistered: TRACK``, ``effects: all``: what tests claim, and what the runs say of it.
- ``sweep: FILE PARAMETER METRIC...``: how paired gains depend on a parameter, from
  docs/records/sweeps/FILE.jsonl.
- ``searched: FILE TASK VARIANT METRIC METHOD``: what each setting that was tried reached, beside
  METHOD, from such a file.
- ``rates``, ``splits``, ``coverage``, ``claimed``: what tables_splits.py makes of such files.
- ``chart: TRACK``: the interval chart of a track; its pictures lie in docs/_static/charts.
- ``datasets: SUITE TRACK FIRST``: what the first methods reach on every dataset of a suite.
- ``output: TASK VARIANT METHOD...``: what ``bench run`` prints.
- ``devices: ONE OTHER``: how the same cells come out on two devices, from docs/records/devices.
- ``systems: PART``: a part of the page of systems.

docs/cli.md becomes what ``--help`` says, docs/published.md what ``bench paper --publish`` writes.
Figures in sentences are made anew too, where a mark says of what (see docs/tables_figures.py).
``--check`` changes nothing and exits 1 if a block or a figure is stale. A mark that can't be
computed is an error in either case.

On the pages of docs/tracks/ and on docs/real-data.md every block but a chart, claims written before
the runs and the means by dataset is folded: a reader opens the table that they
look for.
"""

from __future__ import annotations

import argparse
import re
import sys
from functools import partial
from pathlib import Path

import tables_figures
from tables_cards import ROOT, cards, data, registry, tracks
from tables_charts import chart, pictures, svg
from tables_datasets import datasets
from tables_described import described
from tables_output import output
from tables_preregistered import effects, preregistered
from tables_records import RECORDS, board, claims, devices, sweep
from tables_searched import searched
from tables_splits import claimed, coverage, rates, splits
from tables_systems import page as systems

MAKERS = {
    "chart": chart,
    "table": board,
    "claims": claims,
    "cards": cards,
    "data": data,
    "datasets": datasets,
    "described": described,
    "output": output,
    "preregistered": preregistered,
    "tracks": tracks,
    "sweep": sweep,
    "searched": searched,
    "rates": rates,
    "splits": splits,
    "coverage": coverage,
    "claimed": claimed,
    "devices": devices,
    "effects": effects,
    "systems": systems,
}
"""Kind of block -> what makes it of the words that follow."""

BLOCK = re.compile(
    rf"^(<!-- ({'|'.join(MAKERS)}): ([a-z0-9_ -]+) -->\n)(.*?)^(<!-- end \2 -->)$",
    re.MULTILINE | re.DOTALL,
)


TITLES = {
    "claims": "What the papers claim, and what holds here: {}",
    "cards": "Cards of the tasks and methods: {}",
    "sweep": "Sweep: {}",
    "searched": "Settings that were tried: {}",
    "rates": "Learning rates: {}",
    "splits": "Gains on other splits: {}",
    "coverage": "How often intervals hold the gain on other splits: {}",
    "claimed": "Claims written down before the run: {}",
    "effects": "Which methods have a claim that holds",
}
"""Kind of block -> what a folded one is called, with its first word; a board has headings."""


def renewed(text: str, errors: list[str], fold: bool = False) -> str:
    """Return ``text`` with every block and figure made anew; ``errors`` gets what can't be.

    Args:
        text: what a page holds.
        errors: what can't be made anew.
        fold: whether the page shows its tables when they are opened.
    """

    def anew(match: re.Match[str]) -> str:
        kind, words = match[2], match[3].split()
        made = MAKERS[kind](*words)
        if fold and kind not in ("chart", "datasets", "preregistered"):
            made = folded(made, TITLES.get(kind, "{}").format(words[0]))
        return match[1] + made + match[5]

    return tables_figures.renewed(BLOCK.sub(anew, text), errors)


def folded(made: str, title: str) -> str:
    """Return what a block holds as parts that open at a click: one a heading, which becomes what is
    clicked, or one called ``title`` where there is none.

    Headings would nest sections into what is folded, which is no HTML.
    """
    before, *parts = re.split(r"^### (.*)$", made.strip(), flags=re.MULTILINE)
    found = list(zip([title, *parts[::2]], [before, *parts[1::2]], strict=True))
    shown = [
        f"<details>\n<summary>{name}</summary>\n\n{text.strip()}\n\n</details>\n"
        for name, text in found
        if text.strip()
    ]
    return "\n" + "\n".join(shown) + "\n"


def published() -> str:
    """Return the page of published figures beside the committed records."""
    from bench.cli._papers import Papers
    from bench.runs.store import Store

    return Papers(registry(), Store(RECORDS), "cpu").text("page") + "\n"


def reference() -> str:
    """Return the page of the command line: the help of every verb."""
    import click

    from bench.cli import main as bench

    def helps(command: click.Command, name: str, parent: click.Context | None) -> list[str]:
        context = click.Context(
            command,
            info_name=name.rpartition(" ")[2],
            parent=parent,
            terminal_width=100,
            max_content_width=100,
        )
        pages = [f"## {name}\n\n```text\n{command.get_help(context)}\n```\n"]
        if isinstance(command, click.Group):
            for verb in command.list_commands(context):
                found = command.get_command(context, verb)
                assert found is not None
                pages += helps(found, f"{name} {verb}", context)
        return pages

    return "# The command line\n\nGenerated from `--help` by `make docs`.\n\n" + "\n".join(
        helps(bench, "bench", None)
    )


def main() -> None:
    """Write or check every page."""
    parser = argparse.ArgumentParser(
        description="Write the tables of the docs anew from docs/records/*.jsonl."
    )
    parser.add_argument(
        "--check", action="store_true", help="change nothing; exit 1 if a table is stale"
    )
    parser.add_argument(
        "pages", nargs="*", type=Path, help="these pages only, and their charts; not given: all"
    )
    given = parser.parse_args()
    check = given.check
    stale, wrong = [], []
    whole = {ROOT / "docs" / "cli.md": reference, ROOT / "docs" / "published.md": published}
    every = dict.fromkeys([ROOT / "README.md", *whole, *sorted((ROOT / "docs").rglob("*.md"))])
    pages = [page.resolve() for page in given.pages] or list(every)
    whole |= {page: partial(svg, *of) for page, of in pictures(pages).items()}
    for page in dict.fromkeys([*pages, *pictures(pages)]):
        before = page.read_text(encoding="utf-8") if page.is_file() else ""
        errors: list[str] = []
        fold = page.parent.name == "tracks" or page.stem == "real-data"
        after = whole[page]() if page in whole else renewed(before, errors, fold)
        wrong += [f"{page.relative_to(ROOT)}, {error}" for error in errors]
        if after != before:
            stale.append(str(page.relative_to(ROOT)))
            if not check:
                page.parent.mkdir(exist_ok=True)
                page.write_text(after, encoding="utf-8")
    if wrong:
        sys.exit("\n".join(f"tables: {error}" for error in wrong))
    if check and stale:
        sys.exit(
            f"tables: {', '.join(stale)} is not what it is generated from; run 'make docs' and "
            "commit what it changes."
        )
    print(f"tables: {'up to date' if not stale else 'wrote ' + ', '.join(stale)}")


if __name__ == "__main__":
    main()
