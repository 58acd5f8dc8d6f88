"""Nothing that a method is handed leads to what is hidden from it, in any
task; what would lead there is found.
"""

import functools
import types

import msgspec
import numpy as np
import pytest
import torch

from bench.conformance import check
from bench.conformance.reach import reached, spied
from bench.contracts import Case
from bench.errors import DataUnavailable
from bench.executors import Ended
from bench.executors.inline import InlineExecutor
from bench.plugins.registry import Registry
from bench.runs.artifacts import Artifacts
from bench.runs.context import Run
from bench.runs.driver import Driver
from bench.runs.plan import Request, make_plan
from bench.runs.seed_run import SeedRun, separate
from bench.runs.store import Store
from bench.runs.tools import Tools
from bench.runs.worker import Worker
from bench.runs.worker_tools import WorkerTools

REGISTRY = Registry()
TASKS = [entry.identity for entry in REGISTRY.rows("task")]


class Collecting:
    """An executor that runs nothing and keeps what it was to run."""

    enforces_limits = False

    def __init__(self):
        self.jobs = []

    def run(self, jobs, notice):
        for job in jobs:
            if job is not None:
                self.jobs.append(job)
                yield Ended(job=job, results=None, status="interrupted", message="", seconds=0.0)


def prepared(identity, folder):
    """Return a worker and the seeds of a task's first smoke variant, two
    seeds in a stack, as its first method would get them.
    """
    plan = make_plan(
        Request(tasks=(identity,), methods=("*",), preset="smoke", seeds="2", device="cpu"),
        REGISTRY,
    )
    cells = [cell for cell in plan.cells if cell.method is not None]
    if not cells:
        pytest.skip(plan.not_run[0].reason)
    plan.cells = [
        cell
        for cell in cells
        if (cell.spec.method, cell.spec.variant) == (cells[0].spec.method, cells[0].spec.variant)
    ]
    store, machines = Store(folder), Collecting()
    store.open_for_writing()
    driver = Driver(REGISTRY, store)
    list(driver.run(driver.split(plan)[1], machines, 1, lambda *_: None))
    job = msgspec.structs.replace(machines.jobs[0], specs=[cell.spec for cell in plan.cells])
    worker = Worker(job, lambda _: None)
    seed_runs = [SeedRun(spec, worker, folder / str(spec.seed), WorkerTools) for spec in job.specs]
    for seed_run in seed_runs:
        seed_run.prepare()
    separate(seed_runs)
    return worker, seed_runs


@pytest.mark.parametrize("identity", TASKS)
def test_the_hidden_part_of_every_task_is_out_of_reach(identity, tmp_path):
    try:
        worker, seed_runs = prepared(identity, tmp_path)
    except DataUnavailable as error:
        pytest.skip(str(error))
    try:
        handed = {
            "problems": [seed_run.case.problems for seed_run in seed_runs],
            "runs": [seed_run.runs for seed_run in seed_runs],
            "method": worker.method,
        }
        assert reached(handed, [seed_run.case.hidden for seed_run in seed_runs]) == []
        assert reached({"hidden": seed_runs[0].case.hidden}, [seed_runs[0].case.hidden]), (
            "the spy finds what is there"
        )
    finally:
        for seed_run in seed_runs:
            seed_run.close()


@pytest.mark.parametrize(
    ("task", "method"),
    [
        ("noisy-labels/noisy-digits", "elr"),
        ("condensation/condense-cl", "dm"),
        ("unlearning-privacy/unlearn-random", "ft"),
        ("graph-ood/spmotif", "erm"),
        ("policy-optimization/clock-arithmetic", "grpo"),
    ],
)
def test_whole_runs_with_stacks_several_problems_and_artifacts_lead_nowhere(task, method, run_plan):
    with spied() as found:
        records = run_plan(
            paths=[], methods=(method,), tasks=(task,), preset="smoke", seeds="2"
        ).records
    assert {record.status for record in records} == {"ok"}
    assert found == {}


