"""The conformance suite: each planted defect is caught by the rule that it
breaks, and what has none passes.
"""

from __future__ import annotations

import re
import time
import types
from pathlib import Path

import numpy as np
import pytest
import torch

from bench import Case
from bench.conformance import RULES, check, entries
from bench.conformance.observe import noted_of
from bench.conformance.trials import Trials
from bench.conformance.verdicts import test_set as judged_set
from bench.errors import NothingSelected, UsageError
from bench.params import resolve
from bench.plugins.registry import Registry
from bench.plugins.source import import_target
from bench.runs.context import Setup

MOCK = str(Path(__file__).parents[1] / "mock")

FILE = """
import os, socket, types
from typing import Annotated, ClassVar
import torch
from bench import Meta, Method, MethodCard

STATE = {{}}

class Planted(Method):
    {doc}
    card: ClassVar = MethodCard(name="planted", title="A method with a defect", track="{track}"{card})
    {fields}

    def solve(self, problem, run):
        {body}

    def solve_stacked(self, problems, runs):
        {stacked}
"""
FIT = "return types.SimpleNamespace(slope={slope}, offset=float(problem.y.mean()), width=None)"
DEFECTS = {
    "no docstring": ("card", {"doc": ""}),
    "a default that it refuses itself": (
        "parameters",
        {
            "fields": (
                "lam: float = 1.0\n    def __post_init__(self):\n        raise ValueError('never')"
            )
        },
    ),
    "an error on one seed": (
        "solves",
        {"body": f"assert run.seed == 0\n        {FIT.format(slope=0.0)}"},
    ),
    "a figure that is no number": ("solution", {"body": FIT.format(slope="float('nan')")}),
    "more than the budget": (
        "budget",
        {
            "track": "mock-condensation",
            "body": "return types.SimpleNamespace(x=problem.x, y=problem.y)",
        },
    ),
    "class numbers in place of logits": (
        "solution",
        {
            "track": "noisy-labels",
            "body": (
                "from bench.tracks.noisy_labels import Solution\n        return "
                "Solution(model=lambda x: x.flatten(1).argmax(-1))"
            ),
        },
    ),
    "a part of the logits": (
        "solution",
        {
            "track": "noisy-labels",
            "body": (
                "from bench.tracks.noisy_labels import Solution\n        return "
                "Solution(model=lambda x: x.flatten(1)[:, :3])"
            ),
        },
    ),
    "nothing returned": ("solution", {"body": "pass"}),
    "a problem changed in place": (
        "inputs",
        {"body": f"problem.y.zero_()\n        {FIT.format(slope=0.0)}"},
    ),
    "a global seed": (
        "global-state",
        {"body": f"torch.manual_seed(0)\n        {FIT.format(slope=0.0)}"},
    ),
    "a setting of the process": (
        "global-state",
        {"body": f"torch.set_default_dtype(torch.float64)\n        {FIT.format(slope=0.0)}"},
    ),
    "code of torch replaced": (
        "global-state",
        {"body": f"torch.randperm = lambda *a, **k: None\n        {FIT.format(slope=0.0)}"},
    ),
    "randomness of the operating system": (
        "same-seed",
        {"body": FIT.format(slope="os.urandom(1)[0] / 255")},
    ),
    "what ran before in the process": (
        "same-seed",
        {
            "body": (
                "STATE['n'] = STATE.get('n', 0) + 1\n        "
                f"{FIT.format(slope='float(STATE[chr(110)])')}"
            )
        },
    ),
    "the number of the process": (
        "fresh-process",
        {"body": FIT.format(slope="float(os.getpid())")},
    ),
    "a stack that looks at its neighbours": (
        "stack",
        {
            "card": ", stacked=True",
            "stacked": (
                "mean = sum(float(p.y.sum()) for p in problems)\n        return "
                "[types.SimpleNamespace(slope=0.0, offset=mean, width=None) for _ in problems]"
            ),
        },
    ),
    "a stack that divides by its size": (
        "stack",
        {
            "card": ", stacked=True",
            "stacked": (
                "return [types.SimpleNamespace(slope=0.0, offset=1 / len(problems), width=None) "
                "for _ in problems]"
            ),
        },
    ),
    "visits that are not counted": (
        "counts",
        {
            "body": (
                "torch.nn.Linear(1, 1).double()(problem.x.double().view(-1, 1))\n        "
                f"{FIT.format(slope=0.0)}"
            )
        },
    ),
    "a file outside its folder": (
        "files",
        {"body": f"open({{outside!r}}, 'w').close()\n        {FIT.format(slope=0.0)}"},
    ),
    "a download": (
        "network",
        {
            "body": (
                "s = socket.socket()\n        s.settimeout(0.1)\n        "
                "s.connect_ex(('127.0.0.1', 9))\n        s.close()\n        "
                f"{FIT.format(slope=0.0)}"
            )
        },
    ),
}


