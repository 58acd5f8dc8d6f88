"""Compare our loops with official code by other authors, side by side in one process.

``python tests/speed/against_official.py --checkouts FOLDER`` prints how many times the CPU seconds
of ours the official code takes. Each repository is expected at a commit; nothing of it is copied:
its functions are imported by path and called as they are. Both sides compute in float32 on one
thread of one process, under the allocator settings of runs, and take turns; medians are compared.
Before a loop is timed, both sides' results on the same numbers are held against each other.
"""

from __future__ import annotations

import importlib
import json
import os
import statistics
import sys
from pathlib import Path
from typing import Any

import click
import msgspec
import tabulate
import torch
from official_loops import NOT_COMPARED
from official_loops.checkouts import REPOSITORIES, Checkout, Refused, to_clone
from official_loops.pairs import LOOPS, Disagreement, Loop, Row, compare

from bench.executors.connection import PINNED
from bench.runs import provenance

for _module in (
    "matching", "condensation", "noisy_labels", "noisy_nets", "selection", "unlearning",
    "unlearning_parts", "graph_ood", "policy", "active_learning",
):  # fmt: skip
    importlib.import_module(f"official_loops.{_module}")


def chosen(only: tuple[str, ...]) -> list[Loop]:
    """Return the loops of these names, in their order, or all."""
    named = {loop.name: loop for loop in LOOPS}
    for name in only:
        if name not in named:
            raise Refused(f"there is no loop {name!r}; the loops are {', '.join(sorted(named))}.")
    return [named[name] for name in only] or LOOPS


def places(given: tuple[str, ...], folder: Path | None) -> dict[str, Path]:
    """Return where each repository lies: as named, or under its own name in a folder."""
    found = {}
    for text in given:
        key, _, path = text.partition("=")
        if key not in REPOSITORIES or not path:
            raise Refused(
                f"--checkout {text!r} names no repository and path; write KEY=PATH, the keys are "
                f"{', '.join(REPOSITORIES)}."
            )
        found[key] = Path(path)
    for key, repository in REPOSITORIES.items():
        if folder is not None and key not in found:
            beside = folder / repository.name.split("/")[1]
            if beside.is_dir():
                found[key] = beside
    return found


def opened(loops: list[Loop], paths: dict[str, Path], pinned: bool) -> dict[str, Checkout]:
    """Return the checkouts that the loops need.

    Raises:
        Refused: one is missing or is not what it must be.
    """
    found = {}
    for loop in loops:
        if loop.key not in paths:
            repository = REPOSITORIES[loop.key]
            raise Refused(
                f"loop {loop.name!r} compares with {repository.name} at {repository.commit}, and no "
                f"path of it was given; {to_clone(repository)}, then pass --checkout "
                f"{loop.key}=PATH."
            )
        if loop.key not in found:
            found[loop.key] = Checkout(loop.key, paths[loop.key], pinned)
    return found


def table(rows: list[Row]) -> str:
    """Return what was measured as Markdown, and the geometric means."""
    lines = [
        [
            f"`{row.loop}`",
            f"{row.ratio:.2f}",
            "" if row.given is None else f"{row.given:.2f}",
            "" if row.stacked is None else f"{row.stacked:.2f} ({row.members})",
            f"{1e3 * row.ours:.3g}",
            f"{1e3 * row.official:.3g}",
            f"{row.difference:.0e}",
            f"{row.repository}@{row.commit[:7]}",
        ]
        for row in rows
    ]
    heads = [
        "loop", "times as fast", "without loading", "stacked (nets)", "bench, ms", "reference, ms",
        "apart", "reference code",
    ]  # fmt: skip
    # columns of figures are numbers only where all loops have them
    aligned = ["left", *["right"] * 6, "left"]
    text = tabulate.tabulate(
        lines, heads, tablefmt="github", colalign=aligned, disable_numparse=True
    )
    parts = [[f"- {name}: {figures}" for name, figures in means(rows).items()]]
    parts.append(
        [f"- `{row.loop}` ({row.agrees}){f': {row.note}' * bool(row.note)}" for row in rows]
    )
    if empty := sorted({name for row in rows for name in row.stubs}):
        parts.append([f"Packages that empty ones replaced: {', '.join(empty)}."])
    return "\n\n".join([text, *("\n".join(part) for part in parts)])


