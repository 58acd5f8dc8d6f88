"""A small problem of every track, with solutions that are right, made by
hand; and what makes any of their fields wrong.
"""

from __future__ import annotations

import dataclasses

import msgspec
import numpy as np
import torch
from hypothesis import strategies as st

from bench.checks import Scope, check_problem, check_solution
from bench.checks.cases import kinds_of
from bench.contracts import Task
from bench.tracks import (
    condensation,
    graph_ood,
    label_errors,
    noisy_labels,
    policy_optimization,
    privacy_audit,
    selection,
    unlearning,
)
from bench.tracks.policy_optimization import Counters, PolicyProblem, Protocol
from bench.training.decoder import DecoderShape
from bench.training.graphs import Graphs

N, C, V = 7, 3, 4


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def labels(rows=N):
    return torch.arange(rows) % C


def line(x):
    """A model: logits (n, C), finite."""
    return x.flatten(1)[:, :1] * torch.arange(C)


def _noisy():
    problem = noisy_labels.Problem(x=drawn(N, 2), y=labels(), n_classes=C, noise_rate=0.2)
    solution = noisy_labels.Solution(
        model=line, labels=labels(), clean_score=drawn(N), kept=labels() > 0, ensemble=line
    )
    return problem, solution


def _errors():
    return _noisy()[0], label_errors.Solution(suspicion=drawn(N), flags=labels() > 0)


def _selection():
    problem = selection.Problem(x=drawn(N, 2), y=labels(), n_classes=C, fractions=(0.3, 0.6))
    rows = [torch.arange(budget) for budget in problem.budgets]
    return problem, selection.Selection(
        rows=rows, weights=[torch.ones(len(own)) for own in rows], scores=drawn(N)
    )


def _condensation():
    problem = condensation.Problem(
        x=drawn(N, 1, 4, 4), y=labels(), n_classes=C, ipc=1, mean=torch.zeros(1), std=torch.ones(1)
    )
    rows = torch.arange(C)
    return problem, condensation.SmallSet(
        x=problem.x[rows],
        y=problem.y[rows],
        soft_y=torch.full((4 * C, C), 1 / C),
        targets=drawn(4 * C, 5),
        lr=0.1,
        factor=2,
        indices=rows,
        temperature="set",
        masked=0.5,
    )