def planted(folder: Path, **parts: str) -> str:
    """Write a plugin of one method and return its path."""
    fields = {
        "doc": '"""It has a defect."""',
        "track": "mock-regression",
        "card": "",
        "fields": "",
        "body": FIT.format(slope=0.0),
    }
    fields |= {"stacked": "return [self.solve(p, r) for p, r in zip(problems, runs)]", **parts}
    path = folder / "planted.py"
    path.write_text(
        FILE.format(
            **{
                name: text.replace("{outside!r}", repr(str(folder / "outside.txt")))
                for name, text in fields.items()
            }
        )
    )
    return str(path)


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_planted_defect_is_caught_by_its_rule(defect, tmp_path):
    rule, parts = DEFECTS[defect]
    (report,) = check(
        planted(tmp_path, **parts), plugins=[MOCK], device="cpu", quick=rule != "fresh-process"
    )
    follows = {"parameters": {"solves"}}.get(rule, set())  # what can't be made can't solve
    assert {finding.rule for finding in report.failed()} - follows == {rule}
    assert all(finding.said for finding in report.failed())


def test_a_method_without_a_defect_passes_whole(tmp_path):
    (report,) = check(planted(tmp_path), plugins=[MOCK], device="cpu")
    assert report.failed() == []
    assert {finding.rule for finding in report.findings} >= {
        "card",
        "parameters",
        "solves",
        "solution",
        "budget",
        "inputs",
        "same-seed",
        "fresh-process",
        "files",
    }


def test_an_example_that_goes_through_two_modules_in_turn_is_one_visit(tmp_path):
    body = (
        "code = torch.nn.Linear(1, 3)(problem.x.float().view(-1, 1))\n        "
        "torch.nn.Linear(3, 1)(code)\n        run.count(forward=len(code))\n        "
        f"{FIT.format(slope=0.0)}"
    )
    (report,) = check(planted(tmp_path, body=body), plugins=[MOCK], device="cpu", quick=True)
    assert report.failed() == []
    assert [finding.outcome for finding in report.findings if finding.rule == "counts"] == [
        "passed"
    ]


SCALAR = '''
from typing import ClassVar
from bench import MethodCard
from bench.tracks.noisy_labels import NoisyLabelMethod, cross_entropy

class Scalar(NoisyLabelMethod):
    """Cross entropy, its mean taken over the nets of a stack too."""
    card: ClassVar = MethodCard(name="scalar", title="Mean over all nets", track="noisy-labels", stacked=True)

    def loss(self, state, batch, logits):
        return cross_entropy(logits, batch.y).mean()
'''


def test_a_loss_that_is_one_number_for_all_nets_is_caught(tmp_path):
    path = tmp_path / "scalar.py"
    path.write_text(SCALAR)
    (report,) = check(str(path), device="cpu", quick=True)
    assert {finding.rule for finding in report.failed()} == {"stack"}
    assert "a mean over everything is one number for K nets" in report.failed()[0].said


