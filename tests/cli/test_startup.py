"""The command starts at once: what it must not import, and how long it takes."""

from __future__ import annotations

import os
import resource
import subprocess
import sys

import pytest

HEAVY = ("torch", "numpy", "scipy", "pandas", "matplotlib", "sklearn", "torch_geometric", "datasets")


def loaded(*arguments: str) -> set[str]:
    """Return which heavy libraries a verb imports."""
    script = f"import sys\nfrom bench.cli import main\ntry:\n    main({list(arguments)!r})\nexcept SystemExit:\n    pass\nsys.stderr.write(' '.join(name for name in {HEAVY!r} if name in sys.modules))"
    return set(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stderr.split())


def test_help_imports_no_heavy_library():
    assert loaded("--help") == set()


@pytest.mark.parametrize("arguments", [("list",), ("list", "--json"), ("show", "elr"), ("--version",)])
def test_list_and_show_import_no_heavy_library(arguments):
    assert loaded(*arguments) == set()


def test_planning_imports_no_torch(tmp_path):
    assert "torch" not in loaded("run", "--device", "cpu", "--track", "noisy-labels", "--dry-run", "--results", str(tmp_path))


@pytest.mark.parametrize("verb", ["--help", "list"])
def test_help_and_list_take_at_most_three_tenths_of_a_second_of_cpu(verb, tmp_path):
    compiled = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | {"PYTHONPYCACHEPREFIX": str(tmp_path)}

    def cpu() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", "from bench.cli import main; main()", verb], capture_output=True, check=True, env=compiled)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    cpu()
    assert min(cpu() for _ in range(5)) <= 0.30


def test_completion_offers_names(tmp_path):
    script = "from bench.cli import main; main(prog_name='bench')"
    import os

    environment = {**os.environ, "_BENCH_COMPLETE": "bash_complete", "COMP_WORDS": "bench run --method ce,e", "COMP_CWORD": "3"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, env=environment)
    assert "ce,elr" in done.stdout
