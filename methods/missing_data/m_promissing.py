"""Missing inputs left out and made up for (arXiv:2206.01640)."""

from __future__ import annotations

from typing import ClassVar

from bench import MethodCard

from ._promissing import Pruned


class CompensatedPromissing(Pruned):
    """Leave missing inputs out of the first layer, scale its bias by the share of the inputs that
    is observed, and add a learned vector times the share that is missing.
    """

    card: ClassVar = MethodCard(
        name="m-promissing",
        title="Modified PROMISSING",
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
        claim="As accurate as imputation, and less sure where more is missing.",
        deviates="Equations as other authors cite them; nets and steps are the task's. A linear "
        "map gets the share of observed inputs as an extra column.",
        signal="none",
        stacked=True,
        defaults_from="paper",
    )
    compensates: ClassVar = True