def test_a_function_that_is_nearly_one_of_the_base_class_is_caught(tmp_path):
    path = tmp_path / "scalar.py"
    path.write_text(SCALAR.replace("def loss", "def los"))
    (report,) = check(str(path), device="cpu", quick=True)
    assert [finding.said for finding in report.failed()] == [
        "nothing calls los(), and its base class has loss(); rename it to loss if it is meant to "
        "override that, or call it"
    ]


def test_a_function_that_the_file_calls_itself_is_no_slip_of_another(tmp_path):
    name = "def value(self):\n        return 0.0"
    body = FIT.format(slope="self.value()")
    (report,) = check(
        planted(tmp_path, fields=name, body=body), plugins=[MOCK], device="cpu", quick=True
    )
    assert report.failed() == []


TASK = '''
from typing import ClassVar
import torch
from bench import Case, Dataset, DatasetCard, Metric, Preset, Reference, Score, Task, TaskCard

class Level(Task):
    """Say the level of the data."""
    card: ClassVar = TaskCard(
        name="level", title="Say a level", track="levels", metrics=(Metric(name="err", direction="min", primary=True),),
        presets={{"smoke": Preset(variants={{"plain": {{}}}}, seeds=1)}},
        references=(Reference(name="zero", kind="low", solve="zero"), Reference(name="truth", kind="high", solve="truth")),
    )

    def prepare(self, run):
        level = {level}
        return Case(problems=[level + 1.0], hidden=level)

    def evaluate(self, case, outcomes, run):
        return Score(metrics={{"err": float(abs(outcomes[0].solution - case.hidden))}})

    def zero(self, problem, hidden, run):
        return {low}

    def truth(self, problem, hidden, run):
        return {high}

class Numbers(Dataset):
    """Numbers."""
    card: ClassVar = DatasetCard(name="numbers", title="Numbers", source="here", size="3", had="generated", fingerprint="{pinned}")

    def load(self, run):
        return {{"x": torch.arange(3.0)}}
'''


def tasks(
    folder: Path,
    level="float(run.numpy_generator('split').uniform(1, 2))",
    low="0.0",
    high="hidden + 0.1",
    pinned="",
) -> dict[str, set[str]]:
    """Write a plugin of a task and a dataset, check it, and return the rules that each breaks."""
    path = folder / "levels.py"
    path.write_text(TASK.format(level=level, low=low, high=high, pinned=pinned))
    return {
        report.kind: {finding.rule for finding in report.failed()}
        for report in check(str(path), device="cpu")
    }


@pytest.mark.parametrize(
    ("parts", "broken"),
    [
        ({}, {"task": set(), "dataset": set()}),
        ({"level": "2.0", "high": "hidden"}, {"task": {"other-seed"}, "dataset": set()}),
        (
            {"level": "float(torch.tensor(float(__import__('time').perf_counter())))"},
            {"task": {"same-seed"}, "dataset": set()},
        ),
        ({"level": "torch.full((2,), float('nan'))"}, {"task": {"problem"}, "dataset": set()}),
        ({"level": "1e101"}, {"task": {"solution"}, "dataset": set()}),
        ({"high": "hidden + 9.0"}, {"task": {"references"}, "dataset": set()}),
        ({"low": "1 / 0"}, {"task": {"references"}, "dataset": set()}),
        ({"pinned": "0" * 64}, {"task": set(), "dataset": {"loads"}}),
    ],
    ids=[
        "none",
        "data that no seed changes",
        "data that a clock changes",
        "data that is not finite",
        "figures beyond all bounds",
        "references in the wrong order",
        "a reference that fails",
        "another fingerprint",
    ],
)
def test_what_is_wrong_with_a_task_or_a_data_set_is_found(parts, broken, tmp_path):
    assert tasks(tmp_path, **parts) == broken


