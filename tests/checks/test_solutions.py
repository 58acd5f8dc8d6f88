"""What a method returns, of every track: right as it is, and invalid with
a sentence however it is wrong.
"""

from __future__ import annotations

import dataclasses

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made import MADE, N, answer, drawn, replaced, wrong_tensors

from bench.checks import Scope, check_problem
from bench.checks.fields import fields_of
from bench.checks.models import Checked
from bench.declared import Outputs
from bench.errors import InvalidRun
from bench.training.decoder import Decoder


def a_generator():
    yield 1


def fields(track):
    return fields_of(type(MADE[track]()[1]))


TENSORS = [(track, field) for track in MADE for field in fields(track) if field.arrays]
PLAIN = [
    (track, field)
    for track in MADE
    for field in fields(track)
    if field.meta or (field.mark and not isinstance(field.mark, Outputs)) or field.kind is bool
]


@pytest.mark.parametrize("track", MADE)
def test_a_good_solution_passes_and_says_what_it_said(track):
    problem, solution = MADE[track]()
    found = answer(solution, problem, track)
    assert type(found) is type(solution)
    for field in fields(track):
        before, after = getattr(solution, field.name), getattr(found, field.name)
        assert after is before or isinstance(after, Checked | Decoder)


@pytest.mark.parametrize(
    ("track", "field"), TENSORS, ids=[f"{track}-{field.name}" for track, field in TENSORS]
)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_a_wrong_tensor_in_any_field_is_invalid_and_the_sentence_names_the_field(
    track, field, data
):
    problem, solution = MADE[track]()
    good = getattr(solution, field.name)
    _, scope = check_problem(problem)
    own = Scope(solution, problem, parent=scope)
    holder = good if isinstance(good, dict | list) else {field.name: good}
    key = (
        data.draw(st.sampled_from(sorted(holder)))
        if isinstance(holder, dict)
        else data.draw(st.integers(0, len(holder) - 1))
    )
    _, wrong = data.draw(wrong_tensors(holder[key], field.arrays[0], own))
    changed = (
        {**holder, key: wrong}
        if isinstance(holder, dict)
        else [wrong if place == key else part for place, part in enumerate(holder)]
    )
    with pytest.raises(InvalidRun) as raised:
        answer(
            replaced(solution, **{field.name: changed if isinstance(good, dict | list) else wrong}),
            problem,
            track,
        )
    said = str(raised.value)
    assert said.startswith("the method's solution is not valid: ")
    assert said.endswith(".")
    # what another field stands for may be named by it: images, labels and rows go together
    assert field.name in said or track == "condensation"


