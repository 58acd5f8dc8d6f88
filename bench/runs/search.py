"""``--tune N``: choose a method's parameters by the task's validation score, never by its test
score.

A trial is an ordinary recorded run of the task with the parameters of its card's ``tuning``, under
which it holds out a part of the training data, as the method sees them, and scores that. Trials
have seeds of their own, which no board uses.
"""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from bench.cards import Metric
from bench.digests import canonical, stream_seed
from bench.errors import UsageError
from bench.params import changed, check_value, parse_value, render_call, split_call
from bench.plugins.entries import Entry
from bench.plugins.registry import method_card, task_card
from bench.runs.plan import Cell, NotRun, Plan
from bench.runs.record import Record

FIRST_SEED = 10**6
"""Trials use this seed and the next ones; a board's seeds are others."""
SEEDS = 3
"""Most seeds of a trial; a preset with fewer seeds has fewer."""
_PARTS = ("prepare_s", "solve_s", "report_s", "evaluate_s")


class Search(msgspec.Struct, frozen=True):
    """One method on one variant: the settings to try, and the cells that
    run with the chosen one.
    """

    cells: list[Cell]
    trials: list[dict[str, Any]]
    seeds: list[int]
    metric: Metric
    space: int
    """Settings that the method's card and defaults offer; 0: they were given by hand."""

    def runs(self) -> list[list[Cell]]:
        """Return the cells of every trial, one a seed."""
        first = self.cells[0]
        split = task_card(first.task).tuning
        spec = msgspec.structs.replace(
            first.spec,
            task_params={**first.spec.task_params, **split},
            variant=_label(first.task, first.spec.variant, split),
        )
        return [
            [
                msgspec.structs.replace(
                    first,
                    spec=msgspec.structs.replace(spec, params=params, seed=seed),
                    reference="",
                    custom=True,
                )
                for seed in self.seeds
            ]
            for params in self.trials
        ]


def searches(plan: Plan, count: int) -> tuple[list[Search], Plan]:
    """Return what is to be searched for a plan, and the plan of what is not: methods without
    alternatives, and pairs without a validation score.

    Alternatives are those of the command line, ``elr[lam=1|3|7]``, else the combinations of the
    card's ``tuning`` beside the parameters as given. Of more than ``count`` the first and a sample
    of the others are tried, the same every time.

    Raises:
        UsageError: there is nothing to choose from, or a seed of the plan is one of the trials'.
    """
    groups: dict[bytes, list[Cell]] = defaultdict(list)
    for cell in plan.cells:
        spec = cell.spec
        groups[
            canonical([spec.track, spec.method, spec.task, spec.task_params, spec.variant])
        ].append(cell)
    found, rest, refused = [], Plan([], list(plan.not_run)), 0
    for cells in groups.values():
        trials, space = _settings(cells, count)
        card = task_card(cells[0].task)
        if len(trials) < 2:
            rest.cells += cells
        elif not card.tuning:
            refused += 1
            reason = (
                f"{card.name} has no validation score, so --tune can't choose parameters on "
                "it; leave --tune out"
            )
            rest.not_run.append(
                NotRun(
                    track=cells[0].spec.track,
                    method=cells[0].spec.method,
                    task=card.name,
                    status="not_applicable",
                    reason=reason,
                )
            )
        else:
            mine = [cell for cell in cells if cell.spec.params == cells[0].spec.params]
            seeds = [
                FIRST_SEED + position
                for position in range(min(SEEDS, card.presets[cells[0].spec.preset].seeds))
            ]
            if clash := sorted({cell.spec.seed for cell in mine} & set(seeds)):
                raise UsageError(
                    f"--seeds holds {clash[0]}, which --tune uses for its trials; give seeds "
                    f"below {FIRST_SEED}."
                )
            found.append(
                Search(
                    mine,
                    trials,
                    seeds,
                    next(metric for metric in card.metrics if metric.validation),
                    space,
                )
            )
    if not found and not refused:
        raise UsageError(
            "--tune has nothing to choose from: write alternatives like 'elr[lam=1|3|7]', or name "
            "a method whose card has 'tuning'."
        )
    return found, rest