def test_a_reference_whose_way_is_no_method_of_the_task_is_found(tmp_path):
    from bench.conformance.cards import static_findings

    path = tmp_path / "mine.py"
    path.write_text(
        "from typing import ClassVar\n"
        "from bench import Metric, Preset, Reference, Task, TaskCard\n\n"
        "class Mine(Task):\n"
        '    """A task."""\n'
        "    card: ClassVar = TaskCard(name='mine', title='Mine', track='my-track',\n"
        "        metrics=(Metric(name='acc', primary=True),),\n"
        "        presets={'smoke': Preset(variants={'plain': {}})},\n"
        "        references=(Reference(name='zz', kind='low', solve='nope'),))\n"
    )
    finding = static_findings(Registry(paths=[str(path)]).one("task", "mine"))[0]
    assert finding.outcome == "failed"
    assert "solve='nope', which is no method of Mine" in finding.said


def test_a_card_that_keeps_from_a_board_what_it_needs_passes_with_a_note():
    from bench.conformance.cards import static_findings
    from bench.plugins.registry import Registry

    registry = Registry(paths=[str(MOCK)])
    notes = {
        entry.name: static_findings(entry)[0]
        for kind in ("task", "method")
        for entry in registry.rows(kind)
        if entry.name in ("line", "elr", "noisy-digits")
    }
    assert all(note.outcome == "passed" for note in notes.values())
    assert "declares no bounds" in notes["line"].said
    assert notes["elr"].said == notes["noisy-digits"].said == ""


ANSWERS = {
    "numbers": ("float(run.numpy_generator('split').uniform())", True),
    "a net": ("torch.nn.Linear(2, 2)", True),
    "a function over a net": ("(lambda net: lambda x: net(x))(torch.nn.Linear(2, 2))", True),
    "a bound method": ("torch.nn.Linear(2, 2).forward", True),
    "a partial function": ("__import__('functools').partial(torch.add, torch.rand(3))", True),
    "constant numbers": ("2.0", False),
    "a function that knows nothing": ("lambda x: x", False),
    "a net that is fixed": (
        "torch.nn.Linear(2, 2).requires_grad_(False).apply(lambda part: [p.zero_() for p in "
        "part.parameters()])",
        False,
    ),
}


@pytest.mark.parametrize(("answer", "passes"), ANSWERS.values(), ids=ANSWERS.keys())
def test_two_seeds_of_equal_metrics_pass_where_the_answers_differ_and_fail_where_they_do_not(
    answer, passes, tmp_path
):
    """A net at chance under a metric of few values: whether two seeds
    agree by luck depends on the machine, their weights do not.
    """
    path = tmp_path / "levels.py"
    coarse = TASK.format(level="2.0", low=answer, high="hidden", pinned="").replace(
        "float(abs(outcomes[0].solution - case.hidden))", "0.5"
    )
    path.write_text(coarse)
    broken = {
        finding.rule for report in check(str(path), device="cpu") for finding in report.failed()
    }
    assert broken == (set() if passes else {"other-seed"})


def test_a_glob_names_what_it_matches_of_every_kind():
    found = [(entry.kind, entry.identity) for entry in entries(Registry(), "*igits")]
    assert {("task", "noisy-labels/noisy-digits"), ("dataset", "digits")} <= set(found)
    assert {entry.kind for entry in entries(Registry(), "selection/*")} == {"method", "task"}
    with pytest.raises(UsageError, match="unknown method 'nothing"):
        entries(Registry(), "nothing*")


BUILTIN = Registry()
METHODS = {
    track: [entry.identity for entry in BUILTIN.rows("method") if entry.track == track]
    for track in BUILTIN.tracks()
}
SIZES = {"policy-optimization": 2}
"""Methods of one test, where not six: with the extra 'llm' and its small model these take a minute
each, and workers share them evenly.
"""