@pytest.mark.parametrize(
    ("task", "reference"),
    [
        ("noisy-labels/noisy-digits", "clean-labels"),
        ("label-errors/errors-iris", "true-errors"),
        ("selection/prune-digits", "clean-rows"),
        pytest.param("condensation/condense-digits", "full-data", marks=pytest.mark.slow),
        pytest.param("unlearning-correction/unlearn-corrective", "oracle", marks=pytest.mark.slow),
        pytest.param("privacy-audit/privacy-audit", "truth", marks=pytest.mark.slow),
        pytest.param("graph-ood/spmotif", "group-oracle", marks=pytest.mark.slow),
        pytest.param("policy-optimization/clock-arithmetic", "supervised", marks=pytest.mark.slow),
    ],
)
def test_references_that_see_the_hidden_part_leave_nothing_of_it_where_methods_look(
    task, reference, run_plan
):
    with spied() as found:
        records = run_plan(
            paths=[], methods=(reference,), tasks=(task,), preset="smoke", seeds="2"
        ).records
    assert {record.status for record in records} == {"ok"}
    assert found == {}


RESUMED = """
from typing import ClassVar

import torch

from bench import Method, MethodCard
from bench.tracks.unlearning import Solution


class Resumed(Method):
    card: ClassVar = MethodCard(
        name="resumed", title="Stops once", track="unlearning-privacy", stacked=True
    )

    def solve(self, problem, run):
        return self.solve_stacked([problem], [run])[0]

    def solve_stacked(self, problems, runs):
        known = [run.restored() for run in runs]
        if None in known:
            for run in runs:
                run.checkpoint({"step": 1, "x": torch.ones(2)})
            raise KeyboardInterrupt
        assert len(known) == 8
        for run in runs:
            run.report(2, lambda x: torch.zeros(len(x), 10))
        net = [
            problem.architecture.of([problem.weights], run.device).member(0)
            for problem, run in zip(problems, runs)
        ]
        return [Solution(model=member) for member in net]
"""


def test_a_stack_of_several_problems_that_was_resumed_leads_nowhere(run_plan, tmp_path):
    plugin = tmp_path / "resumed.py"
    plugin.write_text(RESUMED)
    request = {
        "paths": [str(plugin)],
        "methods": ("resumed",),
        "tasks": ("unlearn-random",),
        "preset": "smoke",
        "seeds": "2",
    }
    with spied() as found:
        with pytest.raises(KeyboardInterrupt):
            run_plan(**request)
        records = run_plan(**request).records
    assert [(record.status, record.cost["stack"]) for record in records] == [("ok", 2)] * 2
    assert found == {}


def test_the_second_pass_that_counts_is_looked_at_too(tmp_path):
    store = Store(tmp_path)
    store.open_for_writing()
    driver = Driver(REGISTRY, store, flops=True)
    todo = driver.split(
        make_plan(
            Request(
                methods=("ce",), tasks=("noisy-digits",), preset="smoke", seeds="1", device="cpu"
            ),
            REGISTRY,
        )
    )[1]
    with spied() as found:
        ((_, record),) = driver.run(todo, InlineExecutor(), 1, lambda *_: None)
    assert (record.status, record.warnings, record.flops is None) == ("ok", [], False)
    assert found == {}


class Serving(Tools):
    def __init__(self, case):
        self.case = case


def test_a_resumed_run_and_the_runs_that_build_artifacts_lead_nowhere(tmp_path):
    case = Case(problems=[], hidden=[torch.arange(9.0)])
    build, handed = (lambda child: seen.append(child) or {"x": torch.ones(1)}), {}
    seen: list[Run] = []
    first, second = (
        Run(
            seed=0,
            task="t",
            method="m",
            device=torch.device("cpu"),
            workdir=tmp_path,
            artifacts=Artifacts(tmp_path),
            tools=Serving(case),
        )
        for _ in range(2)
    )
    first.checkpoint({"x": torch.ones(2)})
    first.cached({"what": "a test"}, build)
    handed = {
        "first": first,
        "second": second,
        "restored": second.restored(),
        "built of": seen,
        "step": second.progress(3, "steps"),
    }
    assert handed["restored"]
    assert seen
    assert reached(handed, [case.hidden]) == []