@pytest.mark.parametrize("track", MADE)
@pytest.mark.parametrize(
    ("returned", "word"),
    [
        (None, "nothing"), ({}, "a dict"), ([], "a list"), (torch.zeros(N), "a Tensor"), ("text", "a str"), (3.0, "a float"),
        (a_generator, "a generator"), (a_generator, "a function"), (dict, "the class dict"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)  # fmt: skip
def test_whatever_is_no_solution_of_the_track_is_said_to_be_none(track, returned, word):
    problem, solution = MADE[track]()
    given = returned() if word == "a generator" else returned
    with pytest.raises(
        InvalidRun,
        match=f"solve returned {word}.*; return bench.(tracks|training).*{type(solution).__name__}",
    ):
        answer(given, problem, track)


def test_a_coroutine_is_no_solution_and_is_closed():
    async def solve():
        return 1

    problem, _ = MADE["noisy-labels"]()
    with pytest.raises(InvalidRun, match="solve returned a coroutine"):
        answer(solve(), problem, "noisy-labels")


@pytest.mark.parametrize("track", MADE)
def test_a_field_that_must_be_there_is_not_none(track):
    problem, solution = MADE[track]()
    for field in fields(track):
        if not field.optional and field.name not in ("used",):
            with pytest.raises(InvalidRun, match=rf"{field.name}|model|policy"):
                answer(replaced(solution, **{field.name: None}), problem, track)


@pytest.mark.parametrize(
    ("track", "field"), PLAIN, ids=[f"{track}-{field.name}" for track, field in PLAIN]
)
@pytest.mark.parametrize("value", ["text", float("nan"), float("inf"), -1e9, 1e9, [1.0], {}])
def test_a_wrong_plain_value_is_invalid(track, field, value):
    if track == "policy-optimization" or (value == 1e9 and field.name in ("precompute", "stored")):
        value = object()
    problem, solution = MADE[track]()
    with pytest.raises(InvalidRun, match=f"{field.name} is |policy is"):
        answer(replaced(solution, **{field.name: value}), problem, track)


@pytest.mark.parametrize(
    ("track", "field"),
    [(track, field) for track, field in TENSORS if field.kind is torch.Tensor],
    ids=lambda value: getattr(value, "name", value),
)
@pytest.mark.parametrize("several", [lambda one: [one], lambda one: (one,), lambda one: {"a": one}])
def test_several_tensors_are_invalid_where_one_is_declared(track, field, several):
    problem, solution = MADE[track]()
    with pytest.raises(InvalidRun, match=f"not valid: {field.name} is a (list|tuple|dict)"):
        answer(
            replaced(solution, **{field.name: several(getattr(solution, field.name))}),
            problem,
            track,
        )


def test_a_number_of_64_bits_beyond_those_of_32_is_invalid_where_its_size_counts():
    problem, solution = MADE["noisy-labels"]()
    scores = drawn(N).double()
    scores[2] = -1e300
    found = answer(replaced(solution, clean_score=scores), problem, "noisy-labels")
    assert torch.equal(found.clean_score, scores)  # only their order counts
    problem, solution = MADE["graph-ood"]()
    with pytest.raises(InvalidRun, match=r"weights holds -1e\+300 at row 2, beyond 3.4e\+38"):
        answer(replaced(solution, weights=scores.nan_to_num()), problem, "graph-ood")


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.int64])
def test_weights_of_a_net_of_another_type_than_its_own_are_invalid(dtype):
    problem, solution = MADE["unlearning-privacy"]()
    weights = {**solution.weights, "0.weight": solution.weights["0.weight"].to(dtype)}
    with pytest.raises(InvalidRun, match=r"weights\['0.weight'\] is \w+, and must be float32"):
        answer(replaced(solution, weights=weights), problem, "unlearning-privacy")


# Widths are converted, kinds are not -----------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.int8, torch.int16, torch.int32, torch.uint8, torch.uint16])
def test_labels_and_rows_of_other_widths_are_converted(dtype):
    problem, solution = MADE["noisy-labels"]()
    found = answer(replaced(solution, labels=solution.labels.to(dtype)), problem, "noisy-labels")
    assert found.labels.dtype == torch.int64
    assert torch.equal(found.labels, solution.labels)
    problem, chosen = MADE["selection"]()
    found = answer(
        replaced(chosen, rows=[rows.to(dtype) for rows in chosen.rows]), problem, "selection"
    )
    assert [rows.dtype for rows in found.rows] == [torch.int64] * 2


def test_numbers_of_other_widths_are_converted_and_gradients_left_behind():
    problem, small = MADE["condensation"]()
    found = answer(
        replaced(
            small, x=problem.x[small.indices].double(), indices=None, soft_y=small.soft_y.double()
        ),
        problem,
        "condensation",
    )
    assert (found.x.dtype, found.soft_y.dtype) == (torch.float32, torch.float32)
    problem, solution = MADE["noisy-labels"]()
    found = answer(
        replaced(solution, clean_score=torch.zeros(N, requires_grad=True)), problem, "noisy-labels"
    )
    assert not found.clean_score.requires_grad


def test_a_number_too_large_for_its_type_does_not_wrap_around():
    problem, solution = MADE["noisy-labels"]()
    huge = torch.full((N,), 2**63, dtype=torch.uint64)
    with pytest.raises(InvalidRun, match="does not fit into int64"):
        answer(replaced(solution, labels=huge), problem, "noisy-labels")


