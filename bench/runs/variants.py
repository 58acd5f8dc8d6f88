"""The variants of a task that a request names, and what parameters in brackets make of them: each
set of parameters once, under one name.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from bench.cards import Preset
from bench.errors import UsageError, listed, near
from bench.params import parse_value, render_call, resolve
from bench.plugins.entries import Entry
from bench.plugins.registry import task_card


class Variant(NamedTuple):
    """A set of a task's parameters: its name, the parameters, and whether
    they are other than the card's.
    """

    label: str
    params: dict[str, Any]
    custom: bool


def variants(
    task: Entry, preset: str, wanted: Sequence[str], call: Mapping[str, Sequence[str]]
) -> tuple[list[Variant], list[str]]:
    """Return the variants to run, and a sentence for each whose parameters in brackets make it
    another one.

    Args:
        task: the task.
        preset: name of one of its presets.
        wanted: names of variants; empty: all.
        call: parameter -> the texts of its alternatives.

    Raises:
        UsageError: there is no such variant. ParameterError: a parameter is unknown or its value
            wrong.
    """
    known = task_card(task).presets[preset]
    for name in wanted:
        if name not in known.variants:
            raise UsageError(
                f"{task.name} has no variant {name!r} in preset {preset!r} (from "
                f"--variant).{near(name, known.variants)} Its variants: "
                f"{', '.join(known.variants)}."
            )
    chosen = [name for name in known.variants if not wanted or name in wanted]
    if not call:
        return [Variant(name, resolved(task, known, name, {}), False) for name in chosen], []
    plain = {name: resolved(task, known, name, {}) for name in known.variants}
    found: dict[str, Variant] = {}
    said = []
    for inline in _inline(task, call):
        names: dict[str, list[str]] = {}
        for name in chosen:
            params = resolved(task, known, name, inline)
            variant = _named(task, params, plain)
            found.setdefault(variant.label, variant)
            names.setdefault(variant.label, []).append(name)
        said += [
            sentence for label, of in names.items() if (sentence := _said(task, inline, label, of))
        ]
    return list(found.values()), said


def resolved(task: Entry, preset: Preset, name: str, inline: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a variant with those in brackets."""
    found = resolve(task.name, task.params, {**preset.params, **preset.variants[name], **inline})
    for key in task_card(task).tuning:
        if found[key] == task.params[key].default:
            del found[key]  # a cell that holds nothing out is what it was before the task could
    return found


def _named(task: Entry, params: dict[str, Any], plain: Mapping[str, Mapping[str, Any]]) -> Variant:
    """Name parameters by the variant that they differ least from, the first of several, and what
    differs: one name however they were asked for.
    """

    def differing(name: str) -> dict[str, Any]:
        before = plain[name]
        return {
            key: value
            for key in task.params
            if (value := params.get(key, _value(task, key))) != before.get(key, _value(task, key))
        }

    name = min(plain, key=lambda name: len(differing(name)))
    changed = differing(name)
    return Variant(render_call(name, changed), params, bool(changed))


def _value(task: Entry, key: str) -> Any:
    return task.params[key].default


def _said(task: Entry, inline: Mapping[str, Any], label: str, names: Sequence[str]) -> str:
    if len(names) == 1 and label.partition("[")[0] == names[0]:
        return ""
    call = render_call(task.name, inline)
    if len(names) == 1:
        return f"{call}: variant {names[0]} is {label} then, and runs under that name."
    return f"{call}: the variants {listed(names)} are one then; it runs once, as {label}."


def _inline(task: Entry, call: Mapping[str, Sequence[str]]) -> Iterable[dict[str, Any]]:
    for name in call:
        if name not in task.params:
            resolve(task.name, task.params, {name: None})
    # the variant's label must not depend on the order given
    call = {name: call[name] for name in task.params if name in call}
    for values in itertools.product(*call.values()):
        yield {
            name: parse_value(task.name, name, task.params[name], text)
            for name, text in zip(call, values, strict=True)
        }
