"""What a task judges by: drawn anew by every seed unless its card says otherwise, the same for
every method, and apart from the training rows.
"""

import numpy as np
import pytest
import torch

from bench.params import resolve
from bench.plugins.registry import Registry, task_card
from bench.plugins.source import import_target
from bench.runs.artifacts import Artifacts
from bench.runs.context import Setup
from bench.runs.guard import leaves
from bench.runs.tools import Tools
from bench.tracks.weak_supervision import Sentences
from bench.training.data import Examples, RatedTexts

QUICK = {
    "originals": 3,
    "shadows": 2,
    "skill_steps": 1,
    "habit_steps": 1,
    "n_prompts": 64,
    "per_class": 9,
    "rounds": 1,
    "lower_epochs": 1,
    "score_steps": 1,
    "score_width": 8,
}
TRAINED = {"epochs": 1, "widths": (8,), "batch_size": 1024}
"""Make small what the split does not depend on, and what a task trains before it asks."""
SHAPES = {
    "digits": (1797, 1, 8, 8),
    "mnist5k": (5000, 1, 28, 28),
    "iris": (150, 4),
    "wine": (178, 13),
    "breast-cancer": (569, 30),
    "clusters": (1000, 10),
    "diabetes": (442, 10),
    "fashion-mnist": (12_000, 1, 28, 28),  # of 60,000
    "letter": (20_000, 16),
    "satellite": (6_435, 36),
    "segment": (2_310, 18),
    "csv": (150, 4),
    "control-charts": (3_000, 1, 60),
    "snippets": (8_000, 1, 512),  # of 23,619
    "patches": (400, 1, 28, 28),
    "glyphs": (400, 1, 28, 28),
}
CLASSES = {
    "iris": 3,
    "wine": 3,
    "breast-cancer": 2,
    "clusters": 4,
    "letter": 26,
    "satellite": 6,
    "segment": 7,
    "csv": 3,
    "control-charts": 6,
    "snippets": 4,
}
TASKS = {
    entry.identity: entry
    for entry in Registry().rows("task")
    if "default" in task_card(entry).presets and entry.name not in ("moleculeace", "solubility")
}
"""All whose data is here without an extra."""
WORDS = (
    "label-errors/vader-ratings",
    "noisy-labels/noisy-words",
    "weak-supervision/weak-reviews",
)
MADE = (
    "accuracy-estimation/estimate-digits",
    "accuracy-estimation/estimate-mnist",
    "algorithmic/gotu",
    "algorithmic/modular",
    "algorithmic/modular-noisy",
    "algorithmic/parity",
    "active-learning/al-outliers",
    "active-learning/al-redundant",
    "active-learning/al-rotated",
    "group-shift/accuracy-curve",
    "group-shift/dominoes-mnist",
    "group-shift/feature-bias",
    "group-shift/linslab",
    "group-shift/noisy-environments",
    "group-shift/spurious-digits",
    "group-shift/spurious-mnist",
    "group-shift/spurious-mnist10",
    "input-attribution/block-mnist",
    "input-attribution/diffroar-mnist",
    "long-tail/zipf-pairs",
    "noisy-regression/sensor-friedman",
    "missing-data/missing-linear",
    "open-ended/mixed-functions",
    "positive-unlabeled/pu-gaussians",
    "positive-unlabeled/spml-synthetic",
    "recipes/overlap",
    "weak-supervision/weak-generated",
    "target-shift/label-shift-mnist",
    "target-shift/target-shift-diabetes",
    "target-shift/target-shift-regression",
    "selective-prediction/reject-digits",
    "selective-prediction/reject-mnist",
)
"""Tasks that make rows, or pictures of several rows or with marks: a figure of theirs names no row."""
NOT_NUMBERED = (
    "continual/plastic-digits",
    "graph-ood",
    "imputation",
    "missing-data",
    "node-graphs",
    "poisoning/unlearnable-mnist",
    "policy-optimization",
    "privacy-audit",
    "synthetic-data",
    *WORDS,
    *MADE,
)
"""Tracks and tasks whose rows are made, not taken from a dataset, those that score their training
rows or hold them in the hidden part too, tasks whose rows are hashed words, and others that make
theirs.
"""


