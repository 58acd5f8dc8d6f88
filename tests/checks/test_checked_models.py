"""Models that are looked at: n rows of finite logits, whoever calls them, on every row."""

from __future__ import annotations

import copy
import functools
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from made import MADE, C, N, answer, line, replaced
from torch import nn

from bench.checks import check_problem, check_report
from bench.checks.cases import kinds_of
from bench.checks.models import Checked
from bench.contracts import Task
from bench.errors import InvalidRun
from bench.training.state import evaluating, predict

MODELS = [track for track in MADE if track.startswith(("noisy", "unlearning"))]


def spoilt(place, value):
    def model(x):
        found = line(x).clone()
        found[place % len(found), place % C] = value
        return found

    return model


WRONG = {
    "argmax": lambda x: line(x).argmax(-1),
    "a column less": lambda x: line(x)[:, 1:],
    "a column more": lambda x: torch.cat([line(x), line(x)], 1),
    "no columns": lambda x: line(x)[:, 0],
    "an axis more": lambda x: line(x)[..., None],
    "one row for all": lambda x: line(x)[:1],
    "a row more": lambda x: line(x)[[0, *range(len(x))]],
    "turned": lambda x: line(x).T,
    "whole numbers": lambda x: line(x).long(),
    "yes or no": lambda x: line(x) > 0,
    "a tuple": lambda x: (line(x), line(x)),
    "a list": lambda x: line(x).tolist(),
    "a table": lambda x: {"logits": line(x)},
    "an array": lambda x: line(x).numpy(),
    "nothing": lambda x: None,
    "a generator": lambda x: (row for row in line(x)),
}


@pytest.mark.parametrize("track", MODELS)
@pytest.mark.parametrize("wrong", WRONG)
def test_a_model_that_gives_anything_but_logits_of_each_row_is_invalid_where_it_is_called(
    track, wrong
):
    problem, solution = MADE[track]()
    columns = 1 if track == "unlearning-regression" else C
    model = answer(replaced(solution, model=WRONG[wrong]), problem, track).model
    with pytest.raises(
        InvalidRun,
        match=rf"the method's model returned .* in the answer; a finite tensor of shape \({N}, "
        rf"{columns}\) is wanted",
    ):
        predict(model, problem.x)


@given(st.integers(0, 10**6), st.sampled_from([float("nan"), float("inf"), -float("inf")]))
def test_one_number_that_is_none_in_one_row_is_found_and_its_place_named(place, value):
    problem, solution = MADE["noisy-labels"]()
    model = answer(replaced(solution, model=spoilt(place, value)), problem, "noisy-labels").model
    with pytest.raises(
        InvalidRun,
        match=rf"not finite in the answer: its output is {value} in row {place % N} \(place "
        rf"\[{place % N}, {place % C}\]\) of {N}",
    ):
        predict(model, problem.x)


@pytest.mark.parametrize("model", ["text", torch.zeros(3), {}, 3, nn.Linear])
def test_what_can_not_be_called_is_no_model(model):
    problem, solution = MADE["noisy-labels"]()
    with pytest.raises(
        InvalidRun,
        match=r"the model is .* in the answer, and must be a function from n inputs to logits "
        r"\(n, 3\)",
    ):
        answer(replaced(solution, model=model), problem, "noisy-labels")


def test_the_second_net_s_ensemble_is_checked_as_the_first():
    problem, solution = MADE["noisy-labels"]()
    found = answer(replaced(solution, ensemble=WRONG["argmax"]), problem, "noisy-labels")
    predict(found.model, problem.x)
    with pytest.raises(InvalidRun, match="int64"):
        predict(found.ensemble, problem.x)


class Diverged(nn.Module):
    def forward(self, x):
        return line(x) * float("nan")


@pytest.mark.parametrize("track", ["noisy-labels", "label-errors"])
def test_a_report_of_a_model_that_diverged_is_invalid_and_the_step_is_named(track):
    problem, _ = MADE["noisy-labels"]()
    _, scope = check_problem(problem)
    model = check_report(
        Diverged(), problem, scope, kinds_of("noisy-labels", Task)[1], "at report 3"
    )
    with pytest.raises(
        InvalidRun, match="the method's model is not finite at report 3: its output is nan in row 0"
    ):
        predict(model, problem.x)


