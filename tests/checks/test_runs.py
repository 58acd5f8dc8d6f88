"""Whole runs of methods and tasks that get something wrong: `invalid`, with one sentence that names
who has to mend what, in every track.
"""

from __future__ import annotations

import textwrap

import pytest

METHOD = """
from __future__ import annotations
from typing import ClassVar
import numpy as np
import torch
from bench import Method, MethodCard
from bench.tracks.{module} import *
from bench.tracks import {module} as track


class Planted(Method):
    card: ClassVar = MethodCard(name="planted", title="Planted", track="{track}", stacked={stacked})

    def solve(self, problem, run):
{body}

    def solve_stacked(self, problems, runs):
{several}
"""
TASKS = {
    "noisy-labels": "noisy-digits",
    "label-errors": "errors-iris",
    "selection": "prune-digits",
    "condensation": "condense-digits",
    "unlearning-privacy": "unlearn-random",
    "unlearning-correction": "unlearn-corrective",
    "unlearning-regression": "unlearn-regression",
    "privacy-audit": "privacy-audit",
    "graph-ood": "wheel-star",
    "policy-optimization": "clock-arithmetic",
}
STACKED = "return [self.solve(problem, run) for problem, run in zip(problems, runs)]"


@pytest.fixture
def plant(tmp_path, run_plan):
    """Run a method whose ``solve`` holds the given lines on the smallest
    task of a track; return the record.
    """

    def call(track, body, *, stacked=False, several=STACKED, seeds="1"):
        module = "unlearning" if track.startswith("unlearning-") else track.replace("-", "_")
        file = tmp_path / "planted.py"
        lines = [
            textwrap.indent(textwrap.dedent(part).strip(), " " * 8) for part in (body, several)
        ]
        file.write_text(
            METHOD.format(
                track=track, module=module, stacked=stacked, body=lines[0], several=lines[1]
            )
        )
        ran = run_plan(
            paths=[str(file)],
            methods=("planted",),
            tasks=(TASKS[track],),
            preset="smoke",
            seeds=seeds,
        )
        assert len(ran.records) == int(seeds), [item.reason for item in ran.driver.not_run]
        return ran.records[0]

    return call


@pytest.mark.parametrize(
    ("track", "body", "word"),
    [
        *((track, "pass", "nothing") for track in TASKS),
        ("noisy-labels", "return {'model': None}", "a dict"),
        ("noisy-labels", "yield 1", "a generator"),
    ],
)
def test_solve_that_returns_no_solution_is_said_to_the_method(plant, track, body, word):
    record = plant(track, body)
    assert record.status == "invalid"
    assert record.metrics == {}
    assert "the method's solution" in record.error.message
    assert f"solve returned {word}" in record.error.message


CONSTANT = "logits = lambda x: x.flatten(1)[:, :1] * torch.arange(problem.n_classes or 1)\n"


@pytest.mark.parametrize(
    ("track", "model", "said"),
    [
        ("noisy-labels", "lambda x: logits(x).argmax(-1)", "int64 of shape"),
        ("noisy-labels", "lambda x: logits(x)[:, :3]", "float32 of shape"),
        ("noisy-labels", "lambda x: logits(x)[..., None]", "float32 of shape"),
        ("noisy-labels", "lambda x: (logits(x), 1)", "a tuple of 2"),
        (
            "noisy-labels",
            "lambda x: logits(x).index_fill(0, torch.tensor([len(x) - 1]), float('nan'))",
            "not finite in the answer: its output is nan",
        ),
        ("noisy-labels", "logits(problem.x)", "the model is a Tensor"),
        ("unlearning-privacy", "lambda x: logits(x).argmax(-1)", "int64 of shape"),
        (
            "unlearning-privacy",
            "lambda x: logits(x).index_fill(0, torch.tensor([len(x) - 1]), float('nan'))",
            "not finite in the answer: its output is nan",
        ),
        (
            "noisy-labels",
            "lambda x: logits(x) + torch.rand(len(x), 10)",
            "answers the same rows otherwise when it is asked again in the answer",
        ),
        (
            "unlearning-privacy",
            "lambda x: logits(x) + torch.randn(len(x), 10)",
            "answers the same rows otherwise when it is asked again in the answer",
        ),
        (
            "noisy-labels",
            "lambda x: logits(x) - logits(x).mean(0)",
            "answers a row otherwise in other company in the answer",
        ),
        (
            "unlearning-correction",
            "logits, weights=dict(problem.weights)",
            "weights are not those of its model in the answer",
        ),
        (
            "unlearning-regression",
            "lambda x: torch.full((len(x), 1), 1e300, dtype=torch.float64)",
            "gives 1e+300 in row 0",
        ),
        ("unlearning-regression", "lambda x: logits(x)[:, 0]", "float32 of shape"),
        ("unlearning-regression", "lambda x: logits(x) * float('inf')", "not finite in the answer"),
    ],
)
def test_a_model_that_is_none_is_invalid_and_never_chance(plant, track, model, said):
    record = plant(track, f"{CONSTANT}return Solution(model={model})")
    assert (record.status, record.metrics) == ("invalid", {})
    assert said in record.error.message


