"""What the tasks ask, hide and share; on digits, in seconds."""

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from bench.builtin.datasets.diabetes import Diabetes
from bench.builtin.datasets.digits import Digits
from bench.builtin.datasets.mnist5k import Mnist5k
from bench.builtin.methods.unlearning.audit_lira import AuditLira
from bench.builtin.methods.unlearning.salun import SalUn
from bench.builtin.tasks.unlearning import _models
from bench.builtin.tasks.unlearning._regression import relearning_steps, wasserstein
from bench.builtin.tasks.unlearning._views import Views
from bench.builtin.tasks.unlearning._worst import choose, project
from bench.builtin.tasks.unlearning.privacy_audit import PrivacyAudit
from bench.builtin.tasks.unlearning.unlearn_class import UnlearnClass
from bench.builtin.tasks.unlearning.unlearn_corrective import UnlearnCorrective, patched
from bench.builtin.tasks.unlearning.unlearn_random import UnlearnRandom
from bench.builtin.tasks.unlearning.unlearn_regression import UnlearnRegression
from bench.builtin.tasks.unlearning.unlearn_worst import UnlearnWorst
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.contracts import Outcome
from bench.errors import UsageError
from bench.plugins.registry import Registry
from bench.runs.artifacts import Artifacts
from bench.runs.context import Run, Setup
from bench.runs.tools import Tools
from bench.tracks.unlearning import Group, Perceptrons, Solution, train
from bench.training.data import Examples

CPU = torch.device("cpu")
SMALL = {
    "data": "digits",
    "n_train": 200,
    "n_val": 50,
    "n_pool": 100,
    "widths": (16,),
    "epochs": 4,
    "batch_size": 32,
}
CORRECTIVE = {name: value for name, value in SMALL.items() if name != "n_pool"}


class Serving(Tools):
    def dataset(self, run, name, params):
        if name == "cifar10":
            generator = torch.Generator().manual_seed(len(params["split"]))
            y = torch.arange(10).repeat(40 if params["split"] == "train" else 7)
            return Examples(
                torch.randint(256, (len(y), 3, 32, 32), generator=generator, dtype=torch.uint8),
                y,
                10,
            )
        known = {"digits": Digits, "diabetes": Diabetes, "mnist5k": Mnist5k}
        return known[name]().load(run)

    def quiet(self):
        return self


@pytest.fixture
def setup_of(tmp_path):
    def make(task, seed=0, kind=Setup):
        artifacts = Artifacts(tmp_path / "cache")
        return kind(
            seed=seed,
            task=f"t/{task.card.name}",
            method="t/m",
            device=CPU,
            workdir=tmp_path,
            artifacts=artifacts,
            tools=Serving(),
        )

    return make


def score(task, setup):
    case = task.prepare(setup)
    task.reveal(case, setup)
    return case, task.evaluate(case, outcomes([each.weights for each in case.problems]), setup)


def outcomes(weights):
    """Perceptrons of these weights, as a method returns them."""
    return [
        Outcome(
            solution=Solution(model=Perceptrons.of([each], CPU).member(0), weights=each),
            curve=[],
            kept={},
            cost={},
            counters={},
        )
        for each in weights
    ]


# What is asked ------------------------------------------------------------------------


def test_the_forgotten_share_is_exact_and_another_seed_forgets_other_rows(setup_of):
    task = UnlearnRandom(originals=3, **SMALL | {"epochs": 1})
    masks = [task.prepare(setup_of(task, seed=seed)).problems[0].forget.numpy() for seed in (0, 1)]
    assert [mask.sum() for mask in masks] == [20, 20]
    assert np.mean(masks[0] & masks[1]) < 0.03


def test_all_rows_that_bear_a_label_are_to_be_forgotten_or_so_many_of_them(setup_of):
    for rows, expected in ((0, None), (7, 7)):
        task = UnlearnClass(label=4, rows=rows, originals=3, **SMALL)
        problem = task.prepare(setup_of(task)).problems[0]
        assert (problem.y[problem.forget] == 4).all()
        assert int(problem.forget.sum()) == (expected or int((problem.y == 4).sum()))


