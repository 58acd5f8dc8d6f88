"""Writing a track's board as LaTeX or as lines of a CSV."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._render_tracks import word_of
from ._text import counted, number, one_line, range_of, suite_text

Row = Mapping[str, Any]


def track_latex(track: Row, suite: Row) -> str:
    """Return the ranked rows of a track as a LaTeX table for the package
    booktabs; text is escaped.
    """
    from tabulate import tabulate

    rows = [row for row in track["rows"] if row["place"]]
    if not rows:
        return f"% {one_line(track['track'])}: no method has run the whole suite."
    heads = [
        "#",
        "range",
        "method",
        "score",
        "95 % interval",
        "IQM",
        "P(> baseline)",
        "vs baseline",
        "vs first",
        "vs best plain",
    ]
    lines = [
        [
            str(row["place"]),
            range_of(row).replace("–", "-"),  # noqa: RUF001
            one_line(row["method"]) + (" (plain)" if row["plain"] else ""),
            number(row["score"], 3),
            f"[{number(row['low'], 3)}, {number(row['high'], 3)}]"
            if row["low"] is not None
            else "-",
            number(row["iqm"][0], 3),
            number(row["p_better"][0], 2) if row["p_better"] else "-",
            *(
                word_of(found).replace("≈", "same") if (found := row[name]) else "-"
                for name in ("vs_null", "vs_first", "vs_plain")
            ),
        ]
        for row in rows
    ]
    aligned = ["right", "right", "left", "right", "right", "right", "right", "left", "left", "left"]
    table = tabulate(
        lines, headers=heads, tablefmt="latex_booktabs", colalign=aligned, disable_numparse=True
    )
    return (
        f"% {one_line(track['title'])}, suite {one_line(suite_text(suite))}, "
        f"{counted(len(track['scored_tasks']), 'task')}, {suite['seeds']} seeds\n{table}"
    )


def track_lines(track: Row) -> list[dict[str, Any]]:
    """Return one flat mapping a row of a track; nested figures get dotted names."""
    lines = []
    for row in track["rows"]:
        flat = {
            key: row[key]
            for key in (
                "place",
                "place_unaided",
                "leading",
                "method",
                "reference",
                "plain",
                "peeks",
                "score",
                "low",
                "high",
                "mean_rank",
                "provisional",
                "stale",
                "ok",
                "imputed",
                "of",
            )
        }
        pairs = {
            f"range.{end}": value
            for end, value in zip(("low", "high"), row["range"] or (None, None), strict=True)
        }
        pairs |= {
            f"wide.{end}": value
            for end, value in zip(("low", "high"), row["wide"] or (None, None), strict=True)
        }
        for name in ("iqm", "p_better"):
            pairs |= {
                f"{name}{end}": value
                for end, value in zip(
                    ("", ".low", ".high"), row[name] or (None, None, None), strict=True
                )
            }
        for name in ("vs_null", "vs_first", "vs_plain"):
            found = row[name] or dict.fromkeys(
                ("mean", "low", "high", "p", "p_holm", "verdict", "leans", "seeds_needed")
            )
            pairs |= {f"{name}.{key}": value for key, value in found.items()}
        cost = {f"cost.{key}": value for key, value in row["cost"].items()} | {
            f"front.{key}": value for key, value in row["front"].items()
        }
        lines.append(
            {
                "track": track["track"],
                **flat,
                **pairs,
                **cost,
                "defaults": row["defaults"],
                "class": row["class"],
                "needs": " ".join(row["needs"]),
                "warnings": "; ".join(row["warnings"]),
                "why": row["why"],
            }
        )
    return lines