WRONG = {
    "label-errors": [
        ("Solution(suspicion=torch.zeros(len(problem.y) - 1))", "suspicion has the shape"),
        (
            "Solution(suspicion=torch.full((len(problem.y),), float('nan')))",
            "suspicion holds nan at row 0",
        ),
        (
            "Solution(flags=torch.zeros(len(problem.y)))",
            "flags is float32; a mask has the type bool",
        ),
        ("Solution()", "neither a suspicion nor flags"),
    ],
    "noisy-labels": [
        ("Solution(model=logits, labels=problem.y[1:])", "labels has the shape"),
        ("Solution(model=logits, labels=problem.y[:1])", "labels has the shape"),
        ("Solution(model=logits, labels=problem.y.float())", "labels is float32"),
        ("Solution(model=logits, labels=problem.y + 10)", "labels holds"),
        ("Solution(model=logits, kept=problem.y)", "kept is int64"),
        (
            "Solution(model=logits, clean_score=(float(value) for value in problem.y))",
            "clean_score is a generator",
        ),
    ],
    "selection": [
        (
            "Selection(rows=[torch.zeros(budget, dtype=torch.int64) for budget in "
            "problem.budgets])",
            "rows[0] holds 0",
        ),
        (
            "Selection(rows=[torch.arange(budget) + len(problem.y) for budget in problem.budgets])",
            "rows[0] holds",
        ),
        (
            "Selection(rows=[torch.arange(budget) for budget in problem.budgets[:-1]])",
            "must be a list of one tensor for each of",
        ),
        ("Selection(rows=torch.arange(3))", "rows is a Tensor, and must be a list"),
        (
            "Selection(rows=[torch.arange(b) for b in problem.budgets], weights=[torch.ones(b) * "
            "float('nan') for b in problem.budgets])",
            "weights[0] holds nan",
        ),
        (
            "Selection(rows=[torch.arange(b) for b in problem.budgets], weights=[torch.ones(b) * "
            "1e30 for b in problem.budgets])",
            "not finite",
        ),
    ],
    "condensation": [
        ("SmallSet(x=problem.x[:10] * float('nan'), y=problem.y[:10])", "x holds nan at row 0"),
        ("SmallSet(x=problem.x[:10], y=problem.y[:9])", "y has the shape (9,)"),
        ("SmallSet(x=problem.x[:10], y=problem.y[:10] - 10)", "y holds -10"),
        ("SmallSet(x=problem.x[:99], y=problem.y[:99])", "the budget is 1 a class"),
        (
            "SmallSet(x=problem.x[:10], y=problem.y[:10], soft_y=torch.full((10, 10), "
            "float('nan')))",
            "soft_y holds nan",
        ),
        ("SmallSet(x=problem.x[:10] * 1e30, y=problem.y[:10], lr=10.0)", "not finite"),
    ],
    "privacy-audit": [
        ("Solution(scores=torch.zeros(3))", "scores has the shape (3,)"),
        ("Solution(scores=torch.zeros(len(problem.y), 1))", "scores has the shape"),
        ("Solution(scores=torch.zeros(len(problem.y)) / 0)", "scores holds nan"),
    ],
    "graph-ood": [
        (
            "Solution(model=lambda graphs: problem.net().eval()(graphs).logits)",
            "a Tensor without 'logits'",
        ),
        ("Solution(model=problem.net(), weights=torch.ones(3))", "weights has the shape (3,)"),
    ],
    "unlearning-privacy": [
        (
            "Solution(model=logits, weights={'0.weight': torch.zeros(1)})",
            "weights['0.bias'] is missing",
        ),
        ("Solution(model=logits, precompute=-5)", "precompute is -5"),
    ],
    "policy-optimization": [
        ("Solution(model=problem.policy(run.device), used=None)", "used is None"),
        (
            "Solution(model=lambda x: x, used=Counters())",
            "the method's policy is a function in the answer",
        ),
    ],
}


