"""Missing inputs left out (arXiv:2206.01640)."""

from __future__ import annotations

from typing import ClassVar

from bench import MethodCard

from ._promissing import Pruned


class Promissing(Pruned):
    """Leave missing inputs out of the first layer, and scale its bias by the share of the inputs
    that is observed.
    """

    card: ClassVar = MethodCard(
        name="promissing",
        title="PROMISSING",
        track="missing-data",
        paper="arXiv:2206.01640",
        bibtex="""@article{kia2022promissing,
  title = {{PROMISSING}: Pruning Missing Values in Neural Networks},
  author = {Kia, Seyed Mostafa and Mohammadian Rad, Nastaran and van Opstal, Daniel and van Schie,
    Bart and Marquand, Andre F. and Pluim, Josien and Cahn, Wiepke and Schnack, Hugo G.},
  journal = {arXiv preprint arXiv:2206.01640},
  year = {2022},
  eprint = {2206.01640},
  archivePrefix = {arXiv}
}""",
        claim="As accurate as imputation, and less confident if more values are missing.",
        deviates="Equations as other authors cite them; nets and steps are the task's. A linear "
        "map gets the share of observed inputs as an extra column.",
        signal="none",
        stacked=True,
        defaults_from="paper",
    )
