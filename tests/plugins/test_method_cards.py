"""What the cards of all built-in methods and tasks state, so that a board may show it."""

import itertools
import math

import pytest

from bench.cards import MethodCard
from bench.params import check_value
from bench.plugins.registry import Registry, method_card, task_card

TUNED = ("noisy-labels", "condensation", "unlearning-privacy")
"""Tracks that have a board at an equal budget of tuning."""


@pytest.fixture(scope="module")
def registry():
    return Registry()


def test_every_method_says_where_its_defaults_come_from(registry):
    silent = [
        entry.name for entry in registry.rows("method") if not method_card(entry).defaults_from
    ]
    assert not silent


def test_a_method_whose_defaults_are_the_papers_counts_no_trials_and_names_its_paper(registry):
    for card in map(method_card, registry.rows("method")):
        if card.defaults_from == "paper":
            assert card.trials == 0
            assert card.paper, card.name


@pytest.mark.parametrize(
    ("fields", "given"),
    [
        ({"trials": -1, "defaults_from": "here"}, "-1"),
        ({"trials": 3}, "3"),
        ({"trials": None, "defaults_from": "paper"}, "None"),
    ],
)
def test_trials_that_no_default_came_from_are_refused(fields, given):
    with pytest.raises(ValueError, match=rf"has trials={given}; give 0 or more or None"):
        MethodCard(name="m", title="M", track="t", **fields)


def test_what_tune_may_try_holds_the_default_and_is_accepted_by_the_method(registry):
    for entry in registry.rows("method"):
        for name, values in method_card(entry).tuning.items():
            default = entry.params[name].default
            assert default in [
                check_value(entry.name, name, entry.params[name], value) for value in values
            ], (entry.name, name, default)
            assert len(set(values)) == len(values)


def test_spaces_are_of_about_one_size_so_that_eight_trials_are_an_equal_budget(registry):
    sizes = {}
    for entry in registry.rows("method"):
        card = method_card(entry)
        if set(card.tracks) & set(TUNED) and "selection" not in card.tracks:
            sizes[card.name] = (
                math.prod(len(values) for values in card.tuning.values()) if card.tuning else None
            )
    untuned = {name for name, size in sizes.items() if size is None}
    assert all(size in (8, 9) for size in sizes.values() if size is not None), sizes
    plain = {card.name for card in map(method_card, registry.rows("method")) if card.plain}
    assert untuned - plain <= {"original", "retrain", "ce"}  # nothing to set


def test_every_ranked_task_of_a_tuned_track_can_be_tuned_on(registry):
    for entry in registry.rows("task"):
        card = task_card(entry)
        if card.track in TUNED and "default" in card.presets:
            assert card.tuning, card.name
            (metric,) = [metric for metric in card.metrics if metric.validation]
            assert metric.bounds is not None
            assert metric.direction == card.primary.direction


def test_every_primary_metric_declares_bounds_and_ends_where_its_scale_does(registry):
    """An open end is an error in a target's unit, which has no largest
    value; anchors far apart are told by the seeds there.
    """
    open_ended = set()
    for card in map(task_card, registry.rows("task")):
        assert card.primary.bounds is not None, card.name
        least, most = card.primary.bounds
        if least is None or most is None:
            open_ended.add(card.name)
            assert (card.primary.direction, least) == ("min", 0) or (
                card.primary.direction,
                most,
            ) == ("max", 1)  # the share of a variance that is explained
    ranked = {
        card.name
        for card in map(task_card, registry.rows("task"))
        if card.name in open_ended and "default" in card.presets
    }
    assert ranked == {
        "clean-and-noisy",
        "clean-and-noisy-digits",
        "collapse-regression",
        "al-redundant",
        "al-rotated",
        "friedman",
        "gotu",
        "impute-breast-cancer",
        "impute-clusters",
        "impute-wine",
        "missing-linear",
        "mixed-functions",
        "moleculeace",
        "overlap",
        "progression",
        "sensor-diabetes",
        "sensor-friedman",
        "solubility",
        "target-shift-diabetes",
        "target-shift-regression",
        "value-exact",
        "waves",
    }


def test_every_metric_of_every_task_declares_bounds(registry):
    bare = [
        (card.name, metric.name)
        for card, metric in itertools.chain(
            *(((c, m) for m in c.metrics) for c in map(task_card, registry.rows("task")))
        )
        if metric.bounds is None
    ]
    assert not bare