@pytest.mark.parametrize(
    ("track", "answer", "said"),
    [(track, *case) for track, cases in WRONG.items() for case in cases],
)
def test_a_wrong_field_is_invalid_and_named(plant, track, answer, said):
    head = CONSTANT if track in ("noisy-labels", "unlearning-privacy") else ""
    record = plant(track, f"{head}return {answer}")
    assert (record.status, record.metrics) == ("invalid", {}), record.error
    assert said in record.error.message


def test_training_that_diverges_is_invalid_at_its_report_and_not_chance(run_plan, tmp_path):
    file = tmp_path / "wild.py"
    file.write_text(
        "from typing import ClassVar\nfrom bench import MethodCard\nfrom "
        "bench.tracks.noisy_labels import NoisyLabelMethod, cross_entropy\n\n\n"
        "class Wild(NoisyLabelMethod):\n    card: ClassVar = MethodCard(name='wild', "
        "title='Wild', track='noisy-labels', stacked=True)\n\n"
        "    def loss(self, state, batch, logits):\n        return cross_entropy(logits, batch.y) "
        "* 1e30\n"
    )
    records = run_plan(
        paths=[str(file)], methods=("wild",), tasks=("noisy-digits",), preset="smoke", seeds="2"
    ).records
    assert [record.status for record in records] == ["invalid", "invalid"]
    assert all(
        "the method's model is not finite at report 1" in record.error.message for record in records
    )


@pytest.mark.parametrize(
    ("several", "said"),
    [
        (
            "return [self.solve(problems[0], runs[0])]",
            "solve_stacked got 2 problems and returned 1 solutions",
        ),
        ("pass", "solve_stacked returned None; a list of 2 solutions is wanted"),
        ("return {'a': 1}", "solve_stacked returned a dict; a list of 2"),
        (
            "return self.solve(problems[0], runs[0])",
            "solve_stacked returned a Solution; a list of 2",
        ),
        ("return [None] * len(problems)", "solve returned nothing (None)"),
        (
            "return [self.solve(problems[0], runs[0])] * 2",
            "solve_stacked returned one Solution for problems 1 and 2; return one of its own",
        ),
        (
            "net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))\n"
            "return [Solution(model=net), Solution(model=net)]",
            "solve_stacked returned one Sequential for problems 1 and 2; return one of its own",
        ),
    ],
)
def test_a_stack_gives_a_solution_for_each_problem(plant, several, said):
    record = plant(
        "noisy-labels", f"{CONSTANT}return Solution(model=logits)", stacked=True, several=several
    )
    assert record.status == "invalid"
    assert said in record.error.message


def test_a_stack_may_yield_its_solutions(plant):
    record = plant(
        "noisy-labels",
        f"{CONSTANT}return Solution(model=logits)",
        stacked=True,
        several="yield from (self.solve(*pair) for pair in zip(problems, runs))",
    )
    assert record.status == "ok"


def test_one_of_several_problems_is_named(plant):
    body = f"{CONSTANT}return Solution(model=logits, stored=-1 if run._axis == 2 else 0)"
    record = plant("unlearning-privacy", body)
    assert (
        "the method's solution of problem 3 of 4 is not valid: stored is -1" in record.error.message
    )


# Tasks -------------------------------------------------------------------------------------

TASK = """
from typing import ClassVar
import torch
from bench import Case, Metric, Preset, Reference, Score, Task, TaskCard, Watched
from bench.tracks.noisy_labels import Problem


class Mine(Task):
    card: ClassVar = TaskCard(
        name="mine", title="Mine", track="noisy-labels", metrics=(Metric(name="acc", primary=True, unit="%", bounds=(0, 100)),),
        presets={{"smoke": Preset(variants={{"plain": {{}}}}, seeds=1, timeout=60)}}, references=(Reference(name="ce", kind="low"),),
    )

    def prepare(self, run):
        x, y, n_classes = torch.randn(40, 3, generator=run.torch_generator("split", device="cpu")), torch.arange(40) % 2, 2
        {prepare}
        return Case(problems=[Problem(x=x, y=y, n_classes=n_classes, epochs=2)], hidden=(x, y))

    def watch(self, case, k, step, model):
        {watch}
        return Watched({{}})

    def evaluate(self, case, outcomes, run):
        x, y = case.hidden
        {evaluate}
        return Score(metrics={{"acc": 100 * float((outcomes[0].solution.model(x).argmax(-1) == y).double().mean())}})
"""


