"""What attacks make of rows, which rows are judged by, and what is refused."""

import pytest
import torch
from bench.builtin.tasks.ood_detection.adversarial_mnist import AdversarialMnist
from torch.nn import functional as F

from bench import Outcome
from bench.errors import InvalidRun
from bench.runs.context import Run
from bench.tracks.ood_detection import Scored
from bench.training.data import Examples


class Data(Run):
    """A run that has pictures which tell their class, 0 to 9, by the column that is bright."""

    def dataset(self, name, **params):
        generator = torch.Generator().manual_seed(0)
        y = torch.arange(400) % 10
        x = torch.randint(0, 90, (400, 1, 28, 28), generator=generator, dtype=torch.uint8)
        x[torch.arange(400), 0, :, 2 * y + 3] = 160
        return Examples(x, y, 10)


SIZES = {"epochs": 60, "widths": (16, 16), "score_steps": 3, "score_width": 8}
TASK = AdversarialMnist(**SIZES)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return Data(seed=0, task="x/toy", method="x/x", device=torch.device("cpu"), workdir=folder)


@pytest.fixture(scope="module")
def case(run):
    return TASK.prepare(run)


def evaluated(case, score, run):
    outcome = Outcome(solution=Scored(score=score), curve=[], kept={}, cost={}, counters={})
    return TASK.evaluate(case, [outcome], run).metrics


def test_rows_to_judge_by_are_right_before_an_attack_and_apart_from_the_rows_of_references(case):
    problem, hidden = case.problems[0], case.hidden
    assert bool((problem.model(hidden.x_test).argmax(1) == hidden.y_test).all())
    assert {len(rows) for rows in hidden.out.values()} == {len(hidden.x_test)}
    for name, rows in hidden.out.items():
        # no reference sees what an attack made of a row that is judged by
        apart = torch.cdist(hidden.seen[name].flatten(1), rows.flatten(1))
        assert float(apart.min()) > 0.5
    assert problem.score_net.shape == (1, 28, 28)


def test_attacks_stay_within_their_balls_and_in_the_range_of_pixels(case):
    hidden = case.hidden
    for name, rows in hidden.out.items():
        change = (rows - hidden.x_test).flatten(1)
        assert 0 <= float(rows.min()) <= float(rows.max()) <= 1
        if name == "l2":
            assert float(change.norm(dim=1).max()) <= 1 + 1e-5
        else:
            radius = 0.05 if name.endswith("05") else 0.1
            assert float(change.abs().max()) <= radius + 1e-6
    noise = (hidden.out["sign"] - hidden.x_test).abs()
    inside = (hidden.x_test > 0.1) & (hidden.x_test < 0.9)
    assert torch.allclose(noise[inside], torch.tensor(0.1), atol=1e-6)


def test_one_step_is_along_the_sign_of_the_gradient_of_the_cross_entropy(case):
    hidden, model = case.hidden, case.problems[0].model
    x = hidden.x_test.clone().requires_grad_()
    loss = F.cross_entropy(model(x), hidden.y_test, reduction="sum")
    (gradient,) = torch.autograd.grad(loss, x)
    by_hand = (hidden.x_test + 0.1 * gradient.sign()).clamp(0, 1)
    # a gradient near zero may take either sign
    near = (hidden.out["fgsm10"] - by_hand).abs() < 1e-6
    assert float(near.float().mean()) > 0.99
    long = gradient.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    moved = (hidden.x_test + gradient / long).clamp(0, 1)
    assert torch.allclose(hidden.out["l2"], moved, atol=1e-4)


def test_more_steps_raise_the_loss_and_noise_fools_less_than_any_attack_of_its_size(case, run):
    hidden, model = case.hidden, case.problems[0].model

    def loss(rows):
        return float(F.cross_entropy(model(rows), hidden.y_test))

    assert loss(hidden.out["pgd10"]) >= 0.95 * loss(hidden.out["fgsm10"])
    assert loss(hidden.out["fgsm10"]) > loss(hidden.out["fgsm05"]) > loss(hidden.x_test)
    found = evaluated(case, lambda x: torch.zeros(len(x), 1), run)
    assert found["near_auroc"] == found["auroc_sign"] == 50
    assert found["fooled_sign"] <= min(found["fooled_fgsm10"], found["fooled_pgd10"])
    wrong = model(hidden.out["pgd10"]).argmax(1) != hidden.y_test
    assert found["fooled_pgd10"] == pytest.approx(100 * float(wrong.float().mean()))


def test_the_ranked_figure_is_the_mean_over_the_two_attacks_of_a_tenth(case, run):
    weights = torch.randn(784, 1, generator=torch.Generator().manual_seed(1))
    found = evaluated(case, lambda x: x.flatten(1) @ weights, run)
    both = (found["auroc_fgsm10"] + found["auroc_pgd10"]) / 2
    assert found["near_auroc"] == pytest.approx(both)
    assert set(found) == {metric.name for metric in AdversarialMnist.card.metrics}


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ({"n_known": 100}, "ask for at least 200"),
        ({"n_out": 40, "n_known": 200, "epochs": 1}, "raise n_known, n_out or epochs"),
    ],
)
def test_parts_that_are_too_small_are_refused_in_a_sentence(tmp_path, sizes, said):
    run = Data(seed=0, task="x/toy", method="x/x", device=torch.device("cpu"), workdir=tmp_path)
    with pytest.raises(InvalidRun, match=said):
        AdversarialMnist(**{**SIZES, **sizes}).prepare(run)