def test_attacked_rows_are_of_all_classes_where_the_data_comes_sorted(setup_of):
    task = UnlearnRandom(originals=3, **SMALL | {"data": "mnist5k", "epochs": 1})
    case = task.prepare(setup_of(task))
    data = case.hidden.data
    assert data.y_pool.diff().ge(0).double().mean() > 0.8  # sorted, but for wrong labels
    views = Views(case.hidden.originals["outputs"], case.problems[0], data)
    for part in ("held", "some"):
        labels = views.y[views.parts[part]]
        assert len(labels) == len(views.parts["forget"])
        assert len(labels.unique()) >= 8


# Choosing parameters ------------------------------------------------------------------


@pytest.mark.parametrize("task", [UnlearnRandom, UnlearnClass, UnlearnWorst])
def test_a_rehearsal_scores_a_request_without_pool_and_test_rows(task, setup_of):
    assert task.card.tuning == {"rehearse": True}
    sizes = (
        SMALL
        | {"epochs": 8, "originals": 3}
        | ({"rounds": 2, "lower_epochs": 1} if task is UnlearnWorst else {})
    )
    real, made = (
        task(**sizes, rehearse=rehearse).prepare(setup_of(task)) for rehearse in (False, True)
    )
    problem, data, whole = made.problems[0], made.hidden.data, real.hidden.data
    assert torch.equal(data.x, whole.x)
    held = {row.numpy().tobytes() for row in torch.cat([whole.x_pool, whole.x_test])} - {
        row.numpy().tobytes() for row in torch.cat([whole.x, whole.x_val])
    }
    for part in (problem.x, problem.x_val, data.x_pool, data.x_test):
        assert not held & {row.numpy().tobytes() for row in part}
    assert [len(part) for part in (problem.x_val, data.x_pool, data.x_test)] == [25, 25, 25]
    assert not {row.numpy().tobytes() for row in problem.x_val} & {
        row.numpy().tobytes() for row in data.x_test
    }


def test_a_rehearsal_asks_for_another_class_than_the_task(setup_of):
    task = UnlearnClass(label=9, rehearse=True, originals=3, **SMALL)
    problem = task.prepare(setup_of(task)).problems[0]
    assert (problem.y[problem.forget] == 0).all()
    assert problem.forget.any()


def test_in_a_rehearsal_the_original_is_worth_what_is_told_apart_at_once_and_retraining_is_not(
    setup_of,
):
    task = UnlearnClass(rehearse=True, originals=3, **SMALL | {"epochs": 15})
    setup = setup_of(task)
    case, original = score(task, setup)
    assert original.metrics == {"gap_val": 0.5}
    assert original.not_rankable == "a rehearsal on validation rows"
    retrained = [_models.member(case.hidden.retrained, k) for k in range(3, 6)]
    found = task.evaluate(case, outcomes(retrained), setup)
    assert 0 <= found.metrics["gap_val"] < 0.5


# What is asked ------------------------------------------------------------------------


@settings(max_examples=40)
@given(st.lists(st.floats(-3, 3), min_size=2, max_size=30), st.floats(0.01, 0.99))
def test_the_projection_has_the_sum_lies_in_the_box_is_nearest_and_projects_to_itself(
    values, share
):
    w, total = torch.tensor(values, dtype=torch.float64), share * len(values)
    found = project(w, total)
    assert found.sum().item() == pytest.approx(total, abs=1e-6)
    assert found.min() >= 0
    assert found.max() <= 1
    torch.testing.assert_close(project(found, total), found, rtol=0, atol=1e-6)
    # where the box does not bind, all entries moved by the same
    inside = (found > 1e-6) & (found < 1 - 1e-6)
    assert inside.sum() < 2 or float((w - found)[inside].std()) < 1e-6


def test_the_worst_case_rows_are_those_that_lose_their_fit_least_and_the_easy_ones_most(setup_of):
    task = UnlearnWorst(originals=3, **SMALL | {"epochs": 15})
    setup = setup_of(task)
    case = task.prepare(setup)
    problem, wrong = case.problems[0], case.problems[0].y != case.hidden.data.y_true
    assert int(problem.forget.sum()) == 20
    easy = (
        UnlearnWorst(kind="easy", originals=3, **SMALL | {"epochs": 15})
        .prepare(setup_of(task))
        .problems[0]
        .forget
    )
    assert wrong[problem.forget].double().mean() < 0.1 < wrong[easy].double().mean()