def parts(methods, size):
    return [methods[first : first + size] for first in range(0, len(methods), size)]


PARTS = [
    part
    for track in sorted(METHODS, key=lambda track: SIZES.get(track, 6))
    for part in parts(METHODS[track], SIZES.get(track, 6))
]
CHEAPEST = {
    "condensation": "condense-transfer",
    "graph-ood": "motif-basis",
    "label-errors": "errors-clusters",
    "unlearning-privacy": "unlearn-random",
}
"""The task of a track that the quick form runs on, where it is not the first one."""


def failures(names, quick, folder):
    registry = Registry()
    entries = [registry.get("method", name) for name in names]
    lab = Trials(
        registry,
        folder,
        "cpu",
        quick,
        tasks=[registry.get("task", f"{track}/{task}") for track, task in CHEAPEST.items()]
        if quick
        else [],
    )
    reports = lab.reports(entries)
    assert len(reports) == len(names) > 0
    return [(report.name, report.failed()) for report in reports if not report.ok]


SAMPLE = {"input-attribution", "noisy-labels", "open-ended", "privacy-audit", "regression"}
QUICK = [
    methods[:1] if track in SAMPLE else pytest.param(methods[:1], marks=pytest.mark.slow)
    for track, methods in METHODS.items()
]
"""One method of some quick tracks; ``make test-methods`` takes all others."""
QUICK += [
    pytest.param(part, marks=pytest.mark.slow)
    for methods in METHODS.values()
    if len(methods) > 1
    for part in parts(methods[1:], 9)
]


@pytest.mark.parametrize("names", QUICK, ids=lambda names: f"{names[0]}-and-{len(names) - 1}-more")
def test_every_method_that_is_built_in_passes_the_quick_form(names, tmp_path):
    assert failures(names, True, tmp_path) == []


@pytest.mark.slow
def test_the_quick_form_takes_a_second_a_method(tmp_path):
    """Processor time of this process, models that methods share and their libraries included."""
    start = time.process_time()
    for track, methods in METHODS.items():
        (tmp_path / track).mkdir()
        failures(methods, True, tmp_path / track)
    took = (time.process_time() - start) / sum(map(len, METHODS.values()))
    print(f"{took:.2f} s a method")
    assert took <= 1.0


def test_a_method_is_checked_on_the_tasks_that_are_named_alone(tmp_path):
    (report,) = check("ce", tasks=["noisy-longtail"], device="cpu", quick=True)
    assert report.failed() == []
    assert {finding.subject for finding in report.findings if finding.rule == "same-seed"} == {
        "noisy-longtail lt20 ce seed 0"
    }
    (report,) = check("elr", tasks=["errors-*ine"], device="cpu", quick=True)
    assert report.name == "label-errors/elr"  # of its two tracks the one of the task
    with pytest.raises(UsageError, match="ce has no track in common with prune-digits"):
        check("ce", tasks=["prune-digits"], device="cpu", quick=True)
    with pytest.raises(UsageError, match="unknown task 'noisy-longtial'"):
        check("ce", tasks=["noisy-longtial"], device="cpu", quick=True)


@pytest.mark.slow
@pytest.mark.parametrize("names", PARTS, ids=lambda names: f"{names[0]}-and-{len(names) - 1}-more")
def test_every_method_that_is_built_in_passes(names, tmp_path):
    assert failures(names, False, tmp_path) == []


def test_a_data_set_that_is_built_in_passes():
    assert [report.failed() for report in check("digits")] == [[]]


def test_a_report_has_a_line_a_rule_and_says_what_failed_without_markup(tmp_path):
    path = planted(tmp_path, body="raise ValueError('<b>\\n| no')")
    (report,) = check(path, plugins=[MOCK], device="cpu", quick=True)
    text = report.markdown()
    row = (
        r"\| solves +\| every smoke preset of its tracks is solved +\| \*\*failed\*\* \(2 of 2\) \|"
    )
    assert re.search(row, text)
    assert "<b>" not in text
    assert set(RULES) >= {finding.rule for finding in report.findings}