MAY_TELL = {
    ("algorithmic/gotu", "y_test"),  # all inputs of a function, in the order of their numbers
    ("data-valuation", "twin"),  # the place of a row itself
    ("node-graphs/duplicates", "labels"),  # copies stand beside their rows in the leaky variant
    ("node-graphs/duplicates", "whole.y"),
    ("node-graphs/fair-blocks", "whole.told"),
    ("poisoning", "y_test"),  # as many as there are rows of another kind
    ("label-errors/errors-clusters", "y_test"),
    ("unlearning-privacy", "data.y_true"),  # no score asks for labels from before the noise
}
"""What the places of rows tell, by task and name."""


class Numbered(Tools):
    """Serves datasets of the real shapes in which every figure of a row is its number, so that a
    row is known whatever becomes of its scale. Rows are sorted by class, as those of many datasets.
    """

    def dataset(self, run, name, params):
        if name == "vader":
            generator = torch.Generator().manual_seed(0)
            signs = torch.randint(3, (7500, 1), generator=generator) - 1
            return RatedTexts(
                [f"word-{row}" for row in range(7500)],
                signs.expand(-1, 10).to(torch.int8).contiguous(),
            )
        if name == "review-sentences":
            signs = torch.arange(2500) % 2 * 2.0 - 1
            words = "abcdefgh"
            texts = (f"w{words[row % 8]} z{words[row // 8 % 8]}" for row in range(2500))
            return Sentences(tuple(texts), signs, signs)
        rows, classes = torch.arange(SHAPES[name][0]), CLASSES.get(name, 10)
        if params.get("split") == "test":  # other rows than those of the training part
            rows = rows[:2_000] + len(rows)
        x = (
            (rows / SHAPES[name][0])
            .view(-1, *[1] * (len(SHAPES[name]) - 1))
            .expand(-1, *SHAPES[name][1:])
            .contiguous()
        )
        return Examples(
            x,
            x[:, 0] if name == "diabetes" else rows % SHAPES[name][0] * classes // SHAPES[name][0],
            0 if name == "diabetes" else classes,
        )

    def quiet(self):
        return self


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Return the case of a default variant of a task, the first one unless it is named, made once
    for each task, seed, method and variant.
    """
    made = {}

    def case(identity, seed, method="m", variant=None):
        variant = variant or next(iter(task_card(TASKS[identity]).presets["default"].variants))
        if (identity, seed, method, variant) not in made:
            entry = TASKS[identity]
            preset = task_card(entry).presets["default"]
            quick = QUICK | (
                TRAINED
                if entry.track.startswith(("unlearning", "privacy", "ood", "selective"))
                else {}
            )
            params = {
                **preset.params,
                **preset.variants[variant],
                **{name: value for name, value in quick.items() if name in entry.params},
            }
            task = import_target(entry.target).make(resolve(entry.name, entry.params, params))
            folder = tmp_path_factory.mktemp("run")
            run = Setup(
                seed=seed,
                task=identity,
                method=f"t/{method}",
                device=torch.device("cpu"),
                workdir=folder,
                artifacts=Artifacts(folder),
                tools=Numbered(),
            )
            made[identity, seed, method, variant] = task.prepare(run)
        return made[identity, seed, method, variant]

    return case


def tags(case, names=("x", "x_val", "x_pool", "x_test")):
    """Return the numbers of the training rows and those of all rows that the hidden part holds
    besides, each up to one scale for both.
    """
    found = [
        tensor.flatten(1)[:, 0]
        for path, tensor in leaves(case.hidden)
        if path.rpartition(".")[2] in names and path != "data.x"
    ]
    problem = case.problems[0]
    rows = torch.cat(problem.stream._x) if hasattr(problem, "stream") else problem.x
    return rows.flatten(1)[:, 0], torch.cat(found)


def judged_by(identity, case):
    """Return what is the same if and only if the task judges by the same
    rows: rows by their place among all, questions, graphs or the problem's own rows.
    """
    if identity.startswith("policy"):
        return [split.ids.tolist() for split in case.hidden.splits.values()]
    if identity.startswith("graph"):
        return case.hidden.splits["ood_test"].graphs.edges.tolist()
    if identity.startswith("privacy"):
        return [*case.problems[0].y.tolist(), *case.hidden.trained_on.tolist()]
    if identity.startswith(("open-ended", "input-attribution")):
        return case.problems[0].x.flatten().tolist()
    if identity == "target-shift/label-shift-mnist":
        return case.hidden.p_target.flatten().tolist()
    if identity.startswith("accuracy-estimation"):
        return case.problems[0].targets[case.hidden.kinds.index("clean")].flatten().tolist()
    if identity.startswith("imputation"):
        return case.hidden.holes.tolist()
    if identity.startswith("synthetic-data"):
        return getattr(case.hidden, "clean", case.problems[0].x).flatten().tolist()
    if identity == "algorithmic/gotu":
        return case.hidden.y_test.tolist()
    if identity.startswith("algorithmic/modular"):
        return case.hidden.seen.tolist()
    if identity in WORDS or identity.startswith(("algorithmic", "target-shift")):
        return case.hidden.x_test.tolist()
    # rows for other ends may be drawn where the test part is the data's own
    drawn = task_card(TASKS[identity]).test_set == "drawn"
    train, hidden = tags(case) if drawn else tags(case, ("x_test",))
    return torch.cat([train, hidden]).unique(return_inverse=True)[1][len(train) :].tolist()


@pytest.mark.parametrize("identity", TASKS)
def test_two_seeds_judge_by_other_rows_unless_the_card_says_that_these_are_fixed(
    prepared, identity
):
    first, second = (judged_by(identity, prepared(identity, seed)) for seed in (0, 1))
    assert (first != second) == (task_card(TASKS[identity]).test_set == "drawn")


@pytest.mark.parametrize("identity", TASKS)
def test_a_seed_gives_every_method_the_same_rows(prepared, identity):
    first, second = (
        judged_by(identity, prepared(identity, 0, method)) for method in ("m", "another")
    )
    assert first == second


@pytest.mark.parametrize("identity", [name for name in TASKS if not name.startswith(NOT_NUMBERED)])
def test_no_seed_trains_on_a_row_that_it_judges_by(prepared, identity):
    for seed in (0, 1):
        train, hidden = tags(prepared(identity, seed))
        assert not set(train.tolist()) & set(hidden.tolist())
        assert len(train.unique()) == len(train)


@pytest.mark.parametrize(
    "identity",
    [
        name
        for name in TASKS
        if not name.startswith(("graph", "node", "policy"))
        and name != "target-shift/target-shift-diabetes"
    ],
)
def test_problems_of_two_seeds_have_one_shape_so_that_they_stack(prepared, identity):
    first, second = (
        {
            path: tuple(tensor.shape)
            for path, tensor in leaves(prepared(identity, seed).problems[0])
            if hasattr(tensor, "shape")
        }
        for seed in (0, 1)
    )
    assert first == second


def excess(values):
    """Return by how many standard deviations equal neighbours, a trend or likeness of neighbours
    exceed what an order drawn at random gives.
    """
    places, generator = np.arange(len(values)), np.random.default_rng(0)

    def found(one):
        return (
            (one[1:] == one[:-1]).mean(),
            abs(np.corrcoef(one, places)[0, 1]),
            np.corrcoef(one[1:], one[:-1])[0, 1],
        )

    drawn = np.array([found(generator.permutation(values)) for _ in range(40)])
    return float(((found(values) - drawn.mean(0)) / (drawn.std(0) + 1e-6)).max())


def told_by_place(case):
    """Return what arrays of the hidden part, one figure for each row of an array of a problem, the
    places of rows tell, by name; those that a problem holds too are left out.
    """
    shown = [
        torch.as_tensor(leaf)
        for _, leaf in leaves(case.problems)
        if isinstance(leaf, torch.Tensor | np.ndarray) and leaf.ndim
    ]
    told = {}
    for path, leaf in leaves(case.hidden):
        if not isinstance(leaf, torch.Tensor | np.ndarray) or leaf.ndim != 1 or len(leaf) < 40:
            continue
        values = torch.as_tensor(leaf)
        alike = [one for one in shown if len(one) == len(values)]
        if (
            alike
            and values.double().std() > 0
            and not any(one.shape == values.shape and bool((one == values).all()) for one in alike)
            and (found := excess(values.double().numpy())) > 6
        ):
            told[path] = found
    return told


@pytest.mark.parametrize(
    ("identity", "variant"),
    [
        (identity, variant)
        for identity, entry in TASKS.items()
        for variant in task_card(entry).presets["default"].variants
    ],
)
def test_the_place_of_a_row_tells_nothing_that_is_hidden(prepared, identity, variant):
    told = told_by_place(prepared(identity, 0, variant=variant))
    why = [name for part, name in MAY_TELL if identity.startswith(part)]
    assert set(told) <= set(why)