def test_the_worst_case_choice_makes_whole_weights_again_and_again(setup_of):
    task = UnlearnWorst(originals=3, **SMALL)
    problem = task.prepare(setup_of(task)).problems[0]
    group = Group([problem], [setup_of(task, kind=Run)])
    chosen = choose(
        group, 15, rounds=3, epochs=1, lr=1e-3, eta=0.01, gamma=0.1, harden=1, easy=False
    )
    assert int(chosen.sum()) == 15


@pytest.mark.parametrize(("known", "expected"), [(0.1, 1), (0.5, 4), (1.0, 8)])
def test_a_share_of_the_poison_is_known_and_only_corrupted_rows_are(setup_of, known, expected):
    task = UnlearnCorrective(known=known, corrupted=0.04, **CORRECTIVE)
    case = task.prepare(setup_of(task))
    problem, hidden = case.problems[0], case.hidden
    assert int(hidden.corrupted.sum()) == 8
    assert int(problem.forget.sum()) == expected
    assert hidden.corrupted[problem.forget].all()
    assert (problem.y[hidden.corrupted] == 0).all()
    corner = problem.x[..., -3:, -3:]
    assert (corner[hidden.corrupted] == problem.x.max()).all()
    assert not (corner[~hidden.corrupted] == problem.x.max()).all(-1).all(-1).any()
    assert not hasattr(problem, "corrupted")


def test_confusion_swaps_labels_of_two_classes_and_leaves_the_pictures(setup_of):
    task = UnlearnCorrective(kind="confusion", corrupted=0.04, **CORRECTIVE)
    case = task.prepare(setup_of(task))
    labels = case.problems[0].y[case.hidden.corrupted]
    assert sorted(labels.tolist()) == [3] * 4 + [5] * 4
    affected = case.hidden.y[: case.hidden.affected]
    assert set(affected.tolist()) == {3, 5}
    assert not {3, 5} & set(case.hidden.y[case.hidden.affected :].tolist())


def test_a_patch_is_three_by_three_in_the_corner_of_the_rows_named():
    x = torch.rand(3, 1, 8, 8)
    found = patched(x, torch.tensor([1]))
    assert torch.equal(found[[0, 2]], x[[0, 2]])
    assert (found[1] != x[1]).sum() >= 8
    assert (found[1, 0, 5:, 5:] == x.max()).all()
    assert torch.equal(found[1, 0, :5], x[1, 0, :5])


def test_a_corrective_task_that_did_no_harm_says_nothing(setup_of):
    task = UnlearnCorrective(
        corrupted=0.005, oracles=2, **CORRECTIVE | {"epochs": 15, "widths": (64,)}
    )
    found = score(task, setup_of(task))[1]
    assert found.not_rankable.startswith("not informative: the corruption costs the original only")
    assert found.gates["unlearned"] is False


def test_a_regression_forgets_rows_at_random_or_the_lowest_and_its_original_has_not_unlearned(
    setup_of,
):
    task = UnlearnRegression(kind="low", originals=3, epochs=20)
    case, found = score(task, setup_of(task))
    problem = case.problems[0]
    assert problem.y[problem.forget].max() <= problem.y[~problem.forget].min()
    assert found.gates["unlearned"] is False
    assert found.metrics["uauc"] == found.metrics["uauc_original"] > 0.7
    assert found.metrics["privacy_gap"] == found.metrics["gap_original"] > 0.1
    assert found.metrics["ain"] < 0.5  # it need not relearn
    assert found.metrics["w1"] > 2 * found.metrics["w1_floor"]


def test_wasserstein_of_a_shift_is_the_shift_and_relearning_counts_steps(setup_of):
    assert wasserstein(np.arange(5.0), np.arange(5.0) + 2) == pytest.approx(2)
    task = UnlearnRegression(originals=3, epochs=5)
    problem = task.prepare(setup_of(task)).problems[0]
    assert relearning_steps([problem.weights, problem.weights], problem, 1e9) == [0, 0]
    assert relearning_steps([problem.weights], problem, -1.0, most=7) == [7]


def test_shadow_models_are_masked_halves_and_the_truth_scores_1(setup_of):
    task = PrivacyAudit(data="digits", n_rows=200, shadows=3, widths=(16,), epochs=4)
    setup = setup_of(task)
    case = task.prepare(setup)
    shadows = case.problems[0].shadows
    assert shadows.trained_on.sum(1).tolist() == [100] * 3
    assert shadows.weights["0.weight"].shape == (3, 16, 64)
    found = task.evaluate(
        case,
        [
            Outcome(
                solution=task.tell(case.problems[0], case.hidden, setup),
                curve=[],
                kept={},
                cost={},
                counters={},
            )
        ],
        setup,
    )
    assert found.metrics["auc"] == 1
    assert found.metrics["tpr1"] == 100


