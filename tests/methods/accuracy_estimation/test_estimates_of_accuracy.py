"""Estimates of accuracy: slow formulas, cases with a known answer, and limits in which two methods
are one.
"""

import math

import msgspec
import numpy as np
import pytest
import torch
from bench.builtin.methods.accuracy_estimation.atc import ThresholdedConfidence, threshold
from bench.builtin.methods.accuracy_estimation.avg_confidence import AverageConfidence
from bench.builtin.methods.accuracy_estimation.doc import DifferenceOfConfidences
from bench.builtin.methods.accuracy_estimation.gde import Disagreement
from bench.builtin.methods.accuracy_estimation.sf_dap import AdversarialAgreement, uphill
from bench.builtin.methods.accuracy_estimation.sf_pseudo import AdaptedAgreement
from bench.builtin.methods.accuracy_estimation.source_acc import SourceAccuracy
from estimation_small import estimation_problem, estimation_run
from torch.nn import functional as F

from bench.checks import check_problem
from bench.errors import InvalidRun
from bench.tracks.accuracy_estimation import agreement
from bench.tracks.accuracy_estimation_adapted import adapted, information
from bench.training.calibration import fit_temperature

METHODS = [
    SourceAccuracy(),
    AverageConfidence(),
    DifferenceOfConfidences(),
    ThresholdedConfidence(),
    ThresholdedConfidence(score="ne"),
    Disagreement(),
    AdaptedAgreement(epochs=1, batch_size=32),
    AdversarialAgreement(epochs=1, batch_size=32),
    AdversarialAgreement(epochs=1, batch_size=32, adaptive=True, eps=1.0),
]
NAMES = [f"{place}-{type(method).__name__}" for place, method in enumerate(METHODS)]


@pytest.fixture(scope="module")
def problem(tmp_path_factory):
    return estimation_problem(tmp_path_factory.mktemp("estimation"))[0]


@pytest.fixture
def run(tmp_path):
    return estimation_run(tmp_path)


def with_sets(problem, *places, **fields):
    return msgspec.structs.replace(
        problem,
        targets=tuple(problem.targets[place] for place in places),
        logits=tuple(problem.logits[place] for place in places),
        **fields,
    )


def of_the_source(problem):
    """The validation rows as the only set."""
    return msgspec.structs.replace(problem, targets=(problem.x_val,), logits=(problem.logits_val,))


@pytest.mark.parametrize("method", METHODS, ids=NAMES)
def test_an_estimate_does_not_change_when_other_sets_are_taken_away(method, problem, run, tmp_path):
    whole = method.solve(problem, run).accuracy
    few = method.solve(with_sets(problem, 0, 1), estimation_run(tmp_path)).accuracy
    torch.testing.assert_close(whole[:2], few, rtol=0, atol=1e-6)
    assert bool(((whole >= 0) & (whole <= 100)).all())


@pytest.mark.parametrize("method", METHODS[-3:], ids=NAMES[-3:])
def test_a_source_free_method_does_not_read_the_labels_of_the_source(method, problem, tmp_path):
    blind = msgspec.structs.replace(
        problem, y_val=(problem.y_val + 1) % 3, logits_val=torch.zeros_like(problem.logits_val)
    )
    one, other = (
        method.solve(part, estimation_run(tmp_path)).accuracy for part in (problem, blind)
    )
    assert torch.equal(one, other)


@pytest.mark.parametrize("method", METHODS, ids=NAMES)
def test_a_method_leaves_the_net_as_it_is(method, problem, run):
    before = {name: tensor.clone() for name, tensor in problem.model.weights.items()}
    method.solve(problem, run)
    assert all(torch.equal(before[name], now) for name, now in problem.model.weights.items())


@pytest.mark.parametrize(
    "method",
    [SourceAccuracy(), DifferenceOfConfidences(), *METHODS[3:5]],
    ids=["source-acc", "doc", "atc-mc", "atc-ne"],
)
def test_on_the_validation_rows_the_estimate_is_their_accuracy(method, problem, run):
    found = float(method.solve(of_the_source(problem), run).accuracy[0])
    assert found == pytest.approx(problem.source_accuracy, abs=1e-9)


def test_two_nets_that_are_one_agree_everywhere(problem, run):
    same = msgspec.structs.replace(problem, second_model=problem.model)
    assert Disagreement().solve(same, run).accuracy.tolist() == [100.0] * 3
    found = Disagreement().solve(problem, run).accuracy
    slow = []
    for logits, x in zip(problem.logits, problem.targets, strict=True):
        pairs = zip(logits, problem.second_model(x), strict=True)
        slow.append(100 * np.mean([int(one.argmax()) == int(two.argmax()) for one, two in pairs]))
    np.testing.assert_allclose(found, slow)


def test_confidence_and_its_difference_are_means_of_the_largest_probability(problem, run):
    heat = fit_temperature(problem.logits_val, problem.y_val)

    def mean(logits, temperature):
        return 100 * np.mean(
            [
                max(math.exp(z / temperature) for z in row)
                / sum(math.exp(z / temperature) for z in row)
                for row in logits.double().tolist()
            ]
        )

    raw = AverageConfidence().solve(problem, run).accuracy
    np.testing.assert_allclose(raw, [mean(logits, 1.0) for logits in problem.logits])
    calibrated = AverageConfidence(calibrate=True).solve(problem, run).accuracy
    np.testing.assert_allclose(calibrated, [mean(logits, heat) for logits in problem.logits])
    moved = problem.source_accuracy - mean(problem.logits_val, heat) + calibrated.numpy()
    np.testing.assert_allclose(DifferenceOfConfidences().solve(problem, run).accuracy, moved)


