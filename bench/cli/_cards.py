"""What ``bench show`` says of the cards of plugins and tracks."""

from __future__ import annotations

from typing import Any

import msgspec

from bench.cards import TEST_SETS, MethodCard, TaskCard
from bench.cli._options import (
    table,
)
from bench.cli._settings import settings_table
from bench.params import describe_type, render_value
from bench.plugins.entries import Entry
from bench.plugins.registry import Registry

_OFFICIAL = {"ok": "read", "flawed": "read, and differs from the paper", "none": ""}
"""What a method's card says of its authors' code."""
_NAMED = 3
"""Most tasks that a list names."""


def track_document(track: str, registry: Registry) -> dict[str, Any]:
    """Return what is known of a track as plain data; ``card`` is None
    where no plugin brings one.
    """
    card = registry.track_card(track)
    source = registry.cards_of(track)[0].source if card else ""
    members = {
        f"{kind}s": [entry.name for entry in registry.rows(kind) if entry.track == track]
        for kind in ("method", "task")
    }
    return {
        "kind": "track",
        "identity": track,
        "source": source,
        "card": msgspec.to_builtins(card),
        **members,
    }


def track_text(track: str, registry: Registry) -> str:
    """Return what is known of a track as text."""
    found = track_document(track, registry)
    card = found["card"] or {"title": "No plugin brings a card of this track."}
    facts = {name: card.get(name, "") for name in ("about", "field", "ranked")} | {
        "source": found["source"]
    }
    facts |= {name: ", ".join(found[name]) for name in ("methods", "tasks")}
    return "\n".join([f"track {track}", card["title"], "", *_facts(facts)])


def _facts(facts: dict[str, str]) -> list[str]:
    return [f"{name + ':':<18} {value}" for name, value in facts.items() if value]


def _pins(pinned: str | dict[str, str]) -> dict[str, str]:
    """Return the pins of a dataset's card as facts, one for each set of parameters."""
    pins = {"": pinned} if isinstance(pinned, str) else pinned
    return {f"fingerprint {params}".strip(): text for params, text in pins.items()}


def origin(card: MethodCard) -> str:
    """Say where a method's defaults come from, and how many settings were tried to choose them; an
    empty string where the card does not.
    """
    if card.defaults_from != "here":
        return card.defaults_from and "the paper or its authors' code"
    tried = (
        "how many settings were tried was not counted"
        if card.trials is None
        else f"{card.trials or 'no'} setting{'s' * (card.trials != 1)} tried"
    )
    return f"chosen here, {tried}"


def source_text(row: dict[str, Any]) -> str:
    """Say where a method of a list comes from; a reference may belong to more tasks than fit."""
    tasks = row.get("tasks", ())
    return row["source"] if len(tasks) <= _NAMED else f"{len(tasks)} tasks, like {tasks[0]}"


def card_text(group: list[Entry]) -> str:
    """Return the card of a plugin, listed once for each of its tracks, as text."""
    entry, card = group[0], group[0].card
    lines = [f"{entry.kind} {', '.join(other.identity for other in group)}", card.title, ""]
    facts: dict[str, str] = {
        "source": entry.source,
        "licence": card.licence,
        "libraries": ", ".join(card.libraries),
    }
    if isinstance(card, MethodCard):
        facts |= {
            "paper": card.paper,
            "claim": card.claim,
            "authors' code": _OFFICIAL[card.official_code],
            "deviates": card.deviates,
            "signal": card.signal,
            "needs": ", ".join(card.needs),
            "inputs": "" if card.inputs == "any" else card.inputs,
            "plain baseline": "yes" if card.plain else "",
            "seeds in one pass": "yes" if card.stacked else "no",
            "defaults from": origin(card) if entry.params else "",
            "--tune tries": "; ".join(
                f"{name} {', '.join(map(render_value, values))}"
                for name, values in card.tuning.items()
            ),
        }
    elif isinstance(card, TaskCard):
        facts |= {
            "data": ", ".join(card.datasets),
            "test set": TEST_SETS[card.test_set],
            "budget": card.budget,
            "offers": ", ".join(card.offers),
            "references": ", ".join(
                f"{reference.name} ({reference.kind})" for reference in card.references
            ),
        }
    else:
        facts |= {
            "size": card.size,
            "from": card.source,
            "had": card.had,
            "get it by": card.get,
            **_pins(card.fingerprint),
        }
    lines += _facts(facts)
    if entry.params:
        rows = [
            [
                name,
                "required" if param.default is msgspec.UNSET else render_value(param.default),
                describe_type(param.type),
                param.doc,
            ]
            for name, param in entry.params.items()
        ]
        lines += ["", table(rows, ["parameter", "default", "takes", "what"])]
        lines += settings_table(entry)
    if isinstance(card, TaskCard):
        presets = [
            [
                name,
                variant,
                preset.seeds,
                " ".join(
                    f"{key}={render_value(value)}"
                    for key, value in {**preset.params, **params}.items()
                ),
            ]
            for name, preset in card.presets.items()
            for variant, params in preset.variants.items()
        ]
        lines += ["", table(presets, ["preset", "variant", "seeds", "parameters"])]
        lines += [
            f"preset {name} runs {', '.join(preset.methods)}; others run by name"
            for name, preset in card.presets.items()
            if preset.methods
        ]
        lines += [
            "",
            table(
                [
                    [
                        metric.name + (" *" if metric.primary else ""),
                        metric.direction,
                        metric.unit,
                        metric.title,
                    ]
                    for metric in card.metrics
                ],
                ["metric", "better", "unit", "what"],
            ),
        ]
    return "\n".join(lines)