@pytest.fixture
def task(tmp_path, run_plan):
    def call(prepare="pass", watch="pass", evaluate="pass", methods=("ce",), more=""):
        (tmp_path / "mine.py").write_text(
            TASK.format(prepare=prepare, watch=watch, evaluate=evaluate)
        )
        (tmp_path / "more.py").write_text(more)
        paths = [str(tmp_path / "mine.py")] + ([str(tmp_path / "more.py")] if more else [])
        from bench.plugins.registry import Registry

        return run_plan(
            registry=Registry(paths), methods=methods, tasks=("mine",), preset="smoke", seeds="1"
        ).records[0]

    return call


def test_a_harmless_task_passes(task):
    assert task().status == "ok"
    assert task("y = y.to(torch.int32)").status == "ok"


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        ("x[17, 1] = float('nan')", "x holds nan at row 17 (place [17, 1])"),
        ("y[3] = -1", "y holds -1 at row 3"),
        ("y[3] = 2", "y holds 2 at row 3"),
        ("y = y == 0", "y is bool"),
        ("y = y.float()", "y is float32"),
        ("x, y = x[:0], y[:0]", "x has the shape (0, 3): there is nothing in it"),
        ("y = y[:-1]", "y has the shape (39,)"),
        ("n_classes = 0", "n_classes is 0"),
        ("return None", "the task's prepare returned None"),
        ("return Case(problems=[], hidden=None)", "has as problems a list of 0"),
        ("return Case(problems=[{'x': x}], hidden=None)", "it is a dict without 'x'"),
    ],
)
def test_a_task_s_problem_is_refused_before_anything_is_solved(task, prepare, said):
    record = task(prepare)
    assert record.status == "invalid"
    assert said in record.error.message
    assert record.cost == {}
    assert "the method" not in record.error.message.replace("no fault of the method", "")


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ({"watch": "return {'acc': 1.0}"}, "the task's watch returned a dict"),
        ({"watch": "return None"}, "the task's watch returned None"),
        ({"evaluate": "return {'acc': 1.0}"}, "the task's evaluate returned a dict"),
        ({"evaluate": "return None"}, "the task's evaluate returned None"),
        (
            {"evaluate": "return Score(metrics={'acc': 250.0})"},
            "acc = 250, and the card bounds it to from 0 to 100",
        ),
        (
            {"evaluate": "return Score(metrics={'acc': 'high'})"},
            "'high' for acc, which is no number",
        ),
    ],
)
def test_what_else_a_task_returns_is_checked(task, where, said):
    record = task(**where)
    assert record.status == "invalid"
    assert said in record.error.message


@pytest.mark.parametrize(
    "model",
    ["lambda x: net(x).argmax(-1)", "lambda x: net(x)[:, :1]", "lambda x: net(x) * float('nan')"],
)
def test_a_task_that_calls_models_itself_can_not_forget_the_check(task, model):
    more = (
        "import torch\nfrom typing import ClassVar\nfrom bench import Method, MethodCard\nfrom "
        "bench.tracks.noisy_labels import Solution\n\n\n"
        "class Own(Method):\n    card: ClassVar = MethodCard(name='own', title='Own', "
        "track='noisy-labels')\n\n"
        "    def solve(self, problem, run):\n        net = torch.nn.Linear(3, 2)\n        return "
        f"Solution(model={model})\n"
    )
    record = task(methods=("own",), more=more)
    assert record.status == "invalid"
    assert "the method's model" in record.error.message


def test_a_value_that_a_data_set_brings_is_said_to_be_its_own(run_plan, mock_folder, tmp_path):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(mock_folder, copy)
    data = copy / "datasets" / "blobs.py"
    text = data.read_text()
    spoilt = text.replace(
        "        return Blobs(", "        x[:, 1] = float('nan')\n        return Blobs("
    )
    assert spoilt != text
    data.write_text(spoilt)
    record = run_plan(
        paths=[str(copy)],
        methods=("rows",),
        tasks=("few-points",),
        preset="smoke",
        variants=("ipc1",),
        seeds="1",
    ).records[0]
    assert record.status == "invalid"
    assert "the task's problem is not valid" in record.error.message
    assert "The dataset 'mock-blobs' has it already: x holds nan at row 0" in record.error.message