def test_as_many_validation_rows_are_below_the_threshold_as_are_wrong(problem, run):
    scores = torch.tensor([0.9, 0.3, 0.5, 0.7])
    assert threshold(scores, 0) == pytest.approx(0.3)
    assert threshold(scores, 3) == pytest.approx(0.9)
    assert threshold(scores, 4) == math.inf
    heat = fit_temperature(problem.logits_val, problem.y_val)
    val, other = (
        (logits.double() / heat).softmax(1).max(1).values.numpy()
        for logits in (problem.logits_val, problem.logits[2])
    )
    wrong = int((problem.logits_val.argmax(1) != problem.y_val).sum())
    limit = np.sort(val)[wrong]
    found = float(ThresholdedConfidence().solve(problem, run).accuracy[2])
    assert found == pytest.approx(100 * np.mean(other >= limit))


# Adapted copies ----------------------------------------------------------------------


def test_information_is_what_it_says():
    logits = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0)).double()
    for found, rows in zip(information(logits), logits.softmax(-1).numpy(), strict=True):
        sure = np.mean([-sum(p * math.log(p) for p in row) for row in rows])
        mean = rows.mean(0)
        assert float(found) == pytest.approx(sure + sum(p * math.log(p) for p in mean))


@pytest.mark.parametrize(
    "method", [AdaptedAgreement(epochs=0), AdversarialAgreement(epochs=0, eps=0)]
)
def test_a_copy_that_is_not_adapted_agrees_with_the_net(method, problem, run):
    assert method.solve(problem, run).accuracy.tolist() == [100.0] * 3


def test_a_perturbation_of_no_length_is_none(problem, tmp_path):
    fields = {"epochs": 2, "batch_size": 32, "lr": 0.01}
    one = AdaptedAgreement(**fields).solve(problem, estimation_run(tmp_path)).accuracy
    other = AdversarialAgreement(**fields, eps=0).solve(problem, estimation_run(tmp_path)).accuracy
    assert torch.equal(one, other)
    pushed = AdversarialAgreement(**fields, eps=1.0).solve(problem, estimation_run(tmp_path))
    assert bool((pushed.accuracy <= one).all())
    assert pushed.accuracy.sum() < one.sum()


def test_adapting_lowers_the_loss_and_leaves_the_last_layer(problem, run):
    copies = adapted(problem, run, epochs=5, lr=0.01, batch=32)
    x = torch.stack(list(problem.targets))
    before = information(torch.stack(list(problem.logits)))
    with torch.no_grad():
        assert bool((information(copies(x)) < before).all())
    weights = copies.state_dict()
    for name, own in problem.model.weights.items():
        same = [torch.equal(own[0], one) for one in weights[name]]
        assert all(same) if name in ("weights.1", "biases.1") else not any(same), name


def test_a_step_of_adaptation_is_adams_on_one_set_alone(problem, run):
    one = with_sets(problem, 1)
    size = len(one.targets[0])
    copies = adapted(one, run, epochs=1, lr=0.01, batch=size)
    net = problem.model.copy()
    loss = information(net(one.targets[0][None])).sum()
    first = dict(net.named_parameters())["weights.0"]
    (slope,) = torch.autograd.grad(loss, first)
    wanted = first.detach() - 0.01 * slope / (slope.abs() + 1e-8)
    torch.testing.assert_close(copies.state_dict()["weights.0"], wanted, rtol=0, atol=1e-5)


def test_the_direction_uphill_raises_the_loss_of_the_own_answer_and_has_length_one(problem):
    net = problem.model.copy()
    x = problem.targets[1][None]
    way = uphill(net, x)
    torch.testing.assert_close(way.norm(dim=2), torch.ones(1, x.shape[1]))
    with torch.no_grad():
        labels = net(x)[0].argmax(1)
        loss = [F.cross_entropy(net(at)[0], labels, reduction="none") for at in (x, x + 0.01 * way)]
    assert float((loss[1] > loss[0]).float().mean()) > 0.95


def test_sets_that_do_not_fit_together_are_refused_in_a_sentence(problem, run):
    uneven = msgspec.structs.replace(
        problem, targets=(problem.targets[0], problem.targets[1][:50], problem.targets[2])
    )
    with pytest.raises(InvalidRun, match="target sets have from 50 to 120 rows"):
        AdaptedAgreement().solve(uneven, run)
    with pytest.raises(InvalidRun, match="there are 3 target sets and logits of 2"):
        check_problem(msgspec.structs.replace(problem, logits=problem.logits[:2]))
    assert agreement(torch.tensor([1, 2, 3]), torch.tensor([1, 0, 3])) == pytest.approx(200 / 3)


@pytest.mark.parametrize("kind", [AdaptedAgreement, AdversarialAgreement])
def test_answers_of_a_copy_whose_weights_are_not_finite_are_not_counted(kind, problem, run):
    with pytest.raises(InvalidRun, match=r"lr=3e\+37 ends in weights .*; take a smaller lr"):
        kind(epochs=3, lr=3e37, batch_size=32).solve(problem, run)
