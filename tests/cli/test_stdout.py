"""With ``--json`` stdout holds one document, whatever plugins print."""

import json
import os
import subprocess
import sys

import pytest

PLUGIN = '''
"""A plugin that prints wherever it can."""

from __future__ import annotations

import os
from typing import ClassVar

import msgspec
import torch

from bench import Case, Method, MethodCard, Metric, Preset, Score, Task, TaskCard

print("imported")


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """x (n,) float32."""

    x: torch.Tensor


class Loud(Task):
    """Prints."""

    card: ClassVar = TaskCard(
        name="loud", title="Loud", track="loud", metrics=(Metric(name="sum", primary=True),), presets={"smoke": Preset(variants={"plain": {}}, seeds=1)}
    )

    def prepare(self, run):
        """Return rows."""
        print("prepared")
        return Case(problems=[Rows(x=torch.ones(3))], hidden=None)

    def evaluate(self, case, outcomes, run):
        """Return the sum."""
        os.write(1, b"evaluated \\xff")
        return Score(metrics={"sum": outcomes[0].solution})


class Louder(Method):
    """Prints."""

    card: ClassVar = MethodCard(name="louder", title="Louder", track="loud")

    def solve(self, problem, run):
        """Return the sum."""
        print("solved", flush=True)
        return float(problem.x.sum())
'''


@pytest.mark.parametrize(
    "closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", ">&- 2>/dev/full", "> /dev/null 2>&-"]
)
def test_a_list_into_closed_streams_ends_well(tmp_path, closed):
    assert (
        subprocess.run(
            f"{sys.executable} -m bench list methods {closed}",
            shell=True,
            cwd=tmp_path,
            check=False,
        ).returncode
        == 0
    )


@pytest.mark.parametrize(
    "closed",
    [
        "<&- >&- 2>&-",
        *(pytest.param(streams, marks=pytest.mark.slow) for streams in ("2>&-", ">&- 2>/dev/full")),
    ],
)
def test_closed_streams_lead_nowhere(tmp_path, session_cache, closed):
    (tmp_path / "loud.py").write_text(PLUGIN)
    environment = {**os.environ, "BENCH_CACHE": str(session_cache), "BENCH_FLOPS": "0"}
    command = "run --plugins loud.py --task loud --method louder --preset smoke --executor inline"
    assert (
        subprocess.run(
            f"{sys.executable} -m bench {command} {closed}",
            shell=True,
            cwd=tmp_path,
            env=environment,
            check=False,
        ).returncode
        == 0
    )
    (record,) = (tmp_path / "results/records").rglob("*.json")
    assert json.loads(record.read_bytes())["status"] == "ok"


def test_what_plugins_print_in_this_process_goes_to_stderr_where_a_document_is_asked_for(
    tmp_path, session_cache
):
    (tmp_path / "loud.py").write_text(PLUGIN)
    arguments = [
        "run",
        "--plugins",
        "loud.py",
        "--task",
        "loud",
        "--method",
        "louder",
        "--preset",
        "smoke",
        "--executor",
        "inline",
        "--json",
    ]
    environment = {**os.environ, "BENCH_CACHE": str(session_cache)}
    ran = subprocess.run(
        [sys.executable, "-m", "bench", *arguments],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        check=True,
    )
    (record,) = json.loads(ran.stdout)["records"]
    assert (record["status"], record["metrics"]) == ("ok", {"sum": 3.0})
    assert [word in ran.stderr for word in (b"imported", b"prepared", b"solved", b"evaluated")] == [
        True
    ] * 4
