"""A policy is judged as the problem's own net with the weights that a method found: how it answers
is not the method's.
"""

from __future__ import annotations

import copy

import msgspec
import pytest
import torch
from made import MADE, answer, replaced
from torch import nn

from bench.checks import check_problem, check_report
from bench.checks.cases import kinds_of
from bench.checks.policies import made_by
from bench.contracts import Task
from bench.errors import InvalidRun
from bench.tracks.policy_optimization import Counters, Policy, PolicyProblem
from bench.tracks.policy_optimization.language import LanguageProblem
from bench.tracks.policy_optimization.language_model import LanguageModel
from bench.training.decoder import Decoder, greedy

TRACK = "policy-optimization"


@pytest.fixture
def made():
    return MADE[TRACK]()


def said(model, problem):
    ids = problem.prompts
    return model.generate(ids, ids > 0, new=4, choose=greedy, end=2, pad=0)[0]


class Oracle(nn.Module):
    """Answers by a program."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def generate(self, ids, mask, *, new, choose, end, pad, repeat=1):
        return torch.full((len(ids) * repeat, new), end), torch.ones(len(ids) * repeat, new) > 0


class Derived(Decoder):
    """Of another type, whatever it does."""


def wider(problem):
    return Decoder(msgspec.structs.replace(problem.shape, width=16))


def without_head(problem):
    model = Decoder(problem.shape)
    model.head = nn.Identity()
    return model


def with_more(problem):
    model = Decoder(problem.shape)
    model.more = nn.Linear(2, 2)
    return model


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda problem: Oracle(), "is an Oracle in the answer, and must be .* a Decoder"),
        (lambda problem: Derived(problem.shape), "is a Derived in the answer"),
        (wider, r"'tokens.weight' is of shape \(6, 16\), and must be of shape \(6, 8\)"),
        (without_head, r"'head.weight' is missing, and must be of shape \(6, 8\)"),
        (with_more, r"'more.weight' is of shape \(2, 2\), and has no place in it"),
        (lambda problem: Decoder(problem.shape).to("meta"), "on the device meta"),
    ],
    ids=["another net", "derived", "wider", "a part less", "a part more", "no values"],
)
def test_a_policy_that_is_not_the_problem_s_is_invalid_in_the_answer_and_in_reports(
    make, words, made
):
    problem, solution = made
    with pytest.raises(InvalidRun, match=words):
        answer(replaced(solution, model=make(problem)), problem, TRACK)
    _, scope = check_problem(problem)
    report = Policy(model=make(problem), used=Counters())
    with pytest.raises(InvalidRun, match=words.replace("in the answer", "at report 1")):
        check_report(report, problem, scope, kinds_of(TRACK, Task)[1], "at report 1")


def nothing_but_ends(*inputs, **named):
    return torch.full((2, 4), 2), torch.ones(2, 4) > 0


def patched(model):
    model.generate = nothing_but_ends


def hooked(model):
    model.head.register_forward_hook(lambda module, inputs, output: output * 0)


@pytest.mark.parametrize("spoil", [patched, hooked])
def test_what_a_method_hangs_on_the_problem_s_policy_does_not_answer_for_it(spoil, made):
    problem, solution = made
    right = said(solution.model, problem)
    other = copy.deepcopy(solution.model)
    spoil(other)
    assert not torch.equal(said(other, problem), right)
    assert torch.equal(
        said(answer(replaced(solution, model=other), problem, TRACK).model, problem), right
    )


def test_what_is_judged_has_the_weights_of_the_method_and_its_bits(made):
    problem, solution = made
    with torch.no_grad():
        for parameter in solution.model.parameters():
            parameter += 0.1
    drawn = torch.get_rng_state()
    found = answer(solution, problem, TRACK).model
    assert torch.equal(torch.get_rng_state(), drawn)
    assert found is not solution.model
    assert torch.equal(said(found, problem), said(solution.model, problem))
    for name, part in solution.model.state_dict().items():
        assert torch.equal(found.state_dict()[name], part), name


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (lambda model: model, "it is a Decoder at report 1; report a record that holds the policy"),
        (lambda model: None, "it is None at report 1"),
        (lambda model: Policy(model=model, used=None), "used is None"),
        (lambda model: Policy(model=model, used=Counters(gen_s=float("nan"))), "gen_s is nan"),
        (lambda model: Policy(model=object(), used=Counters()), "is an object at report 1"),
    ],
    ids=["a bare net", "nothing", "no counters", "seconds that are none", "any object"],
)
def test_a_report_that_is_no_policy_is_said_to_the_method(report, words, made):
    problem, solution = made
    _, scope = check_problem(problem)
    with pytest.raises(InvalidRun, match=f"the method's report is not valid: .*{words}"):
        check_report(
            report(solution.model), problem, scope, kinds_of(TRACK, Task)[1], "at report 1"
        )


def test_a_problem_says_what_kind_of_policy_it_makes():
    assert made_by(PolicyProblem) is Decoder
    assert made_by(LanguageProblem) is LanguageModel
    assert made_by(int) is None
