"""Data Shapley by permutations (arXiv:1904.02868)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from bench import MethodCard

from ._permutations import PermutationMethod


class PermutationShapley(PermutationMethod):
    """The mean gain of a row over random orders."""

    card: ClassVar = MethodCard(
        name="shapley-perm",
        title="Shapley values by permutations",
        track="data-valuation",
        paper="arXiv:1904.02868",
        bibtex="""@inproceedings{ghorbani2019data,
  title = {Data Shapley: Equitable Valuation of Data for Machine Learning},
  author = {Ghorbani, Amirata and Zou, James},
  booktitle = {ICML},
  year = {2019},
  eprint = {1904.02868},
  archivePrefix = {arXiv}
}""",
        claim="Shapley values find wrong labels, and rows of low value can be dropped, better than "
        "leaving one row out.",
        deviates="No truncation by default, since it biases (setting truncated has it); a fixed "
        "number of orders instead of a test of convergence.",
        signal="utility",
        needs=("utility",),
        defaults_from="here",
    )
    settings: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "antithetic": {"antithetic": True},
        "truncated": {"truncation": 0.01},
    }
