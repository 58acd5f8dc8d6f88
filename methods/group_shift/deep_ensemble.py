"""Deep ensembles (arXiv:1612.01474)."""

from __future__ import annotations

from typing import ClassVar

from bench import MethodCard

from ._ensemble import SeveralNets


class DeepEnsemble(SeveralNets):
    """The mean probability of nets that differ in their initial weights."""

    card: ClassVar = MethodCard(
        name="deep-ensemble",
        title="Deep ensemble",
        track="group-shift",
        paper="arXiv:1612.01474",
        bibtex="""@inproceedings{lakshminarayanan2017simple,
  title = {Simple and Scalable Predictive Uncertainty Estimation using Deep Ensembles},
  author = {Lakshminarayanan, Balaji and Pritzel, Alexander and Blundell, Charles},
  booktitle = {NeurIPS},
  year = {2017},
  eprint = {1612.01474},
  archivePrefix = {arXiv}
}""",
        claim="The mean of a few nets is more accurate and better calibrated than one, also under "
        "shift.",
        deviates="No adversarial examples; all nets see the batches in one order. The control of "
        "cat and of cross-domain ensembles, with the nets that cat joins.",
        signal="none",
        stacked=True,
        plain=True,
        defaults_from="here",
    )