def test_data_sets_with_a_test_part_are_trained_on_the_one_and_tested_on_the_other(setup_of):
    task = UnlearnRandom(originals=3, **SMALL | {"data": "cifar10", "epochs": 1})
    case, found = score(task, setup_of(task))
    assert case.problems[0].x.shape == (200, 3, 32, 32)
    assert case.hidden.data.x_test.shape == (70, 3, 32, 32)
    assert case.hidden.data.x_pool.shape == (100, 3, 32, 32)
    assert 0 <= found.metrics["ta"] <= 100


@pytest.mark.parametrize(
    "kind", [UnlearnRandom, UnlearnCorrective, PrivacyAudit], ids=lambda kind: kind.card.name
)
def test_models_may_be_convolutional(kind, setup_of):
    small = {
        "data": "digits",
        "net": "cnn",
        "widths": (3, 4),
        "epochs": 1,
        "batch_size": 50,
        "weight_decay": 5e-4,
    }
    sizes = {
        UnlearnRandom: {"originals": 3, "n_train": 200, "n_val": 50, "n_pool": 100},
        UnlearnCorrective: {"n_train": 200, "n_val": 50, "oracles": 1},
    }
    task = kind(**small, **sizes.get(kind, {"n_rows": 200, "shadows": 3}))
    setup = setup_of(task)
    case = task.prepare(setup)
    problem = case.problems[0]
    assert problem.weights["body.convs.0.weight"].shape == (3, 1, 3, 3)
    if kind is PrivacyAudit:
        method = AuditLira()
        solutions = [method.solve(problem, setup_of(task, kind=Run))]
    else:
        assert problem.weight_decay == 5e-4
        solutions = SalUn(epochs=1).solve_stacked(
            case.problems,
            [setup_of(task, seed=seed, kind=Run) for seed in range(len(case.problems))],
        )
    task.reveal(case, setup)
    outcomes = [
        Outcome(solution=solution, curve=[], kept={}, cost={}, counters={})
        for solution in solutions
    ]
    assert 0 <= task.evaluate(case, outcomes, setup).metrics[kind.card.primary.name] <= 100


# What is hidden and shared --------------------------------------------------------------


def test_retrained_models_are_built_after_solving_and_never_saw_the_forgotten_rows(setup_of):
    task = UnlearnRandom(originals=3, **SMALL)
    setup = setup_of(task)
    case = task.prepare(setup)
    assert case.hidden.retrained is None
    task.reveal(case, setup)
    problem = case.problems[0]
    changed = msgspec.structs.replace(
        problem, x=torch.where(problem.forget[:, None, None, None], 9.0, problem.x)
    )
    rows = (~problem.forget).nonzero()[:, 0].expand(3, -1)
    built = []
    for item in (problem, changed):
        # without artifacts streams are the run's own
        bare = Setup(
            seed=0, task="t/t", method="t/m", device=CPU, workdir=setup.workdir, tools=Serving()
        )
        built.append(_models.models(bare, "retrained", item, rows, {}))
    assert all(
        torch.equal(built[0][name], built[1][name]) for name in built[0] if name != "seconds"
    )
    assert not torch.equal(built[0]["0.weight"][0], built[0]["0.weight"][1])


def test_models_trained_side_by_side_are_those_trained_one_by_one(setup_of):
    task = UnlearnRandom(originals=3, **SMALL)
    problem = task.prepare(setup_of(task)).problems[0]
    runs = [setup_of(task, seed=seed, kind=Run) for seed in range(3)]
    together = Group([problem] * 3, runs)
    stacked = train(together, together.fresh(), together.rows(together.retain, "retain"))
    for seed in range(3):
        group = Group([problem], [setup_of(task, seed=seed, kind=Run)])
        alone = train(group, group.fresh(), group.rows(group.retain, "retain"))
        torch.testing.assert_close(
            stacked.member(seed)(problem.x), alone.member(0)(problem.x), rtol=0, atol=1e-4
        )


