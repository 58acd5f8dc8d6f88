"""What a task hands out: refused, with the place, before anything is
solved; and the task is to blame.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made import MADE, C, N, _graphs, _unlearning, drawn, labels, replaced, wrong_tensors
from msgspec import Meta

from bench.checks import Scope, check_problem
from bench.checks.cases import Checks
from bench.checks.fields import fields_of
from bench.contracts import Case, Task
from bench.declared import Array, Size
from bench.errors import InvalidRun
from bench.tracks import continual, data_valuation
from bench.training.graphs import Graphs
from bench.training.stream import Stream

BLAME = "the task's problem is not valid, which is no fault of the method: "
TENSORS = [
    (track, field) for track in MADE for field in fields_of(type(MADE[track]()[0])) if field.arrays
]


@pytest.mark.parametrize("track", MADE)
def test_a_good_problem_is_handed_on_as_it_is(track):
    problem, _ = MADE[track]()
    assert check_problem(problem)[0] is problem


@pytest.mark.parametrize(
    ("track", "field"), TENSORS, ids=[f"{track}-{field.name}" for track, field in TENSORS]
)
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_a_wrong_tensor_in_any_field_is_refused_and_the_task_blamed(track, field, data):
    problem, _ = MADE[track]()
    good = getattr(problem, field.name)
    array = next(
        (
            array
            for array in field.arrays
            if array.dtype.startswith("float")
            == (isinstance(good, torch.Tensor) and good.is_floating_point())
        ),
        field.arrays[0],
    )
    _, scope = check_problem(problem)
    key = data.draw(st.sampled_from(sorted(good))) if isinstance(good, dict) else None
    _, wrong = data.draw(
        wrong_tensors(good if key is None else good[key], array, Scope(problem, parent=scope))
    )
    with pytest.raises(InvalidRun) as raised:
        check_problem(
            replaced(problem, **{field.name: wrong if key is None else {**good, key: wrong}})
        )
    assert str(raised.value).startswith(BLAME)


def changed(tensor, place, value):
    found = tensor.clone()
    found[place] = value
    return found


@pytest.mark.parametrize(
    "track", ["noisy-labels", "selection", "unlearning-privacy", "privacy-audit"]
)
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda p: {"x": changed(p.x, (4, 1), float("nan"))},
                r"x holds nan at row 4 \(place \[4, 1\]\), and must be float32 of shape \(N=7, "
                r"\.\.\.\), finite"),
        (lambda p: {"x": changed(p.x, (0, 0), float("-inf"))}, "x holds -inf at row 0"),
        (lambda p: {"y": changed(p.y, 2, -1)}, "y holds -1 at row 2, and must be whole numbers"),
        (lambda p: {"y": changed(p.y, 2, C)}, f"y holds {C} at row 2"),
        (lambda p: {"y": p.y == 0}, "y is bool; a yes or no is no number of a class"),
        (lambda p: {"y": p.y.numpy()}, "y is a ndarray; torch.from_numpy makes a tensor of it"),
        (lambda p: {"y": p.y.tolist()}, "y is a list of 7"),
        (lambda p: {"y": p.y[:-1]}, r"y has the shape \(6,\)"),
        (lambda p: {"y": p.y[:, None]}, r"y has the shape \(7, 1\)"),
        (lambda p: {"x": p.x[:0], "y": p.y[:0]}, r"(x|y|forget) has the shape \(0"),
        (lambda p: {"x": p.x.long()}, "x is int64"),
        (lambda p: {"n_classes": -1}, "n_classes is -1, and must be a whole number of at least"),
        (lambda p: {"n_classes": 2.5}, "n_classes is 2.5"),
        (lambda p: {"n_classes": True}, "n_classes is True"),
        (lambda p: {"x": None}, "x is None"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_field_and_row(track, change, said):
    problem, _ = MADE[track]()
    with pytest.raises(InvalidRun, match=said):
        check_problem(replaced(problem, **change(problem)))


@pytest.mark.parametrize("track", ["noisy-labels", "selection", "condensation", "privacy-audit"])
def test_no_class_at_all_and_labels_that_are_floats_are_refused(track):
    problem, _ = MADE[track]()
    with pytest.raises(InvalidRun, match="n_classes is 0"):
        check_problem(replaced(problem, n_classes=0))
    with pytest.raises(InvalidRun, match=r"y is float32; a number of a class or row is no float"):
        check_problem(replaced(problem, y=problem.y.float()))


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.int16, torch.int32])
@pytest.mark.parametrize(
    "track",
    [
        "noisy-labels",
        "selection",
        "condensation",
        "unlearning-privacy",
        "privacy-audit",
        "graph-ood",
    ],
)
def test_labels_of_other_integer_types_are_converted(track, dtype):
    problem, _ = MADE[track]()
    found, _ = check_problem(replaced(problem, y=problem.y.to(dtype)))
    assert found.y.dtype == torch.int64
    assert torch.equal(found.y, problem.y)
    assert found.x is problem.x if hasattr(problem, "x") else True


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("epochs", 0, "epochs is 0, and must be a whole number and at least 1"),
        ("batch_size", -1, "batch_size is -1"),
        ("lr", 0.0, "lr is 0.0, and must be a number and above 0"),
        ("lr", float("nan"), "lr is nan"),
        ("momentum", 1.0, "momentum is 1.0"),
        ("precision", "float8", "precision is 'float8', and must be one of 'float32', 'bfloat16'"),
        ("noise_rate", 40, "noise_rate is 40"),
        ("flip", 2, "flip is 2, and must be true or false"),
        ("schedule", "cosine", "schedule is a str, and must be a Schedule"),
    ],
)
def test_a_protocol_that_is_none_is_refused(name, value, said):
    problem, _ = MADE["noisy-labels"]()
    with pytest.raises(InvalidRun, match=said):
        check_problem(replaced(problem, **{name: value}))


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (
            lambda: replaced(_unlearning()[0], forget=torch.zeros(N, dtype=torch.bool)),
            "forget names 0 of the 7 rows",
        ),
        (
            lambda: replaced(_unlearning()[0], forget=torch.ones(N, dtype=torch.bool)),
            "forget names 7 of the 7 rows",
        ),
        (
            lambda: replaced(_unlearning()[0], y=drawn(N)),
            "y is float32; a number of a class or row is no float",
        ),
        (
            lambda: replaced(_unlearning(0)[0], y=labels() * 0),
            "y holds whole numbers, and n_classes is 0: 0 says a regression",
        ),
        (lambda: replaced(_unlearning()[0], x_val=drawn(4, 3)), r"x_val has rows of shape \(3,\)"),
        (lambda: replaced(MADE["selection"]()[0], fractions=()), r"fractions is \(\)"),
        (lambda: replaced(MADE["selection"]()[0], fractions=(0.01,)), "at least one row"),
        (
            lambda: replaced(
                MADE["policy-optimization"]()[0], prompt_mask=torch.zeros(2, 3, dtype=torch.bool)
            ),
            "prompt_mask hides all of prompt 0",
        ),
        (lambda: replaced(MADE["policy-optimization"]()[0], end=9), "both must be below 6"),
        (lambda: replaced(MADE["condensation"]()[0], std=torch.zeros(1)), "std holds 0 at row 0"),
        (lambda: replaced(_graphs()[0], kind="numbers"), "kind is 'numbers', and y, torch.int64"),
        (
            lambda: replaced(_graphs()[0], graphs=_graphs()[0].graphs.take(torch.arange(3))),
            "y has 7 rows for 3 graphs",
        ),
    ],
)
def test_fields_that_do_not_agree_are_refused(problem, said):
    with pytest.raises(InvalidRun, match=BLAME + ".*" + said):
        check_problem(problem())


@pytest.mark.parametrize("kind", ["classes", "binary", "numbers"])
def test_graphs_have_labels_answers_or_targets(kind):
    problem, _ = _graphs(kind)
    assert check_problem(problem)[0] is problem
    if kind == "numbers":
        missing = replaced(problem, y=changed(problem.y, (0, 0), float("nan")))
        assert check_problem(missing)[0] is missing
    if kind == "binary":
        with pytest.raises(InvalidRun, match="y holds 2 at row 1"):
            check_problem(replaced(problem, y=changed(problem.y, (1, 0), 2)))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda g: Graphs(g.x, g.edges + 5, g.nodes, g.degrees),
            "graphs.edges holds an end that is no node of its graph",
        ),
        (lambda g: Graphs(g.x, g.edges, g.nodes + 1, g.degrees), "graphs.nodes and degrees count"),
        (
            lambda g: Graphs(g.x * float("nan"), g.edges, g.nodes, g.degrees),
            "graphs.x holds nan at row 0",
        ),
        (lambda g: Graphs(g.x, g.edges, g.nodes * 0, g.degrees), "graphs.nodes holds 0 at row 0"),
        (lambda g: [g], "graphs is a list of 1, and must be a Graphs"),
    ],
)
def test_packed_graphs_are_what_they_say(change, said):
    problem, _ = _graphs()
    with pytest.raises(InvalidRun, match=said):
        check_problem(replaced(problem, graphs=change(problem.graphs)))


# Cases ------------------------------------------------------------------------------------


def checks(track="noisy-labels"):
    return Checks(track, Task)


@pytest.mark.parametrize("case", [None, {}, [1], "case"])
def test_prepare_returns_a_case(case):
    with pytest.raises(InvalidRun, match=r"the task's prepare returned .*; it returns a Case"):
        checks().case(case)


@pytest.mark.parametrize("problems", [[], None, "text", {}])
def test_a_case_has_problems(problems):
    with pytest.raises(InvalidRun, match="a list of one or more problems is wanted"):
        checks().case(Case(problems=problems))


@pytest.mark.parametrize("problem", [None, {}, 3, torch.zeros(3)])
def test_a_problem_of_another_track_is_said_to_be_one(problem):
    with pytest.raises(
        InvalidRun,
        match=r"without 'x'; the track's problem is bench.tracks.noisy_labels.Problem|it is None",
    ):
        checks().case(Case(problems=[problem]))


def test_one_of_several_problems_is_named_and_the_data_set_that_has_the_fault():
    good, _ = MADE["noisy-labels"]()
    bad = replaced(good, x=changed(good.x, (3, 0), float("nan")))
    with pytest.raises(
        InvalidRun,
        match=r"the task's problem 2 of 2 is not valid.*x holds nan at row 3.*The dataset "
        r"'mine' has it already: x holds nan at row 3",
    ):
        checks().case(Case(problems=[good, bad]), [("mine", bad), ("other", good)])


class Hidden(msgspec.Struct):
    x_test: Annotated[torch.Tensor, Array("T", ...)]
    y_test: Annotated[torch.Tensor, Array("T", dtype="int64", ge=0, lt="C")]
    y_true: Annotated[torch.Tensor, Array("N", dtype="int64")]


@pytest.mark.parametrize(
    ("hidden", "said"),
    [
        (
            Hidden(drawn(0, 2), labels(0), labels()),
            r"x_test has the shape \(0, 2\): there is nothing in it",
        ),
        (
            Hidden(drawn(4, 2), labels(5), labels()),
            r"y_test has the shape \(5,\), and must be .* of shape \(T=4,\)",
        ),
        (Hidden(drawn(4, 2), labels(4) + C, labels()), f"y_test holds {C + 2} at row 2"),
        (
            Hidden(drawn(4, 2), labels(4), labels(4)),
            r"y_true has the shape \(4,\), and must be .* of shape \(N=7,\)",
        ),
    ],
)
def test_a_hidden_part_that_declares_its_fields_is_checked_by_the_problem_s_sizes(hidden, said):
    problem, _ = MADE["noisy-labels"]()
    with pytest.raises(
        InvalidRun,
        match="the task's hidden part is not valid, which is no fault of the method: .*" + said,
    ):
        checks().case(Case(problems=[problem], hidden=hidden))


# Declarations themselves --------------------------------------------------------------------


class Sized(msgspec.Struct):
    count: Annotated[int, Size("N")]
    values: Annotated[torch.Tensor | None, Array("N")] = None
    share: Annotated[float, Meta(ge=0, le=1)] = 0.5
    parts: Annotated[tuple[torch.Tensor, ...], Array("n", 2)] = ()
    unreadable: "NowhereToBeFound" = None  # noqa: F821, UP037


def test_sizes_come_first_parts_have_sizes_of_their_own_and_an_annotation_that_names_nothing_hides_no_other():
    good = Sized(count=3, values=torch.zeros(3), parts=(torch.zeros(1, 2), torch.zeros(5, 2)))
    assert check_problem(good)[0] is good
    for wrong, said in [
        ({"values": torch.zeros(4)}, r"values has the shape \(4,\)"),
        ({"share": 2}, "share is 2, and must be a number and at least 0 and at most 1"),
        ({"parts": (torch.zeros(1, 2), torch.zeros(5, 3))}, r"parts\[1\] has the shape \(5, 3\)"),
    ]:
        with pytest.raises(InvalidRun, match=said):
            check_problem(replaced(good, **wrong))
    assert check_problem(replaced(good, count=np.int64(3)))[0].count == 3


# Streams, which hand out rows by themselves ------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "value", "said"),
    [
        ("x", torch.tensor([[1.0], [float("nan")]]), "x of task 1 of stream holds nan at row 1"),
        ("x", torch.zeros(2, 1).double(), "x of task 1 of stream is float64"),
        ("y", torch.tensor([1, -1]), "y of task 1 of stream holds -1 at row 1"),
        ("y", torch.tensor([1, C]), f"y of task 1 of stream holds {C} at row 1"),
        ("y", torch.tensor([0.0, 1.0]), "y of task 1 of stream is float32"),
        ("y", torch.tensor([0]), r"y of task 1 of stream has the shape \(1,\)"),
        ("orders", torch.tensor([[0, 2]]), "orders of task 1 of stream holds 2 at row 0"),
    ],
)
def test_a_row_of_a_stream_that_cannot_be_learned_from_is_refused_with_its_task(part, value, said):
    parts = {
        "x": [torch.ones(2, 1)] * 2,
        "y": [torch.tensor([0, 1])] * 2,
        "orders": [torch.tensor([[1, 0]])] * 2,
    }
    good = continual.Problem(stream=Stream(**parts, batch_size=2), n_classes=C, tasks=2)
    assert check_problem(good)[0] is good
    parts[part] = [parts[part][0], value]
    with pytest.raises(InvalidRun, match=BLAME + said):
        check_problem(replaced(good, stream=Stream(**parts, batch_size=2)))


def test_a_stream_with_labels_of_fewer_tasks_than_inputs_is_refused():
    one = torch.tensor([0])
    stream = Stream([torch.ones(1, 1)] * 2, [one], [one[None]] * 2, batch_size=1)
    with pytest.raises(InvalidRun, match="inputs, labels and orders of 1 and 2 tasks"):
        check_problem(continual.Problem(stream=stream, n_classes=C, tasks=2))


# Labels that may be classes or targets -----------------------------------------------------------


def test_targets_of_a_regression_are_refused_where_there_are_classes():
    x = drawn(N, 2)
    targets = data_valuation.Problem(x=x, y=drawn(N), x_val=x, y_val=drawn(N), n_classes=0)
    assert check_problem(targets)[0] is targets
    with pytest.raises(InvalidRun, match=f"{BLAME}y is float32; a number of a class or row is no"):
        check_problem(replaced(targets, n_classes=C))