# Planted -----------------------------------------------------------------------------------


class Data(msgspec.Struct):
    x_test: torch.Tensor
    y_true: torch.Tensor


class Holder:
    def watch(self, case, step):
        return case, step


class Sealed:
    __slots__ = ("__kept",)

    def __init__(self, kept):
        self.__kept = kept


class Remembering(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, y):
        ctx.save_for_backward(y)
        return x * 2

    @staticmethod
    def backward(ctx, gradient):
        return gradient, None


def closing(hidden):
    return lambda: hidden


def hooked(hidden):
    net = torch.nn.Linear(2, 2)
    net.register_forward_hook(lambda *_: hidden.y_true)
    return net


def graded(hidden):
    return Remembering.apply(torch.ones(3, requires_grad=True), hidden.y_true)


def of_a_class(hidden):
    return type("Cached", (), {"known": hidden.x_test})()


def four_attributes(hidden):
    """A run as it was: ``run._tools._seed_run.case.hidden``."""
    run = Run(seed=0, task="t", method="m", device=torch.device("cpu"), workdir=None)
    run._tools = Tools()
    run._tools._seed_run = types.SimpleNamespace(case=Case(problems=[], hidden=hidden))
    return run


PLANTS = {
    "four attributes": four_attributes,
    "a closure": closing,
    "a view before the test rows": lambda hidden: hidden.x_test._base[:4],
    "an array of the same memory": lambda hidden: hidden.x_test.numpy()[:1],
    "a bound watch": lambda hidden: functools.partial(
        Holder().watch, Case(problems=[], hidden=hidden)
    ),
    "a method bound to the data": lambda hidden: hidden.x_test.sum,
    "a default value": lambda hidden: lambda kept=hidden.y_true: kept,
    "a slot of a private name": lambda hidden: Sealed([hidden.y_true]),
    "a property of a class": of_a_class,
    "a hook of a net": hooked,
    "the graph of a gradient": graded,
    "a key of a mapping": lambda hidden: {hidden.y_true: 1},
    "a set": lambda hidden: {hidden.x_test},
    "an array of objects": lambda hidden: np.array([None, hidden.y_true], dtype=object),
    "an iterator": lambda hidden: iter([hidden.y_true]),
    "a sparse tensor of the same values": lambda hidden: torch.sparse_coo_tensor(
        [[0, 1]], hidden.x_test[0], check_invariants=False
    ),
    "a namespace": lambda hidden: types.SimpleNamespace(
        inner=types.MappingProxyType({"x": hidden.x_test})
    ),
}


@pytest.fixture
def hidden():
    whole = torch.arange(12.0).view(6, 2)
    return Data(x_test=whole[4:], y_true=torch.arange(3))


@pytest.mark.parametrize("plant", PLANTS.values(), ids=PLANTS)
def test_a_planted_way_is_found(plant, hidden):
    assert len(reached({"problem": plant(hidden)}, [hidden])) >= 1


def test_what_only_looks_alike_is_not_found(hidden):
    apart = {
        "x": hidden.x_test.clone(),
        "y": hidden.y_true.clone(),
        "names": ("0", "1"),
        "shape": hidden.x_test.shape,
        "type": Data,
        "net": torch.nn.Linear(2, 2),
    }
    assert reached(apart, [hidden]) == []


def test_the_way_is_named_from_both_ends(hidden):
    assert reached({"problem": {"verify": closing(hidden)}}, [hidden]) == [
        "problem['verify'].__closure__[hidden] is hidden"
    ]


