"""The command starts at once: what it must not import, and how long it takes."""

from __future__ import annotations

import os
import resource
import subprocess
import sys

import pytest

HEAVY = (
    "torch",
    "numpy",
    "scipy",
    "pandas",
    "matplotlib",
    "sklearn",
    "torch_geometric",
    "datasets",
)


def loaded(*arguments: str, heavy: tuple[str, ...] = HEAVY) -> set[str]:
    """Return which heavy libraries a verb imports."""
    script = (
        f"import sys\nfrom bench.cli import main\ntry:\n    main({list(arguments)!r})\nexcept "
        f"SystemExit:\n    pass\nsys.stderr.write(' '.join(name for name in {heavy!r} if name "
        "in sys.modules))"
    )
    return set(
        subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        ).stderr.split()
    )


def test_help_imports_no_heavy_library():
    assert loaded("--help") == set()


@pytest.mark.parametrize(
    "arguments",
    [
        ("list",),
        ("show", "elr"),
        *[("run", "--device", "cpu", "--track", "graph-ood", "--preset", "smoke", "--dry-run")],
    ],
    ids=["list", "show", "dry run"],
)
def test_lists_and_plans_do_without_what_takes_as_long_to_import(arguments):
    assert loaded(*arguments, heavy=("importlib.metadata", "tabulate")) == set()


@pytest.mark.parametrize(
    "arguments", [("list",), ("list", "--json"), ("show", "elr"), ("--version",)]
)
def test_list_and_show_import_no_heavy_library(arguments):
    assert loaded(*arguments) == set()


def test_planning_imports_no_heavy_library(tmp_path):
    assert (
        loaded(
            "run",
            "--device",
            "cpu",
            "--track",
            "noisy-labels",
            "--dry-run",
            "--results",
            str(tmp_path),
        )
        == set()
    )


EVERYTHING = ("run", "--all", "--preset", "default", "--device", "cpu", "--dry-run")


@pytest.mark.parametrize(
    ("words", "limit"),
    [(("--help",), 0.3), (("list",), 0.8), (EVERYTHING, 5.0)],
    ids=["help", "list", "dry-run-of-everything"],
)
def test_help_and_lists_and_plans_take_little_time_of_the_processor(
    words, limit, tmp_path, tmp_path_factory
):
    # one for all three, which import mostly the same
    prefix = str(tmp_path_factory.getbasetemp() / "compiled")
    compiled = {
        name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
    } | {"PYTHONPYCACHEPREFIX": prefix}

    def cpu() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, "-c", "from bench.cli import main; main()", *words],
            capture_output=True,
            check=True,
            env=compiled,
            cwd=tmp_path,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    cpu()
    assert any(cpu() <= limit for _ in range(5))


def test_completion_offers_names(tmp_path):
    script = "from bench.cli import main; main(prog_name='bench')"
    environment = {
        **os.environ,
        "_BENCH_COMPLETE": "bash_complete",
        "COMP_WORDS": "bench run --method ce,e",
        "COMP_CWORD": "3",
    }
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, env=environment
    )
    assert "ce,elr" in done.stdout