def test_a_policy_that_diverged_is_invalid_in_a_report_and_in_the_answer():
    from bench.tracks.policy_optimization import Counters, Policy

    problem, solution = MADE["policy-optimization"]()
    _, scope = check_problem(problem)
    kinds = kinds_of("policy-optimization", Task)[1]
    policy = Policy(model=copy.deepcopy(solution.model), used=Counters())
    check_report(policy, problem, scope, kinds, "at report 2")
    with torch.no_grad():
        next(policy.model.parameters())[0, 0] = float("inf")
    with pytest.raises(
        InvalidRun, match=r"the method's policy is not finite at report 2: its parameter .*weight"
    ):
        check_report(policy, problem, scope, kinds, "at report 2")
    with pytest.raises(InvalidRun, match="the method's policy is not finite in the answer"):
        answer(replaced(solution, model=policy.model), problem, "policy-optimization")


def test_a_net_of_graphs_gives_an_output_with_logits():
    problem, solution = MADE["graph-ood"]()
    model = answer(solution, problem, "graph-ood").model
    batch = problem.graphs.batch()
    assert model(batch).logits.shape == (N, C)
    for net, said in [
        (lambda graphs: solution.model(graphs).logits, "a Tensor without 'logits'"),
        (
            lambda graphs: SimpleNamespace(logits=solution.model(graphs).logits[:, 1:]),
            r"float32 of shape \(7, 2\)",
        ),
        (
            lambda graphs: SimpleNamespace(logits=solution.model(graphs).logits * float("nan")),
            "not finite in the answer",
        ),
    ]:
        with pytest.raises(InvalidRun, match=said):
            answer(replaced(solution, model=net), problem, "graph-ood").model(batch)


def test_a_checked_model_is_what_it_was():
    net = nn.Sequential(nn.Linear(2, C), nn.BatchNorm1d(C))
    net.extra = "kept"
    found = Checked(net, C, "", "in the answer")
    assert found.extra == "kept"
    assert set(found.state_dict()) == {f"inner.{name}" for name in net.state_dict()}
    x = torch.zeros(4, 2)
    with evaluating(found):
        assert not net[1].training
        assert torch.equal(found(x), net(x))
    assert net.training
    assert net[1].training
    with pytest.raises(AttributeError):
        _ = found.nowhere


def test_a_model_is_shown_no_rows_without_complaint():
    model = Checked(line, C, "", "in the answer")
    assert model(torch.zeros(0, 2)).shape == (0, C)


class Noisy(nn.Module):
    """A net whose rows depend on each other, or on luck, in training mode alone."""

    def __init__(self):
        super().__init__()
        self.norm, self.drop = nn.BatchNorm1d(2), nn.Dropout(0.9)

    def forward(self, x):
        return line(self.drop(self.norm(x)))


HOLDERS = {
    "a closure": lambda net: lambda x: net(x),
    "a default value": lambda net: lambda x, net=net: net(x),
    "a bound method": lambda net: net.forward,
    "a partial": lambda net: functools.partial(lambda net, x: net(x), net),
    "a list in a closure": lambda net: (lambda nets: lambda x: nets[0](x))([net]),
    "an attribute": lambda net: Asked(net),
}


class Asked:
    """Any object that can be called."""

    def __init__(self, net):
        self.net = net

    def __call__(self, x):
        return self.net(x)


