"""Write the generated parts of the docs anew: tables of results from committed records, the reference of the command line.

Every block between ``<!-- table: NAME -->`` and ``<!-- end table -->`` in README.md and docs/ becomes the board of the
task NAME, made by ``bench leaderboard`` from docs/records/*.jsonl; docs/cli.md becomes what ``--help`` says. ``--check`` changes nothing and exits 1 if a block is stale.
"""

from __future__ import annotations

import argparse
import functools
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RECORDS = ROOT / "docs" / "records"
BLOCK = re.compile(r"^(<!-- table: ([a-z0-9-]+) -->\n)(.*?)^(<!-- end table -->)$", re.MULTILINE | re.DOTALL)


@functools.cache
def board(task: str) -> str:
    """Return the board of a task as Markdown; empty as long as no record is committed."""
    if not any(RECORDS.glob("*.jsonl")):
        return ""
    beside = Path(sys.executable).with_name("bench")
    command = [
        str(beside) if beside.is_file() else "bench",
        "leaderboard",
        "--results",
        str(RECORDS),
        "--task",
        task,
        "--preset",
        "default",
        "--no-stale",
        "--format",
        "md",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        sys.exit(f"tables: no board of {task!r}, 'bench leaderboard' left with exit code {done.returncode}: {said}")
    return "\n" + done.stdout.strip() + "\n\n"


def renewed(text: str) -> str:
    """Return ``text`` with every block made anew."""
    return BLOCK.sub(lambda match: match[1] + board(match[2]) + match[4], text)


def reference() -> str:
    """Return the page of the command line: the help of every verb."""
    import click

    from bench.cli import main as bench

    def helps(command: click.Command, name: str, parent: click.Context | None) -> list[str]:
        context = click.Context(command, info_name=name.rpartition(" ")[2], parent=parent, terminal_width=100, max_content_width=100)
        pages = [f"## {name}\n\n```text\n{command.get_help(context)}\n```\n"]
        if isinstance(command, click.Group):
            for verb in command.list_commands(context):
                found = command.get_command(context, verb)
                assert found is not None
                pages += helps(found, f"{name} {verb}", context)
        return pages

    return "# The command line\n\nGenerated from `--help` by `make docs`.\n\n" + "\n".join(helps(bench, "bench", None))


def main() -> None:
    """Write or check every page."""
    parser = argparse.ArgumentParser(description="Write the tables of the docs anew from docs/records/*.jsonl.")
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if a table is stale")
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
        sys.exit(f"tables: {', '.join(stale)} is not what it is generated from; run 'make docs' and commit what it changes.")
    print(f"tables: {'up to date' if not stale else 'wrote ' + ', '.join(stale)}")


if __name__ == "__main__":
    main()