def test_infinite_scores_keep_their_place_and_nan_has_none():
    problem, solution = MADE["label-errors"]()
    suspicion = torch.linspace(-1, 1, N)
    suspicion[0], suspicion[-1] = -torch.inf, torch.inf
    assert torch.equal(
        answer(replaced(solution, suspicion=suspicion), problem, "label-errors").suspicion,
        suspicion,
    )


# Rules over several fields -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("track", "change", "said"),
    [
        ("selection", lambda s: {"rows": s.rows[:1], "weights": None}, "rows is 1 tensors, and must be a list of one tensor for each of the 2 budgets"),
        ("selection", lambda s: {"rows": [torch.arange(3), *s.rows[1:]], "weights": None}, r"rows\[0\] keeps 3 rows; the budget is 2"),
        ("selection", lambda s: {"weights": [torch.ones(5)] * 2}, r"weights\[0\] holds 5 numbers for the 2 rows"),
        ("selection", lambda s: {"weights": [torch.tensor([1.0, -1.0]), *s.weights[1:]]}, r"weights\[0\] holds -1 at row 1"),
        ("label-errors", lambda s: {"suspicion": None, "flags": None}, "neither a suspicion nor flags"),
        ("condensation", lambda s: {"factor": 3, "soft_y": None, "targets": None}, "factor is 3, and must divide the sides"),
        ("condensation", lambda s: {"factor": 0}, "factor is 0, and must be a whole number of at least 1"),
        ("condensation", lambda s: {"soft_y": s.soft_y * 2}, "each row of sum 1"),
        ("condensation", lambda s: {"x": s.x + 1}, "indices names rows of the training set that the images are not"),
        ("unlearning-privacy", lambda s: {"weights": {"0.weight": s.weights["0.weight"]}}, r"weights\['0.bias'\] is missing"),
        ("unlearning-privacy", lambda s: {"weights": {**s.weights, "0.bias": torch.zeros(9)}}, r"weights\['0.bias'\] is of shape \(9,\)"),
        ("unlearning-privacy", lambda s: {"precompute": -1}, "precompute is -1, and must be a whole number and at least 0"),
        ("policy-optimization", lambda s: {"model": torch.nn.Linear(2, 2)}, "the method's policy is a Linear in the answer, and must be .* a Decoder"),
        ("policy-optimization", lambda s: {"used": {}}, "used is a dict, and must be a Counters"),
    ],
)  # fmt: skip
def test_fields_that_do_not_agree_are_invalid(track, change, said):
    problem, solution = MADE[track]()
    with pytest.raises(InvalidRun, match=said):
        answer(replaced(solution, **change(solution)), problem, track)


@pytest.mark.parametrize("track", MADE)
def test_a_solution_of_a_derived_type_counts_as_what_it_is_derived_from(track):
    problem, solution = MADE[track]()
    kind = type(solution)

    class Own(kind):
        note: str = "mine"

    own = dataclasses.dataclass(frozen=True)(Own) if dataclasses.is_dataclass(kind) else Own
    found = answer(
        own(**{field.name: getattr(solution, field.name) for field in fields(track)}),
        problem,
        track,
    )
    assert type(found) is kind
    assert all(
        getattr(found, field.name) is getattr(solution, field.name)
        or isinstance(getattr(found, field.name), Checked | Decoder)
        for field in fields(track)
    )


def test_a_solution_of_a_derived_type_is_checked_by_what_the_track_declares():
    problem, solution = MADE["privacy-audit"]()

    class Sly(type(solution)):
        def validate(self, problem):
            """Find everything right."""

        @property
        def scores(self):
            return next(said)

    said = iter([solution.scores[:-1], solution.scores])
    with pytest.raises(InvalidRun, match="the method's solution is not valid: scores"):
        answer(Sly(scores=solution.scores), problem, "privacy-audit")