def test_tasks_of_equal_data_share_labels_and_originals_and_a_second_method_trains_no_model(
    run_plan, tmp_path, monkeypatch
):
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))

    def trained():
        pages = [
            json.loads(page.read_text())
            for page in (tmp_path / "cache" / "artifacts").glob("*/recipe.json")
        ]
        return sorted(page["recipe"]["what"] for page in pages if "rows" in page["recipe"])

    small = "data=digits,n_train=200,n_val=50,n_pool=100,widths=(16,),epochs=3,originals=3"
    first = run_plan(
        methods=("unlearning-privacy/original",), tasks=(f"unlearn-random[{small}]",), seeds="0-0"
    )
    assert [record.status for record in first.records] == ["ok"]
    assert trained() == ["unlearning originals", "unlearning retrained"]
    second = run_plan(
        methods=("unlearning-privacy/ft", "unlearning-privacy/retrain"),
        tasks=(f"unlearn-random[{small}]",),
        seeds="0-0",
    )
    assert [record.status for record in second.records] == ["ok", "ok"]
    assert trained() == ["unlearning originals", "unlearning retrained"]
    other = run_plan(
        methods=("unlearning-privacy/original",), tasks=(f"unlearn-class[{small}]",), seeds="0-0"
    )
    assert [record.status for record in other.records] == ["ok"]
    assert trained() == ["unlearning originals", "unlearning retrained", "unlearning retrained"]


def test_the_same_seed_twice_gives_the_same_metrics_and_two_pictures(run_plan, tmp_path):
    small = "data=digits,n_train=200,n_val=50,n_pool=100,widths=(16,),epochs=3,originals=3"
    ran = [
        run_plan(
            methods=("unlearning-privacy/random-label",),
            tasks=(f"unlearn-random[{small}]",),
            seeds="0-0",
            results=tmp_path / f"results-{k}",
        ).records[0]
        for k in range(2)
    ]
    assert [record.status for record in ran] == ["ok", "ok"]
    assert ran[0].metrics == ran[1].metrics
    assert [sorted(record.images) for record in ran] == [["phi", "plane"]] * 2


CHEAT = """
from typing import ClassVar
from bench import Method, MethodCard


class Thief(Method):
    card: ClassVar = MethodCard(name="thief", title="Thief", track=("unlearning-privacy", "unlearning-correction"))

    def solve(self, problem, run):
        return {reach}
"""


@pytest.mark.parametrize(
    ("task", "reach", "said"),
    [
        ("unlearn-random", "problem.x_test", "a method sees no 'x_test': test rows"),
        (
            "unlearn-random",
            "problem.retrained",
            "a method sees no 'retrained': test rows, retrained and shadow models",
        ),
        ("unlearn-random", "run.dataset('digits')", "'Run' object has no attribute 'dataset'"),
        (
            "unlearn-corrective",
            "problem.corrupted",
            "a method sees no 'corrupted': test rows, retrained and shadow models and unknown "
            "corrupted rows",
        ),
    ],
)
def test_a_method_that_reaches_for_what_is_hidden_fails_with_a_sentence(
    run_plan, tmp_path, task, reach, said
):
    (tmp_path / "thief.py").write_text(CHEAT.format(reach=reach))
    small = "data=digits,n_train=100,n_val=20,widths=(8,),epochs=1" + (
        ",n_pool=20,originals=3" if task == "unlearn-random" else ",oracles=1"
    )
    ran = run_plan(
        methods=("thief",),
        tasks=(f"{task}[{small}]",),
        variants=("poison50",) if "corrective" in task else (),
        seeds="0-0",
        paths=[str(tmp_path / "thief.py")],
    )
    assert {record.status for record in ran.records} == {"failed"}
    assert said in ran.records[0].error.message


def test_the_games_are_methods_of_a_plugin_folder():
    folder = Path(__file__).parents[2] / "games"
    found = {row.name for row in Registry(paths=[str(folder)]).rows("method")}
    games = ("hide", "lookup", "shift", "short", "temperature")
    assert {f"game-{name}" for name in games} <= found


def test_two_originals_are_refused_in_one_sentence(run_plan):
    with pytest.raises(UsageError, match=r"originals takes a whole number at least 3"):
        run_plan(
            methods=("unlearning-privacy/original",),
            tasks=("unlearn-random[originals=2]",),
            seeds="0-0",
        )