def _settings(cells: Sequence[Cell], count: int) -> tuple[list[dict[str, Any]], int]:
    """Return the settings to try, and how many the card and the defaults
    offer; 0 where they were given by hand.
    """
    given = list({canonical(cell.spec.params): cell.spec.params for cell in cells}.values())
    method = cells[0].method
    if method is None:
        return given, 0
    settings = given if len(given) > 1 else _expanded(method, given[0])
    by_hand = len(given) > 1 or bool(changed(method.name, method.params, given[0]))
    space = 0 if by_hand else len(settings)
    if len(settings) > count:
        chance = random.Random(stream_seed("tune", method.identity, cells[0].spec.task, settings))  # noqa: S311 - a fixed sample, no secret
        settings = [
            settings[0],
            *(
                settings[1:][position]
                for position in sorted(chance.sample(range(len(settings) - 1), count - 1))
            ),
        ]
    return settings, space


def _expanded(method: Entry, base: dict[str, Any]) -> list[dict[str, Any]]:
    """Return ``base`` and what the card's candidates make of it; a
    parameter that was given another value than the default stays.
    """
    free = {
        name: values
        for name, values in method_card(method).tuning.items()
        if base.get(name) == method.params[name].default
    }
    checked = [
        [check_value(method.name, name, method.params[name], value) for value in values]
        for name, values in free.items()
    ]
    others = [
        {**base, **dict(zip(free, values, strict=True))} for values in itertools.product(*checked)
    ]
    return [base, *(other for other in others if other != base)]


def _label(task: Entry, variant: str, split: Mapping[str, Any]) -> str:
    """Write the variant as ``--task 'name[key=value]'`` would name it."""
    name, call = split_call(variant)
    values = {
        key: parse_value(task.name, key, task.params[key], texts[0]) for key, texts in call.items()
    } | dict(split)
    return render_call(name, {key: values[key] for key in task.params if key in values})


def chosen(search: Search, records: Mapping[str, Record]) -> list[Cell] | NotRun:
    """Return the cells that run with the best setting, which say how it was chosen; why there are
    none, where no trial has a score.

    Args:
        search: what was tried.
        records: cell -> record, of the trials that ran.
    """
    tried = [[records.get(cell.spec.cell) for cell in cells] for cells in search.runs()]
    scores = [_score(found, search.metric.name) for found in tried]
    known = [
        (score if search.metric.direction == "min" else -score, position)
        for position, score in enumerate(scores)
        if score is not None
    ]
    first = search.cells[0]
    if not known:
        reason = f"no trial of --tune on variant {first.spec.variant} has a score"
        return NotRun(
            track=first.spec.track,
            method=first.spec.method,
            task=first.spec.task,
            status="not_tuned",
            reason=reason,
        )
    best = min(known)[1]
    tuning = {
        "metric": search.metric.name,
        "split": task_card(first.task).tuning,
        "seeds": search.seeds,
        "trials": search.trials,
        "space": search.space,
        "scores": scores,
        "records": [[record.id for record in found if record is not None] for found in tried],
        "chosen": best,
        "seconds": sum(
            record.cost.get(name) or 0.0
            for found in tried
            for record in found
            if record is not None
            for name in _PARTS
        ),
    }
    return [
        msgspec.structs.replace(
            cell,
            spec=msgspec.structs.replace(cell.spec, params=search.trials[best], tuning=tuning),
            custom=True,
        )
        for cell in search.cells
    ]


def _score(records: Sequence[Record | None], metric: str) -> float | None:
    """Return the mean over the seeds; None where a seed has no score,
    since fewer seeds are another measurement.
    """
    values = [
        record.metrics.get(metric) if record is not None and record.status == "ok" else None
        for record in records
    ]
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) else None