PEEKING = """
from typing import ClassVar

import torch

from bench import Case, Metric, Preset, Reference, Score, Task, TaskCard


class Peeking(Task):
    card: ClassVar = TaskCard(
        name="peeking",
        title="Two problems, and a reference that leaves something",
        track="planted",
        metrics=(Metric(name="err", direction="min", primary=True),),
        presets={{"smoke": Preset(variants={{"plain": {{}}}}, seeds=1)}},
        references=(Reference(name="peek", kind="high", title="Peeks", solve="peek"),),
    )

    def prepare(self, run):
        x = torch.from_numpy(run.numpy_generator("split").standard_normal(12))
        problems = [{{"x": x[k : k + 4].clone(), "notes": []}} for k in range(2)]
        return Case(problems=problems, hidden={{"y": x[8:]}})

    def peek(self, problem, hidden, run):
        {left}
        return hidden["y"].mean()

    def evaluate(self, case, outcomes, run):
        return Score(metrics={{"err": 0.0}})
"""


@pytest.mark.parametrize(
    ("left", "said"),
    [
        ("pass", []),
        ("run.log(1, mean=float(hidden['y'].mean()))", []),
        (
            "run.kept = hidden",
            ["runs[0][0].kept is hidden"],
        ),
        (
            "run.task = lambda: hidden['y']",
            ["runs[0][0].task.__closure__[hidden] is hidden"],
        ),
        (
            "problem['notes'].append(hidden['y'][:2])",
            [
                "problems[0][0]['notes'][0] shares memory with hidden['y']",
                "problems[0][1]['notes'][0] shares memory with hidden['y']",
            ],
        ),
    ],
    ids=["nothing", "a number", "an attribute of its run", "a closure", "a view in a problem"],
)
def test_what_a_reference_leaves_in_problems_and_runs_is_found(left, said, run_plan, tmp_path):
    plugin = tmp_path / "peeking.py"
    plugin.write_text(PEEKING.format(left=left))
    with spied() as found:
        run_plan(
            paths=[str(plugin)], methods=("peek",), tasks=("peeking",), preset="smoke", seeds="1"
        )
    assert list(found) == said


TASK = '''
from typing import ClassVar
import functools
import torch
from bench import Case, Metric, Preset, Reference, Score, Task, TaskCard, Method, MethodCard

class Mean(Method):
    """Says nothing."""
    card: ClassVar = MethodCard(name="nothing", title="Nothing", track="planted")

    def solve(self, problem, run):
        return 0.0

class Planted(Task):
    """Says the level of what is hidden."""
    card: ClassVar = TaskCard(
        name="planted", title="Say a level", track="planted", metrics=(Metric(name="err", direction="min", primary=True),),
        presets={{"smoke": Preset(variants={{"plain": {{}}}}, seeds=1)}}, references=(Reference(name="nothing", kind="low"),),
    )

    def prepare(self, run):
        x = torch.from_numpy(run.numpy_generator("split").standard_normal(8))
        case = Case(problems=[], hidden=[x[4:]])
        case.problems = [{{"x": x[:4].clone(), "way": {way}}}]
        return case

    def evaluate(self, case, outcomes, run):
        return Score(metrics={{"err": float(abs(outcomes[0].solution - case.hidden[0].mean()))}})

    def watch(self, case, k, step, model):
        raise NotImplementedError
'''


@pytest.mark.parametrize(
    ("way", "broken"),
    [
        ("None", set()),
        ("x[:4]", set()),
        ("lambda: x[4:]", {"hidden"}),
        ("functools.partial(self.watch, case)", {"hidden"}),
        ("run", {"hidden"}),
    ],
    ids=[
        "none",
        "a view, which is given memory of its own",
        "a closure",
        "a bound watch",
        "the task's run",
    ],
)
def test_the_task_of_a_plugin_is_spied_on(way, broken, tmp_path):
    path = tmp_path / "planted.py"
    path.write_text(TASK.format(way=way))
    (report,) = check("planted/planted", plugins=[str(path)], device="cpu")
    assert {finding.rule for finding in report.failed()} == broken