def test_a_folder_that_is_only_called_like_a_method_does_not_hide_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("constant", "src").mkdir(parents=True)
    Path("nothing").mkdir()
    (report,) = check("constant", plugins=[MOCK], device="cpu", quick=True)
    assert report.name == "mock-regression/constant"
    with pytest.raises(NothingSelected, match="nothing holds neither rooms"):
        check("nothing", plugins=[MOCK])


def test_what_is_not_there_is_said_in_a_sentence(tmp_path):
    with pytest.raises(UsageError, match="unknown method 'elrr'"):
        check("elrr")
    (tmp_path / "empty.py").write_text("x = 1\n")
    with pytest.raises(NothingSelected, match="registers no method"):
        check(str(tmp_path / "empty.py"))


TESTED = '''
from typing import ClassVar
import torch
from bench import Case, Metric, Preset, Reference, Score, Task, TaskCard

class Sides(Task):
    """Say on which side rows lie."""
    card: ClassVar = TaskCard(
        name="sides", title="Say on which side", track="sides", metrics=(Metric(name="acc", primary=True, bounds=(0, 1)),), test_set="{said}",
        presets={{"smoke": Preset(variants={{"plain": {{}}}}, seeds=1)}},
        references=(Reference(name="guess", kind="low", solve="guess"), Reference(name="truth", kind="high", solve="truth")),
    )

    def prepare(self, run):
        train, test = (torch.randn(40, 2, generator=run.torch_generator("split", name)) for name in ("train", "test"))
        test = {test}
        return Case(problems=[train], hidden={{"x": test, "ones": torch.ones(40, 2), "y": test.sum(1) > 0}})

    def evaluate(self, case, outcomes, run):
        return Score(metrics={{"acc": float((outcomes[0].solution == case.hidden["y"]).double().mean())}})

    def guess(self, problem, hidden, run):
        return problem.sum(1) > 0

    def truth(self, problem, hidden, run):
        return hidden["y"]
'''


@pytest.mark.parametrize(
    ("said", "test", "broken"),
    [
        ("drawn", "test", set()),
        ("drawn", "torch.linspace(-1, 1, 80).view(40, 2)", {"test-set"}),
        ("fixed", "torch.linspace(-1, 1, 80).view(40, 2)", set()),
        ("official", "test", {"test-set"}),
    ],
)
def test_a_card_that_is_wrong_about_its_test_set_is_found(said, test, broken, tmp_path):
    path = tmp_path / "sides.py"
    path.write_text(TESTED.format(said=said, test=test))
    assert {
        finding.rule for report in check(str(path), device="cpu") for finding in report.failed()
    } == broken


SPLIT = '''
from typing import ClassVar
import torch
from bench import Case, Metric, Preset, Reference, Score, Task, TaskCard

class Table(Task):
    """Fill in the rest of a table that is the same for every seed."""
    card: ClassVar = TaskCard(
        name="table", title="Fill in a table", track="table", metrics=(Metric(name="acc", primary=True, bounds=(0, 1)),),
        presets={{"smoke": Preset(variants={{"plain": {{}}}}, seeds=1)}},
        references=(Reference(name="guess", kind="low", solve="guess"), Reference(name="truth", kind="high", solve="truth")),
    )

    def prepare(self, run):
        y, order = torch.arange(40) % 5, torch.randperm(40, generator=run.torch_generator("split"))
        {drawn}
        return Case(problems=[y[shown]], hidden={{"table": {table}, "y": y, "shown": shown, **more}})

    def evaluate(self, case, outcomes, run):
        return Score(metrics={{"acc": float((outcomes[0].solution == case.hidden["y"]).double().mean())}})

    def guess(self, problem, hidden, run):
        return torch.randint(5, (40,), generator=run.torch_generator("method"))

    def truth(self, problem, hidden, run):
        return hidden["y"]
'''
ROWS, EDGES = torch.arange(80.0).view(40, 2), torch.stack([torch.arange(39), torch.arange(1, 40)])
DRAWN, SAME = "shown, more = order < 20, {}", "shown, more = torch.arange(40) < 20, {}"