@pytest.mark.parametrize("holder", HOLDERS)
def test_a_net_that_a_function_holds_is_put_in_eval_mode_and_back(holder):
    net = Noisy().train()
    problem, solution = MADE["noisy-labels"]()
    checked = answer(replaced(solution, model=HOLDERS[holder](net)), problem, "noisy-labels")
    net.eval()
    right = net(problem.x).detach()
    net.train()
    assert torch.equal(predict(checked.model, problem.x), right)
    assert net.training
    assert net.norm.training
    assert net.norm.num_batches_tracked == 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_narrow_logits_are_widened_since_no_loss_takes_two_widths(dtype):
    found = Checked(lambda x: line(x).to(dtype), C, "", "in the answer")(torch.ones(N, 2))
    assert found.dtype == torch.float32
    assert (
        Checked(lambda x: line(x).double(), C, "", "in the answer")(torch.ones(N, 2)).dtype
        == torch.float64
    )


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda y: y.to_sparse(), "a sparse tensor"),
        (lambda y: y.to("meta"), "on the device meta"),
        (lambda y: torch.nested.nested_tensor([y]), "a nested tensor"),
        (lambda y: torch.quantize_per_tensor(y, 0.1, 0, torch.qint8), "a quantised tensor"),
        (lambda y: y.to(torch.float8_e4m3fn), "float8_e4m3fn"),
        (lambda y: y.to(torch.complex64), "complex64"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_logits_that_hold_no_plain_numbers_are_refused(change, word):
    with pytest.raises(InvalidRun, match=f"the method's model returned .*{word}.* in the answer"):
        Checked(lambda x: change(line(x)), C, "", "in the answer")(torch.ones(N, 2))


def test_a_model_that_diverged_is_at_fault_where_rows_have_holes_too():
    x = torch.ones(N, 2)
    x[:, 0] = torch.nan
    with pytest.raises(InvalidRun, match=r"the method's model is not finite .*training diverged"):
        Checked(lambda x: x.nan_to_num(0.0)[:, :1].expand(-1, C) + torch.nan, C, "", "at report 1")(
            x
        )


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_row_of_the_task_that_is_not_finite_is_no_fault_of_the_method(value):
    x = torch.ones(N, 2)
    x[-1, -1] = value
    with pytest.raises(
        InvalidRun,
        match=rf"the task shows the model {value} in row {N - 1} .*no fault of the method",
    ):
        Checked(
            lambda x: x.sum(1, keepdim=True).expand(-1, C) - x.sum(1, keepdim=True),
            C,
            "",
            "in the answer",
        )(x)


@pytest.mark.parametrize(
    "model", [None, "net", 3, MADE["noisy-labels"]()[1]], ids=["none", "text", "number", "solution"]
)
def test_a_report_that_is_no_model_is_said_to_the_method(model):
    problem, _ = MADE["noisy-labels"]()
    kinds = kinds_of("noisy-labels", Task)
    problem, scope = check_problem(problem, kinds[0])
    with pytest.raises(
        InvalidRun, match=r"the method's report is not valid: the model is .* at report 1"
    ):
        check_report(model, problem, scope, kinds[1], "at report 1")


class Hiding(nn.Module):
    """A net whose outputs are finite whatever its weights are."""

    def __init__(self, value):
        super().__init__()
        self.net = nn.Linear(3, 2)
        self.register_buffer("mask", torch.full((2,), -torch.inf))
        with torch.no_grad():
            self.net.weight[1, 0] = value

    def forward(self, x):
        return self.net(x).nan_to_num(0.0, 0.0, 0.0)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused_though_the_outputs_hide_them(value):
    with pytest.raises(InvalidRun) as found:
        Checked(Hiding(value), 2, "", "in the answer")(torch.zeros(4, 3))
    assert str(found.value) == (
        f"the method's model is not finite in the answer: its parameter net.weight holds {value} "
        "at row 1 (place [1, 0]), though its outputs are finite; training diverged, so return a "
        "model of finite weights."
    )


def test_finite_weights_beside_buffers_of_infinities_and_unused_lazy_layers_are_right():
    model = Hiding(1.0)
    model.unused = nn.LazyLinear(2)
    assert Checked(model, 2, "", "in the answer")(torch.zeros(4, 3)).shape == (4, 2)


def test_a_member_whose_neighbour_in_the_stack_diverged_is_right():
    from contextlib import nullcontext

    from bench.training.stack import StackedMLP

    stack = StackedMLP((3, 2), [nullcontext(), nullcontext()], torch.device("cpu"))
    with torch.no_grad():
        stack.weights[0][1] = float("nan")
    model = stack.member(0)
    assert Checked(model, 2, "", "in the answer")(torch.zeros(4, 3)).shape == (4, 2)


# What a model does to what it is shown ---------------------------------------------------------


@pytest.mark.parametrize(
    "write", [lambda x: x.mul_(0), lambda x: x.data.zero_(), lambda x: x.detach().numpy().fill(9.0)]
)
def test_what_a_model_writes_into_its_inputs_changes_no_row_of_the_task(write):
    def model(x):
        logits = line(x).clone()
        with torch.no_grad():
            write(x)
        return logits

    rows = torch.randn(N, 2)
    before = rows.clone()
    checked = Checked(model, C, "", "in the answer")
    assert torch.equal(checked(rows), checked(rows))
    assert torch.equal(rows, before)


def test_a_model_that_answers_in_the_memory_of_its_inputs_says_what_it_wrote_there():
    rows = torch.randn(N, C)
    before = rows.clone()
    assert torch.equal(Checked(lambda x: x.mul_(2), C, "", "in the answer")(rows), 2 * before)
    assert torch.equal(rows, before)


def test_the_slope_at_the_inputs_reaches_them_through_the_checks():
    rows = torch.randn(N, 2, requires_grad=True)
    (found,) = torch.autograd.grad(Checked(line, C, "", "in the answer")(rows).sum(), rows)
    (wanted,) = torch.autograd.grad(line(rows).sum(), rows)
    assert torch.equal(found, wanted)