def means(rows: list[Row]) -> dict[str, str]:
    """Return geometric means of the ratios, loops apart left out."""
    kept = [row for row in rows if not row.apart]
    left_out = ", ".join(f"`{row.loop}`" for row in rows if row.apart)
    found = {}
    for name, ratios in (
        ("times as fast", [row.ratio for row in kept]),
        ("without loading", [row.given for row in kept if row.given is not None]),
        ("stacked", [row.stacked for row in kept if row.stacked is not None]),
    ):
        if ratios:
            slower = sum(ratio < 1 for ratio in ratios)
            found[name] = (
                f"geometric mean {statistics.geometric_mean(ratios):.2f} of {len(ratios)} loops, "
                f"{slower} of them slower than the reference"
            )
    if found and left_out:
        found["times as fast"] += f"; {left_out} left out"
    return found


def document(rows: list[Row], failed: dict[str, str], rounds: int) -> dict[str, Any]:
    """Return all of it, for ``--json``."""
    return {
        "loops": msgspec.to_builtins(rows),
        "means": means(rows),
        "failed": failed,
        "not_compared": NOT_COMPARED,
        "rounds": rounds,
        "torch": torch.__version__,
        "machine": provenance.cpu()["class"],
        "threads": torch.get_num_threads(),
        "allocator": {name: os.environ.get(name, "") for name in PINNED if "MALLOC" in name},
    }


@click.command()
@click.option(
    "--checkout", "given", multiple=True, metavar="KEY=PATH", help="Where a repository lies."
)
@click.option(
    "--checkouts",
    type=click.Path(path_type=Path),
    help="Folder of checkouts under their repositories' names.",
)
@click.option("--only", multiple=True, metavar="NAME", help="Compare this loop; may be repeated.")
@click.option(
    "--rounds", default=7, show_default=True, type=click.IntRange(1), help="Samples of each side."
)
@click.option(
    "--any-commit", is_flag=True, help="Take checkouts at other commits, or changed ones."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Also write the JSON to this file, after every loop.",
)
def main(given, checkouts, only, rounds, any_commit, as_json, out) -> None:
    """Compare our loops with official code."""
    rows: list[Row] = []
    failed: dict[str, str] = {}
    try:
        loops = chosen(only)
        found = opened(loops, places(given, checkouts), not any_commit)
    except Refused as refusal:
        click.echo(f"against_official: {refusal}", err=True)
        sys.exit(2)
    torch.set_num_threads(1)
    for place, loop in enumerate(loops, 1):
        click.echo(f"{place}/{len(loops)} {loop.name}", err=True)
        try:
            rows.append(compare(loop, found[loop.key], rounds))
        except (Disagreement, Refused) as refusal:
            failed[loop.name] = str(refusal)
        except Exception as error:
            failed[loop.name] = (
                f"loop {loop.name!r}: a side raised {type(error).__name__}: {error}; run it alone with "
                f"--only {loop.name}, and see whether torch {torch.__version__} still runs "
                f"{loop.uses}."
            )
        if loop.name in failed:
            click.echo(f"against_official: {failed[loop.name]}", err=True)
        if out is not None:
            out.write_text(json.dumps(document(rows, failed, rounds), indent=1) + "\n")
    click.echo(json.dumps(document(rows, failed, rounds), indent=1) if as_json else table(rows))
    if not as_json:
        lines = [f"- {name}: {why}" for name, why in (failed | NOT_COMPARED).items()]
        click.echo("\nNot compared:\n\n" + "\n".join(lines))
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    if any(os.environ.get(name) != value for name, value in PINNED.items()):
        # the allocator and the kernels' threads are set where a process starts
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | PINNED)
    main()
