"""Nothing to learn from or to judge by (no rows, graphs, prompts, test rows, an empty dataset) ends
a whole run as invalid, with the field, before anything is solved.
"""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from made import MADE

from bench.checks.fields import fields_of
from bench.cli import main


def fields(track):
    """Return the names of a problem's tensors and graphs."""
    problem = MADE[track]()[0]
    return [
        field.name
        for field in fields_of(type(problem))
        if (field.arrays or field.name == "graphs")
        and not isinstance(getattr(problem, field.name), dict | None)
    ]


PLUGIN = """
from typing import Annotated, ClassVar

import msgspec
import torch
from made import MADE

from bench import Case, Dataset, DatasetCard, Method, MethodCard, Metric, Preset, Score, Task, TaskCard
from bench.declared import Array
from bench.training.graphs import Graphs


class Hidden(msgspec.Struct):
    x_test: Annotated[torch.Tensor, Array("T", ...)]


class Rows(msgspec.Struct):
    x: torch.Tensor
    y: torch.Tensor


class Nothing(Dataset):
    card: ClassVar = DatasetCard(
        name="nothing", title="No rows", licence="CC0-1.0", source="here", size="0", had="generated"
    )

    def load(self, run):
        return Rows(x=torch.zeros(0, 5), y=torch.zeros(0, dtype=torch.int64))


def cut(value):
    if isinstance(value, Graphs):
        return Graphs(value.x[:0], value.edges[:, :0], value.nodes[:0], value.degrees[:0])
    return value[:0]


class Never(Method):
    card: ClassVar = MethodCard(name="never", title="Is never asked", track="{track}")

    def solve(self, problem, run):
        raise AssertionError("it was asked")


class Empty(Task):
    card: ClassVar = TaskCard(
        name="empty",
        title="Nothing",
        track="{track}",
        datasets=("nothing",),
        metrics=(Metric(name="acc", primary=True, bounds=(0, 100)),),
        presets={{"smoke": Preset(variants={{"only": {{}}}}, seeds=1, timeout=60)}},
    )
    field: str = ""

    def prepare(self, run):
        problem, x_test = MADE["{track}"]()[0], torch.ones(3, 2)
        if self.field == "a dataset":
            rows = run.dataset("nothing")
            raise ValueError(f"nothing to split of {{rows.x.max(0)}}")
        if self.field == "test rows":
            x_test = x_test[:0]
        elif self.field:
            changed = {{self.field: cut(getattr(problem, self.field))}}
            problem = msgspec.structs.replace(problem, **changed)
        return Case(problems=[problem], hidden=Hidden(x_test))

    def evaluate(self, case, outcomes, run):
        return Score(metrics={{"acc": 1.0}})
"""


@pytest.fixture
def ran(tmp_path, monkeypatch, with_kernels):
    """Run a task in which one thing is empty by the command, in this process; return the record."""
    monkeypatch.setenv("BENCH_CACHE", str(with_kernels(tmp_path / "cache")))

    def call(track, *fields):
        file = tmp_path / "nothing.py"
        file.write_text(PLUGIN.format(track=track))
        tasks = [arg for field in fields for arg in ("--task", f"empty[field={field}]")]
        words = ["run", "--plugins", str(file), "--method", "never", *tasks, "--preset", "smoke"]
        words += ["--executor", "inline", "--device", "cpu", "--json"]
        done = CliRunner().invoke(main, [*words, "--results", str(tmp_path / "results")])
        assert done.exit_code == 1, done.stderr
        records = json.loads(done.stdout)["records"]
        return {record["task_params"]["field"]: record for record in records}

    return call


@pytest.mark.parametrize("track", MADE)
def test_an_empty_field_of_the_problem_no_test_rows_and_an_empty_data_set_are_invalid(track, ran):
    mine = fields(track)
    assert mine
    found = ran(track, *mine, "test rows", "a dataset")
    assert found.keys() == {*mine, "test rows", "a dataset"}
    for name, record in found.items():
        said = record["error"]["message"]
        assert (record["status"], record["metrics"]) == ("invalid", {}), (name, said)
        assert "which is no fault of the method" in said
        if name == "test rows":
            assert "hidden part is not valid" in said
            assert "x_test has the shape (0, 2): there is nothing in it" in said
        elif name == "a dataset":
            assert "the task's prepare failed (" in said
            assert "The dataset 'nothing' is empty: x has the shape (0, 5)." in said
        else:
            assert "the task's problem is not valid" in said
            where = "graphs.x" if name == "graphs" else name
            assert f"{where} has the shape (0" in said, said
            assert "there is nothing in it" in said