def _unlearning(classes=C):
    y = labels() if classes else drawn(N, seed=1)
    y_val = labels(V) if classes else drawn(V, seed=2)
    blank = unlearning.Problem(
        weights={},
        x=drawn(N, 2),
        y=y,
        forget=torch.arange(N) < 2,
        x_val=drawn(V, 2),
        y_val=y_val,
        n_classes=classes,
        widths=(4,),
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = blank.architecture.fresh([torch.random.fork_rng()], torch.device("cpu"))
    solution = unlearning.Solution(
        model=net.member(0), weights=net.net(0), precompute=3, exact=True, stored=8
    )
    return msgspec.structs.replace(blank, weights=net.net(0)), solution


def _audit():
    whole = _unlearning()[0]
    shadows = privacy_audit.Shadows(
        weights={name: torch.stack([part, part]) for name, part in whole.weights.items()},
        trained_on=torch.rand(2, N) > 0.5,
    )
    problem = privacy_audit.Problem(
        weights=whole.weights,
        architecture=whole.architecture,
        x=whole.x,
        y=whole.y,
        n_classes=C,
        shadows=shadows,
    )
    return problem, privacy_audit.Solution(scores=drawn(N))


def _graphs(kind="classes"):
    packed = Graphs.pack([(np.ones((2 + row % 2, 1)), np.array([[0], [1]])) for row in range(N)])
    y = {
        "classes": labels(),
        "binary": torch.ones(N, C, dtype=torch.int8),
        "numbers": drawn(N, C, seed=1),
    }[kind]
    problem = graph_ood.Problem(
        graphs=packed, y=y, kind=kind, outputs=C, env=labels(), hidden=4, layers=2
    )
    with torch.random.fork_rng():
        net = problem.net().eval()
    return problem, graph_ood.Solution(model=net, weights=torch.ones(N), squares=torch.ones(N))


def _policy():
    from bench.training.decoder import Decoder

    shape = DecoderShape(vocabulary=6, context=8, width=8, layers=1, heads=2)
    with torch.random.fork_rng():
        model = Decoder(shape)
    prompts = torch.tensor([[0, 1, 3], [1, 3, 4]])
    problem = PolicyProblem(
        shape=shape,
        warm=model.state_dict(),
        prompts=prompts,
        prompt_mask=prompts > 0,
        answers=torch.tensor([3, 4]),
        verify=lambda ids, mask, answers: answers,
        end=2,
        pad=0,
        protocol=Protocol(prompts=2),
    )
    return problem, policy_optimization.Solution(model=model, used=Counters())


MADE = {
    "noisy-labels": _noisy,
    "label-errors": _errors,
    "selection": _selection,
    "condensation": _condensation,
    "unlearning-privacy": _unlearning,
    "unlearning-correction": _unlearning,
    "unlearning-regression": lambda: _unlearning(0),
    "privacy-audit": _audit,
    "graph-ood": _graphs,
    "policy-optimization": _policy,
}
"""Track -> a function that makes a problem and a solution of it."""


def answer(solution, problem, track):
    """Check a problem and its solution as the harness does."""
    kinds = kinds_of(track, Task)
    problem, scope = check_problem(problem, kinds[0])
    return check_solution(solution, problem, scope, kinds[1])


def replaced(record, **fields):
    return (
        msgspec.structs.replace(record, **fields)
        if isinstance(record, msgspec.Struct)
        else dataclasses.replace(record, **fields)
    )


@st.composite
def wrong_tensors(draw, good, array, scope: Scope):
    """Draw a tensor that is not what ``array`` declares, from one that is."""
    first = array.shape[0] if array.shape else ...
    bound = isinstance(first, int) or (isinstance(first, str) and scope.size(first) is not None)
    ways = ["a list", "numpy", "kind"]
    ways += ["an axis more"] if ... not in array.shape else []
    ways += ["a row more", "one row for all"] if bound and good.dim() else []
    ways += ["a row less"] if bound and good.dim() and len(good) > 1 else []
    ways += ["nothing"] if not array.empty and good.dim() else []
    if good.dtype.is_floating_point:
        ways += [] if array.nan else ["nan"]
        ways += [] if array.infinite else ["infinity"]
    ways += ["too low"] if array.bounds["ge"] is not None and good.dtype != torch.bool else []
    ways += ["too high"] if array.bounds["lt"] is not None else []
    ways += ["twice"] if array.distinct and len(good) > 1 else []
    way = draw(st.sampled_from(ways))
    place = draw(st.integers(0, max(0, good.numel() - 1)))

    def put(value):
        found = good.clone()
        found.view(-1)[place] = value
        return found

    high = array.bounds["lt"]
    limit = scope.size(high) if isinstance(high, str) else high
    return way, {
        "a list": lambda: {"no": "tensor"},
        "numpy": lambda: good.detach().numpy(),
        "kind": lambda: _of_another_kind(draw, good, array),
        "an axis more": lambda: good.unsqueeze(draw(st.sampled_from([0, -1]))),
        "a row more": lambda: torch.cat([good, good[:1]]),
        "one row for all": lambda: good[:1] if len(good) > 1 else good.expand(2, *good.shape[1:]),
        "a row less": lambda: good[1:],
        "nothing": lambda: good[:0],
        "nan": lambda: put(float("nan")),
        "infinity": lambda: put(draw(st.sampled_from([float("inf"), -float("inf")]))),
        "too low": lambda: put(float(array.bounds["ge"]) - draw(st.integers(1, 100))),
        "too high": lambda: put(limit + draw(st.integers(0, 100))),
        "twice": lambda: torch.cat([good[:-1], good[:1]]),
    }[way]()


def _of_another_kind(draw, good, array):
    if array.dtype == "bool":
        return good.to(draw(st.sampled_from([torch.uint8, torch.int64, torch.float32])))
    if array.dtype.startswith("int"):
        return good.to(
            draw(st.sampled_from([torch.bool, torch.float32, torch.float64, torch.complex64]))
        )
    others = (
        [torch.bool, torch.complex64]
        if array.dtype == "number"
        else [torch.bool, torch.int64, torch.uint8, torch.complex64]
    )
    return good.to(draw(st.sampled_from(others)))
