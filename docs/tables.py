"""Write the generated parts of the docs anew: tables of results from committed records, the
reference of the command line.

Every block between ``<!-- table: NAME -->`` and ``<!-- end table -->`` in README.md and docs/
becomes the board of the task NAME in the preset ``default``, or in the one that follows the name,
made by ``bench leaderboard`` from docs/records/*.jsonl; one between ``<!-- claims: TRACK -->`` and
``<!-- end claims -->`` holds what the papers of the track claim, from the methods' cards, against
the same records; one between ``<!-- cards: TRACK -->`` and ``<!-- end cards -->`` what the cards of
its tasks and methods say; one between ``<!-- tracks: PLACE -->`` and ``<!-- end tracks -->`` what
the cards of the tracks say, with links from a page at that place; one between ``<!-- sweep: FILE
PARAMETER METRIC... -->`` and ``<!-- end sweep -->`` how paired gains depend on a parameter, from
docs/records/sweeps/FILE.jsonl; one between ``<!-- devices: ONE OTHER -->`` and ``<!-- end devices
-->`` how the same cells come out on two devices, from docs/records/devices/ONE.jsonl and
OTHER.jsonl; docs/cli.md becomes what ``--help`` says. ``--check`` changes nothing and exits 1 if a
block is stale.
"""

from __future__ import annotations

import argparse
import functools
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RECORDS = ROOT / "docs" / "records"
BLOCK = re.compile(
    r"^(<!-- (table|claims|cards|tracks|sweep|devices): ([a-z0-9_ -]+) -->\n)(.*?)^(<!-- end \2 "
    r"-->)$",
    re.MULTILINE | re.DOTALL,
)

_NOISY = ("noisy-digits", "noisy-mnist")
CLAIMED_ABOVE: dict[str, list[tuple[str, str, tuple[str, ...]]]] = {
    "noisy-labels": [
        ("gce", "ce", _NOISY),
        ("mixup", "ce", _NOISY),
        ("coteaching", "ce", _NOISY),
        ("elr", "ce", _NOISY),
        ("elr-plus", "elr", _NOISY),
        ("sop", "ce", _NOISY),
        ("late-stopping", "coteaching", _NOISY),
        ("nested-coteaching", "ce", _NOISY),
        ("rcal-lite", "ce", ("noisy-longtail",)),
        ("rcal-lite", "coteaching", ("noisy-longtail",)),
        ("rcal-lite", "elr-plus", ("noisy-longtail",)),
        ("self-distill", "ce", _NOISY),
        ("rdcr", "ce", _NOISY),
        ("cl-prune", "ce", _NOISY),
    ],
    "condensation": [
        ("dc", "random", ("condense-digits",)),
        ("dsa", "dc", ("condense-digits",)),
        ("dcc", "dc", ("condense-digits",)),
        ("dsac", "dsa", ("condense-digits",)),
        ("dm", "dc", ("condense-digits",)),
        ("ncfm", "dm", ("condense-digits",)),
    ],
}
"""Track -> which method its paper puts above which (``ce`` is also the teacher of
``self-distill``), and the tasks here that can tell.
"""


@functools.cache
def _registry() -> Any:
    from bench.plugins.registry import Registry

    return Registry()


@functools.cache
def _records() -> Sequence[Any]:
    from bench.runs.store import Store

    return Store(RECORDS).read()


