"""Writing the comparison of two methods as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._render_tables import decimals, difference
from ._text import Column, class_column, escape, grid, number, seeds_text

Row = Mapping[str, Any]


def comparison_markdown(board: Row) -> str:
    rows = board["rows"]
    if not rows:
        return ""
    a, b = escape(board["a"]), escape(board["b"])
    digits = [decimals((row["a_mean"], row["b_mean"])) for row in rows]
    columns: list[Column] = [
        *(
            (key, "left", [escape(row[key]) for row in rows])
            for key in ("task", "variant", "preset", "device")
        ),
        *class_column(rows),
        ("n", "right", [str(row["n"]) for row in rows]),
        (
            a,
            "right",
            [number(row["a_mean"], places) for row, places in zip(rows, digits, strict=True)],
        ),
        (
            b,
            "right",
            [number(row["b_mean"], places) for row, places in zip(rows, digits, strict=True)],
        ),
        (
            "difference (95 % interval)",
            "right",
            [
                difference({**row, "mean": row["difference"]}, places)
                for row, places in zip(rows, digits, strict=True)
            ],
        ),
        (
            "p (Holm)",
            "right",
            ["—" if row["p_holm"] is None else f"{row['p_holm']:.2g}" for row in rows],
        ),
        (
            "verdict",
            "left",
            [
                ", ".join(
                    filter(
                        None,
                        [
                            f"leans {row['leans']}" if row["leans"] else row["verdict"],
                            seeds_text(row["seeds_needed"]),
                        ],
                    )
                )
                for row in rows
            ],
        ),
    ]
    legend = (
        "Means over the n common seeds. A positive difference, 'better' and 'leans +' say "
        f"that {a} is better than {b}; p is adjusted over the rows shown."
    )
    return f"### {a} against {b}\n\n{grid(columns)}\n\n{legend}"
