"""Rows of a stream may be kept in the store alone, whatever a method reads them with."""

import re

import pytest

OWN = """
from typing import ClassVar

import torch

from bench import Method, MethodCard
from bench.tracks.continual import Solution

KEPT = []


class Own(Method):
    card: ClassVar = MethodCard(name="own", title="A loop of its own", track="continual")

    def solve(self, problem, run):
        net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, problem.n_classes))
        kept = []
        for chunk in problem.stream:
            {keep}
            if chunk.last:
                run.report(chunk.t + 1, net)
        return Solution(model=net)
"""


@pytest.mark.parametrize(
    ("keep", "named"),
    [
        ("kept.append(chunk.x.clone())", "kept"),
        ("kept.append({'x': chunk.x.flatten().numpy().copy()})", "kept"),
        ("KEPT.append((chunk.y.clone(), chunk.x.clone()))", "KEPT"),
        ("net.register_buffer(f'rows{chunk.t}', chunk.x.clone())", "net"),
        ("x = chunk.x.clone(); kept.append(lambda x=x: x)", "kept"),
        ("kept.append(chunk.x)", None),
        ("kept.append(chunk.x.mean(0))", None),
        ("x, y = chunk.x.clone(), chunk.y.clone()", None),
    ],
)
def test_a_loop_of_its_own_may_keep_rows_no_longer_than_their_task(keep, named, tmp_path, run_plan):
    (tmp_path / "own.py").write_text(OWN.replace("{keep}", keep))
    ran = run_plan(
        paths=[str(tmp_path / "own.py")],
        methods=("own",),
        tasks=("split-digits",),
        preset="smoke",
        seeds="1",
    )
    (record,) = ran.records
    if named is None:
        assert record.status == "ok"
    else:
        assert record.status == "invalid"
        assert re.search(
            rf"holds \d+ rows of earlier tasks of the stream at report \d, in '{named}'; the store",
            record.error.message,
        )


STORE = """
            if chunk.t or chunk.step:
                drawn = memory.draw(len(chunk.y))
                x = torch.cat([chunk.x, drawn.x[0]])
            memory.reservoir(chunk.x[None], chunk.y[None], chunk.t)
"""


def test_a_loop_of_its_own_may_draw_rows_of_earlier_tasks_from_its_store(tmp_path, run_plan):
    text = OWN.replace('track="continual")', 'track="continual", needs=("memory",))')
    text = text.replace(
        "kept = []",
        "memory = Memory([problem.memory], problem.stream.shape, 0, "
        "[run.torch_generator('method', device='cpu')], run.device)",
    )
    text = text.replace(
        "import torch\n", "import torch\nfrom bench.training.memory import Memory\n"
    )
    (tmp_path / "own.py").write_text(text.replace("            {keep}\n", STORE))
    ran = run_plan(
        paths=[str(tmp_path / "own.py")],
        methods=("own",),
        tasks=("split-digits",),
        preset="smoke",
        seeds="1",
    )
    (record,) = ran.records
    assert record.status == "ok", record.error


def test_a_reference_of_the_task_that_learns_all_rows_at_once_is_none_of_these(run_plan):
    ran = run_plan(paths=[], methods=("joint",), tasks=("split-digits",), preset="smoke", seeds="1")
    assert [record.status for record in ran.records] == ["ok"]