@functools.cache
def claims(track: str) -> str:
    """Return what the papers of a track claim and whether it holds here,
    as a Markdown table: a row for each ordering.
    """
    registry, records = _registry(), _records()
    said = {
        row.name: (row.card.paper, row.card.claim)
        for row in registry.rows("method")
        if getattr(row.card, "claim", "") and track in row.card.tracks
    }
    stands = _against_plain(registry, records, track)
    lines = [
        (
            "| method | the paper's claim, in our words | above | here, in points (95 % interval) "
            "| holds | the best plain baseline |"
        ),
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for method in sorted(said):
        paper, claim = said[method]
        for rival, tasks in [
            (rival, tasks) for name, rival, tasks in CLAIMED_ABOVE.get(track, []) if name == method
        ] or [("", ())]:
            rows = _differences(registry, records, track, method, rival, tasks) if rival else []
            figures = "; ".join(
                (
                    f"{row['task']} {row['variant']} {row['difference']:+.1f} [{row['low']:+.1f}, "
                    f"{row['high']:+.1f}]"
                )
                for row in rows
            )
            lines.append(
                f"| `{method}` ({paper}) | {claim} | {f'`{rival}`' if rival else '-'} | "
                f"{figures or 'not measured'} | {_verdict(rows)} | {stands.get(method, '-')} |"
            )
    return "\n" + "\n".join(lines) + "\n\n"


def _against_plain(registry: Any, records: Sequence[Any], track: str) -> dict[str, str]:
    """Return how each method with a place on the track's board stands to the best plain baseline
    there, by the verdict of the board.
    """
    from bench.builtin.leaderboard._plain import against_plain

    from bench.cli._board import make_board

    boards = make_board(registry, records, {"track": track})["tracks"]
    rows = [(row, board["best_plain"]) for board in boards for row in board["rows"] if row["place"]]
    return {
        row["method"]: against_plain(row, best)
        or ("it is the best" if row["method"] == best else "-")
        for row, best in rows
    }


def _differences(
    registry: Any,
    records: Sequence[Any],
    track: str,
    method: str,
    rival: str,
    tasks: tuple[str, ...],
) -> list[dict[str, Any]]:
    """Return the paired differences of two methods on the variants that have wrong labels."""
    options = {"track": track, "preset": "default", "tasks": [f"{track}/{task}" for task in tasks]}
    found = registry.manager.hook.bench_compare(
        records=records, tasks=registry.cards(), a=method, b=rival, options=options
    )
    return [row for row in found["rows"] if row["variant"] != "clean" and row["low"] is not None]


def _verdict(rows: list[dict[str, Any]]) -> str:
    """Say on how many variants the whole interval is above zero, and on how many below."""
    if not rows:
        return "-"
    above, below = sum(row["low"] > 0 for row in rows), sum(row["high"] < 0 for row in rows)
    return ("yes" if above == len(rows) else f"in {above} of {len(rows)}" if above else "no") + (
        f"; reversed in {below}" if below else ""
    )


OFFICIAL = {
    "ok": "The authors' code was read.",
    "flawed": "The authors' code was read, and differs from their paper.",
    "none": "",
}


@functools.cache
def cards(track: str) -> str:
    """Return what the cards of a track's tasks and methods say.

    A method of several tracks is told under the one whose folder it lies in.
    """
    registry = _registry()
    lines = [
        "| task | data | presets: variants | ranked by | anchors |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        _task(entry.card, {data.name: data.card for data in registry.rows("dataset")})
        for entry in _sorted(registry, "task", track)
    ]
    elsewhere: dict[str, list[str]] = {}
    told = []
    for entry in _sorted(registry, "method", track):
        folder = Path(entry.target.path).parent.name.replace("_", "-")
        home = folder if folder in entry.card.tracks else entry.card.tracks[0]
        if home == track:
            told += _method(entry)
        else:
            elsewhere.setdefault(home, []).append(f"`{entry.name}`")
    for home, names in sorted(elsewhere.items()):
        told += [
            "",
            (
                f"Also of this track, with their cards under [{home}]({_pages()[home]}): "
                f"{', '.join(names)}."
            ),
        ]
    return "\n" + "\n".join([*lines, "", *told]) + "\n\n"


@functools.cache
def _pages() -> dict[str, str]:
    """Return the page of every track that has one: where its cards stand."""
    files = sorted((ROOT / "docs" / "tracks").glob("*.md"))
    return {
        track: file.name
        for file in files
        for track in re.findall(
            r"^<!-- cards: (\S+) -->$", file.read_text(encoding="utf-8"), re.MULTILINE
        )
    }


@functools.cache
def tracks(place: str) -> str:
    """Return what the cards of the tracks say, by field.

    ``place``: ``top`` for a page of the repository's folder, ``docs`` for one of docs/.
    """
    from bench.cards import FIELDS

    registry = _registry()
    found = registry.track_cards(registry.tracks())
    lines = ["| track | field | what its methods do |", "| --- | --- | --- |"]
    for card in sorted(found.values(), key=lambda card: (FIELDS.index(card.field), card.name)):
        page = f"{'docs/' if place == 'top' else ''}tracks/{_pages()[card.name]}"
        lines.append(f"| [`{card.name}`]({page}) | {card.field} | {_plain(card.about)} |")
    return "\n" + "\n".join(lines) + "\n\n"


def _sorted(registry: Any, kind: str, track: str) -> list[Any]:
    return sorted(
        (entry for entry in registry.rows(kind) if entry.track == track),
        key=lambda entry: str(entry.name),
    )


def _task(card: Any, data: dict[str, Any]) -> str:
    sets = (
        "; ".join(f"`{name}` ({data[name].licence}, {data[name].had})" for name in card.datasets)
        or "made by the task"
    )
    sizes = "; ".join(
        (
            f"{name}: {', '.join(f'`{variant}`' for variant in preset.variants)}, "
            f"{_seeds(preset.seeds)}"
        )
        for name, preset in card.presets.items()
    )
    anchors = (
        ", ".join(f"`{reference.name}` ({reference.kind})" for reference in card.references) or "-"
    )
    return (
        f"| `{card.name}`: {_plain(card.title)} | {sets} | {sizes} | `{card.primary.name}` | "
        f"{anchors} |"
    )


def _seeds(count: int) -> str:
    return f"{count} seed{'s' if count > 1 else ''}"


def _link(paper: str) -> str:
    where = (
        f"https://doi.org/{paper.removeprefix('doi:')}"
        if paper.startswith("doi:")
        else f"https://arxiv.org/abs/{paper.removeprefix('arXiv:')}"
    )
    return f"[{paper}]({where})"


def _method(entry: Any) -> list[str]:
    from bench.cli.show_ import origin

    card = entry.card
    papers = ", ".join(map(_link, filter(None, map(str.strip, card.paper.split(",")))))
    needs = f"Needs {', '.join(f'`{need}`' for need in card.needs)}. " if card.needs else ""
    extras = (
        f"Imports {', '.join(f'`{name}`' for name in card.libraries)}. " if card.libraries else ""
    )
    params = ", ".join(f"`{name}={_value(param.default)}`" for name, param in entry.params.items())
    plain = "Plain baseline. " if card.plain else ""
    facts = (
        f"{papers + '. ' if papers else ''}{plain}{needs}{extras}{card.licence}. "
        f"{OFFICIAL[card.official_code]}"
    ).strip()
    differs = _plain(card.deviates) if card.deviates else ("Nothing known." if card.paper else "")
    told = [f"- **`{card.name}`** {_plain(card.title)}. {facts}"]
    told += (
        [f"  - Defaults{f' ({where})' if (where := origin(card)) else ''}: {params}"]
        if params
        else []
    )
    return told + ([f"  - Differs from the paper: {differs}"] if differs else [])


def _value(value: Any) -> str:
    return (
        {None: "none", True: "true", False: "false"}[value]
        if value is None or isinstance(value, bool)
        else str(value).replace(" ", "")
    )


def _plain(text: str) -> str:
    """Return ``text`` on one line, with nothing in it that Markdown would read as markup."""
    return re.sub(r"([*|<\[\]])", r"\\\1", " ".join(text.split()))


@functools.cache
def board(task: str, preset: str = "default") -> str:
    """Return the board of a task as Markdown; empty as long as no record is committed."""
    if not any(RECORDS.glob("*.jsonl")):
        return ""
    from click.testing import CliRunner

    from bench.cli import main

    done = CliRunner().invoke(
        main,
        [
            "leaderboard",
            "--results",
            str(RECORDS),
            "--task",
            task,
            "--preset",
            preset,
            "--no-stale",
            "--format",
            "md",
        ],
        catch_exceptions=False,
    )
    if done.exit_code == 3:
        return f"\nNo record of `{task}` is committed in the preset `{preset}`.\n\n"
    if done.exit_code:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        sys.exit(
            f"tables: no board of {task!r}, 'bench leaderboard' left with exit code "
            f"{done.exit_code}: {said}"
        )
    return "\n" + done.stdout.strip() + "\n\n"


@functools.cache
def sweep(file: str, parameter: str, *metrics: str) -> str:
    """Return each method's mean of metrics that are differences, with 95 % t intervals over seeds,
    for every value of a parameter of the task or of the methods.
    """
    from bench.builtin.leaderboard._statistics import mean, t_interval

    from bench.runs.transfer import records_of

    values: dict[tuple[float, str, str], list[float]] = {}
    for _, record in records_of(RECORDS / "sweeps" / f"{file}.jsonl"):
        for metric in metrics:
            at = (record.task_params | record.params).get(parameter)
            if at is not None:
                values.setdefault((at, metric, record.method), []).append(record.metrics[metric])
    methods = sorted({method for _, _, method in values} - {"random"})
    lines = [
        f"| {parameter} | metric | {' | '.join(methods)} |",
        f"| --- | --- |{' --- |' * len(methods)}",
    ]
    for at in sorted({at for at, _, _ in values}):
        for metric in metrics:
            cells = []
            for method in methods:
                low, high = t_interval(values[at, metric, method])
                cells.append(f"{mean(values[at, metric, method]):+.1f} [{low:+.1f}, {high:+.1f}]")
            lines.append(f"| {at:g} | {metric} | {' | '.join(cells)} |")
    return "\n" + "\n".join(lines) + "\n\n"


@functools.cache
def devices(one: str, other: str) -> str:
    """Return how the ranking metric of the same cells differs between two
    devices, and what they cost, by track.
    """
    from statistics import fmean

    from bench.runs.transfer import records_of

    def runs(file: str) -> dict[tuple[Any, ...], Any]:
        found = [record for _, record in records_of(RECORDS / "devices" / f"{file}.jsonl")]
        return {
            (record.track, record.task, record.variant, record.method, record.seed): record
            for record in found
        }

    registry, twins, pairs = _registry(), runs(one), {}
    for run, record in runs(other).items():
        if run in twins:
            pairs.setdefault(registry.one("task", record.task).track, []).append(
                (twins[run], record)
            )
    lines = [
        "| track | runs | alike | mean difference | largest | solve | most memory |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for track, found in sorted(pairs.items()):
        names = {
            record.task: registry.get("task", f"{track}/{record.task}").card.primary.name
            for _, record in found
        }
        gaps = [
            record.metrics[names[record.task]] - twin.metrics[names[record.task]]
            for twin, record in found
        ]
        most, (_, there) = max(zip(gaps, found, strict=True), key=lambda pair: abs(pair[0]))
        alike = sum(abs(gap) < 1e-3 for gap in gaps)
        seconds = [fmean(pair[side].cost["solve_s"] for pair in found) for side in (0, 1)]
        memory = max(record.cost["peak_gpu_mb"] or 0 for _, record in found)
        largest = f"{most:+.2g} (`{there.method}`, {there.task})" if abs(most) >= 1e-3 else "-"
        lines.append(
            f"| {track} | {len(found)} | {alike} | {fmean(gaps):+.2f} | {largest} | "
            f"{seconds[0]:.2f} s, {seconds[1]:.2f} s | {memory:.0f} MB |"
        )
    return "\n" + "\n".join(lines) + "\n\n"


MAKERS = {
    "table": board,
    "claims": claims,
    "cards": cards,
    "tracks": tracks,
    "sweep": sweep,
    "devices": devices,
}
"""Kind of block -> what makes it of the words that follow."""


def renewed(text: str) -> str:
    """Return ``text`` with every block made anew."""
    return BLOCK.sub(lambda match: match[1] + MAKERS[match[2]](*match[3].split()) + match[5], text)


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
    check = parser.parse_args().check
    stale = []
    cli = ROOT / "docs" / "cli.md"
    for page in (ROOT / "README.md", cli, *sorted(set((ROOT / "docs").rglob("*.md")) - {cli})):
        before = page.read_text(encoding="utf-8") if page.is_file() else ""
        after = reference() if page == cli else renewed(before)
        if after != before:
            stale.append(str(page.relative_to(ROOT)))
            if not check:
                page.write_text(after, encoding="utf-8")
    if check and stale:
        sys.exit(
            f"tables: {', '.join(stale)} is not what it is generated from; run 'make docs' and "
            "commit what it changes."
        )
    print(f"tables: {'up to date' if not stale else 'wrote ' + ', '.join(stale)}")


if __name__ == "__main__":
    main()
