"""A confusion matrix a source, by EM, with the shares of the classes told (doi:10.2307/2346806)."""

from __future__ import annotations

from typing import ClassVar

from bench import MethodCard

from .dawid_skene import BIBTEX, DawidSkene


class DawidSkenePrior(DawidSkene):
    """Dawid and Skene's model, told the shares of the classes."""

    card: ClassVar = MethodCard(
        name="dawid-skene-prior",
        title="Confusion matrices, by EM, shares of the classes told",
        track="weak-supervision",
        paper="doi:10.2307/2346806",
        bibtex=BIBTEX,
        deviates="Abstaining is a vote of its own. Counts are smoothed, and the shares of the "
        "classes are told instead of estimated.",
        needs=("class-prior",),
        stacked=True,
        defaults_from="here",
    )
