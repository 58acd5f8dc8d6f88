"""A model is a function of its rows: asked again, or about fewer rows, it says the same, and so does
the net of the weights that are said to be its own.
"""

from __future__ import annotations

import msgspec
import pytest
import torch
from made import MADE, C, N, answer, drawn, line, replaced
from torch import nn

from bench.checks.agreement import ALIKE, SAME, difference
from bench.checks.models import Checked
from bench.errors import InvalidRun
from bench.training.state import predict

X = drawn(12, 3)


def asked(model, x=X):
    return Checked(model, C, "", "in the answer", twice=True)(x)


class Drifting(nn.Module):
    """Learns from whatever it is shown."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, C))

    def forward(self, x):
        with torch.no_grad():
            self.weight += torch.arange(C) * x.mean()
        return x[:, :1] * self.weight


class AlwaysTraining(nn.Module):
    """BatchNorm that nobody can put in eval mode."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(3, momentum=0.0)

    def forward(self, x):
        self.norm.train()
        return line(self.norm(x))


@pytest.mark.parametrize(
    "model",
    [
        lambda x: torch.rand(len(x), C),
        lambda x: line(x) + 1e-2 * torch.randn(len(x), C),
        nn.Sequential(nn.Linear(3, C), nn.Dropout(0.5)).train(),
        Drifting(),
    ],
    ids=["luck alone", "a little luck", "dropout", "weights that change"],
)
def test_a_model_that_says_something_else_the_second_time_is_invalid(model):
    with pytest.raises(
        InvalidRun, match=r"answers the same rows otherwise .* in the answer: .*, then .* in row"
    ):
        asked(model)


@pytest.mark.parametrize(
    "model",
    [
        lambda x: line(x) - line(x).mean(0),
        lambda x: line(x) / line(x).std(),
        AlwaysTraining(),
        lambda x: nn.functional.one_hot(x[:, 0].argsort().argsort() % C, C).float(),
    ],
    ids=["centred", "scaled", "BatchNorm", "ranks"],
)
def test_a_model_whose_rows_depend_on_each_other_is_invalid(model):
    with pytest.raises(InvalidRun, match="answers a row otherwise in other company in the answer"):
        asked(model)


KNOWN = drawn(200, 3, seed=5)


def nearest(x):
    votes = torch.cdist(x, KNOWN).topk(5, largest=False).indices % C
    return nn.functional.one_hot(votes, C).float().mean(1)


def writing(x):
    """Centres its input where it lies, as many a model does."""
    return line(x.sub_(0.5))


@pytest.mark.parametrize(
    "model",
    [
        line,
        lambda x: torch.zeros(len(x), C),
        lambda x: torch.full((len(x), C), 1e30),
        lambda x: line(x).half(),
        lambda x: line(x).bfloat16(),
        nn.Sequential(nn.Linear(3, 64), nn.BatchNorm1d(64), nn.Linear(64, C)).eval(),
        nearest,
        writing,
    ],
    ids=["line", "noughts", "large", "half", "bfloat16", "net", "neighbours", "in place"],
)
@pytest.mark.parametrize("rows", [1, 2, 300])
def test_a_function_of_its_rows_passes(model, rows):
    with torch.no_grad():
        x = drawn(rows, 3, seed=2)
        assert asked(model, x.clone()).shape == (rows, C)


def test_a_model_is_asked_twice_once_and_what_it_kept_of_that_is_wiped():
    kept = []

    def model(x):
        kept.append(x)
        return line(x)

    checked = Checked(model, C, "", "in the answer", twice=True)
    predict(checked, X)
    assert [len(part) for part in kept] == [12, 12, 6]
    assert all(not part.any() for part in kept)
    predict(checked, X)
    assert len(kept) == 4


def test_a_report_is_asked_once():
    Checked(lambda x: torch.rand(len(x), C), C, "", "at report 1")(X)


def test_the_difference_of_two_tables_does_not_depend_on_their_scale_and_place():
    one, other = drawn(50, C), drawn(50, C, seed=1)
    apart = difference(one, other)
    assert apart == pytest.approx(difference(1e20 * one, 1e20 * other), rel=1e-6)
    assert apart == pytest.approx(difference(one + 1, other + 1), rel=1e-5)
    assert difference(one, one) == 0 < SAME < ALIKE < apart


@pytest.mark.parametrize("track", ["unlearning-privacy", "unlearning-regression"])
def test_weights_that_are_not_those_of_the_model_are_invalid(track):
    problem, solution = MADE[track]()
    predict(answer(solution, problem, track).model, problem.x)
    other = {name: part + 0.1 for name, part in solution.weights.items()}
    wrong = answer(replaced(solution, weights=other), problem, track)
    with pytest.raises(InvalidRun, match="weights are not those of its model in the answer: "):
        predict(wrong.model, problem.x)
    without = answer(replaced(solution, weights=None), problem, track)
    predict(without.model, problem.x)


def test_weights_may_be_any_where_the_problem_has_no_form_of_a_net():
    problem, solution = MADE["graph-ood"]()
    model = answer(solution, problem, "graph-ood").model
    assert model(problem.graphs.batch()).logits.shape == (N, C)


class Hiding(torch.Tensor):
    """Says that all of it is finite."""

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        found = super().__torch_function__(function, types, args, kwargs or {})
        if function is torch.Tensor.isfinite:
            return torch.ones_like(found.as_subclass(torch.Tensor))
        return torch.zeros(()) if function is torch.Tensor.sum else found


def test_what_a_subclass_says_of_its_numbers_is_not_asked():
    nothing = torch.full((N, C), float("nan"))
    with pytest.raises(InvalidRun, match="not finite in the answer: its output is nan"):
        asked(lambda x: nothing.as_subclass(Hiding), torch.ones(N, 3))
    problem, solution = MADE["label-errors"]()
    wrong = replaced(solution, suspicion=nothing[:, 0].as_subclass(Hiding))
    with pytest.raises(InvalidRun, match="suspicion holds nan at row 0"):
        answer(wrong, problem, "label-errors")


def test_a_subclass_of_good_numbers_becomes_plain():
    found = asked(lambda x: line(x).as_subclass(Hiding))
    assert type(found) is torch.Tensor
    assert torch.equal(found, line(X))


def test_a_graph_s_logits_of_a_subclass_are_refused():
    problem, solution = MADE["graph-ood"]()

    class Said(msgspec.Struct):
        logits: torch.Tensor

    wrong = replaced(solution, model=lambda graphs: Said(torch.zeros(N, C).as_subclass(Hiding)))
    with pytest.raises(InvalidRun, match="returned as logits a Hiding in the answer; a plain"):
        answer(wrong, problem, "graph-ood").model(problem.graphs.batch())


def test_numbers_that_no_float32_holds_are_refused_though_they_are_finite():
    with pytest.raises(
        InvalidRun, match=r"gives 1e\+300 in row 3 .* in the answer, beyond 3.4e\+38"
    ):
        asked(lambda x: line(x).double().index_fill(0, torch.tensor([3]), 1e300))
    assert asked(lambda x: line(x).double()).dtype == torch.float64