@pytest.mark.parametrize(("drawn", "broken"), [(DRAWN, set()), (SAME, {"test-set"})])
def test_a_table_of_all_seeds_is_no_test_set_where_the_seed_draws_what_of_it_is_hidden(
    drawn, broken, tmp_path
):
    path = tmp_path / "table.py"
    path.write_text(SPLIT.format(table="torch.arange(80.0).view(40, 2)", drawn=drawn))
    assert {
        finding.rule for report in check(str(path), device="cpu") for finding in report.failed()
    } == broken


def says_drawn(*cases):
    """Say whether two seeds' cases pass for drawn ones."""
    cells = [
        types.SimpleNamespace(
            spec=types.SimpleNamespace(cell=str(seed), group="group", label=lambda: "a row")
        )
        for seed in range(2)
    ]
    card = types.SimpleNamespace(test_set="drawn")
    seen = {str(seed): noted_of(case) for seed, case in enumerate(cases)}
    (finding,) = judged_set(card, cells, seen)
    return finding.outcome == "passed"


def table_case(seed, table, shown=None, told=None, **more):
    """A table of 40 rows of which some are shown; the mask is hidden, or told in the problem."""
    order = torch.from_numpy(np.random.default_rng(seed).permutation(40))
    made = {name: make(order) for name, make in more.items()}
    hidden = {"table": table, "y": torch.arange(40) % 5, **made}
    if shown is not None:
        hidden["shown"] = shown(order)
    problem = {"train": told(order)} if told is not None else {}
    return Case(problems=[problem], hidden=hidden)


def anew(order):
    return order < 20


def always(order):
    return torch.arange(40) < 20


@pytest.mark.parametrize(
    ("table", "fields", "drawn"),
    [
        (ROWS, {"shown": anew}, True),
        (ROWS, {"told": anew}, True),
        (EDGES, {"shown": anew}, True),
        # of a graph labels may be drawn in place of rows
        (EDGES, {"labels": lambda order: order % 3}, True),
        # the hidden rows of the table are the same for every seed
        (ROWS, {}, False),
        (ROWS, {"shown": always}, False),
        (ROWS, {"told": always}, False),
        (EDGES, {"shown": always}, False),
        # and so they are where something else of the rows, or of others, is drawn
        (ROWS, {"shown": always, "wrong": lambda order: order < 9}, False),
        (ROWS, {"wrong": lambda order: order[:20] < 9}, False),
        (ROWS, {"labels": lambda order: order % 3}, False),
        (EDGES, {"wrong": lambda order: order[:20] < 9}, False),
    ],
)
def test_what_says_which_rows_are_hidden_has_to_differ_between_seeds(table, fields, drawn):
    assert says_drawn(*(table_case(seed, table, **fields) for seed in (0, 1))) == drawn


@pytest.mark.parametrize(
    "task", ["algorithmic/modular", "algorithmic/modular-noisy", "node-graphs/minesweeper"]
)
def test_tasks_whose_table_or_grid_is_the_same_for_every_seed_draw_what_is_hidden(task, tmp_path):
    (entry,) = [row for row in Registry().rows("task") if row.identity == task]
    made = import_target(entry.target).make(resolve(entry.name, entry.params, {}))
    cases = [
        made.prepare(
            Setup(
                seed=seed,
                task=task,
                method="t/m",
                device=torch.device("cpu"),
                workdir=tmp_path,
            )
        )
        for seed in (0, 1)
    ]
    assert says_drawn(*cases)
    assert not says_drawn(cases[0], cases[0])