def test_a_training_method_serves_label_errors_with_its_own_solution():
    problem, solution = MADE["noisy-labels"]()
    assert answer(solution, problem, "label-errors").clean_score is solution.clean_score


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda scores: scores.to_sparse(), "a sparse tensor"),
        (lambda scores: scores.to("meta"), "on the device meta"),
        (lambda scores: torch.nested.nested_tensor([scores]), "a nested tensor"),
        (
            lambda scores: torch.quantize_per_tensor(scores, 0.1, 0, torch.qint8),
            "a quantised tensor",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_a_tensor_that_holds_no_plain_numbers_is_refused_with_what_to_do(change, word):
    problem, solution = MADE["privacy-audit"]()
    with pytest.raises(InvalidRun, match=f"the method's solution is not valid: scores is .*{word}"):
        answer(replaced(solution, scores=change(solution.scores)), problem, "privacy-audit")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2])
def test_floats_that_numpy_does_not_have_are_widened(dtype):
    problem, solution = MADE["privacy-audit"]()
    found = answer(
        replaced(solution, scores=solution.scores.to(dtype)), problem, "privacy-audit"
    ).scores
    assert torch.equal(found, solution.scores.to(dtype).float())
    assert found.numpy().shape == (N,)


@pytest.mark.parametrize(
    "dtype", [torch.uint8, torch.uint16, torch.uint32, torch.uint64, torch.int8]
)
def test_scores_without_a_sign_keep_their_order_when_they_are_negated(dtype):
    problem, solution = MADE["privacy-audit"]()
    found = answer(
        replaced(solution, scores=torch.arange(N).to(dtype)), problem, "privacy-audit"
    ).scores
    assert ((-found).diff() < 0).all()


def test_a_number_of_numpy_becomes_a_plain_one():
    problem, solution = MADE["condensation"]()
    found = answer(
        replaced(solution, lr=np.float32(0.5), masked=np.float64(0.25), factor=np.int64(2)),
        problem,
        "condensation",
    )
    assert {type(found.lr), type(found.masked), type(found.factor)} == {float, int}


@pytest.mark.parametrize("value", [0.0, 1e-40])
def test_weights_of_which_none_counts_teach_nothing(value):
    problem, solution = MADE["selection"]()
    weights = [torch.full((len(own),), value) for own in solution.rows]
    with pytest.raises(InvalidRun, match=r"weights\[0\] sums to .* nothing would be learned"):
        answer(replaced(solution, weights=weights), problem, "selection")


def test_soft_labels_of_half_width_sum_to_one_up_to_their_rounding():
    problem, solution = MADE["condensation"]()
    assert (
        answer(
            replaced(solution, soft_y=solution.soft_y.half()), problem, "condensation"
        ).soft_y.dtype
        == torch.float32
    )
    with pytest.raises(InvalidRun, match="soft_y holds rows that sum to"):
        answer(replaced(solution, soft_y=solution.soft_y * 1.01), problem, "condensation")


# Tracks that declare nothing --------------------------------------------------------------------


class Own(msgspec.Struct):
    weights: torch.Tensor
    more: dict = {}


@pytest.mark.parametrize(
    ("solution", "said"),
    [
        (torch.tensor([0.0, float("nan")]), "it holds nan at row 1"),
        (
            Own(weights=torch.tensor([[0.0, float("inf")]])),
            r"weights holds inf at row 0 \(place \[0, 1\]\)",
        ),
        (
            Own(weights=torch.zeros(2), more={"a": [torch.zeros(1), torch.tensor([float("nan")])]}),
            r"more\['a'\]\[1\] holds nan",
        ),
        ({"a": a_generator()}, "is a generator"),
        (None, "solve returned nothing"),
    ],
)
def test_a_solution_of_a_track_that_declares_nothing_is_there_and_finite(solution, said):
    with pytest.raises(InvalidRun, match=said):
        answer(solution, Own(weights=torch.zeros(1)), "a-track-of-strangers")


def test_a_net_whose_buffers_hold_infinities_is_a_solution_and_one_with_a_diverged_weight_is_none():
    net = torch.nn.Linear(2, 2)
    net.register_buffer("mask", torch.tensor([-torch.inf]))
    assert answer(net, Own(weights=torch.zeros(1)), "a-track-of-strangers") is net
    with torch.no_grad():
        net.weight[0, 0] = torch.nan
    with pytest.raises(InvalidRun, match="weight holds nan"):
        answer(net, Own(weights=torch.zeros(1)), "a-track-of-strangers")
