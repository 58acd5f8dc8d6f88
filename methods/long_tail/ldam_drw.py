"""The label-distribution-aware margin loss with deferred re-weighting (arXiv:1906.07413)."""

from __future__ import annotations

from typing import Annotated, ClassVar

from bench import Meta, MethodCard

from .ldam import Ldam


class LdamDrw(Ldam):
    """Margins that grow with rarity, and class-balanced weights in the last fifth."""

    card: ClassVar = MethodCard(
        name="ldam-drw",
        title="Label-distribution-aware margins, deferred re-weighting",
        track="long-tail",
        paper="arXiv:1906.07413",
        bibtex="""@inproceedings{cao2019learning,
  title = {Learning Imbalanced Datasets with Label-Distribution-Aware Margin Loss},
  author = {Cao, Kaidi and Wei, Colin and Gaidon, Adrien and Arechiga, Nikos and Ma, Tengyu},
  booktitle = {NeurIPS},
  year = {2019},
  eprint = {1906.07413},
  archivePrefix = {arXiv}
}""",
        claim="Margins and deferred weights together are better than either.",
        official_code="flawed",
        deviates="The public code switches at epoch 160 whatever the number of epochs, and prints "
        "the best one on the test part.",
        signal="labels",
        stacked=True,
        defaults_from="paper",
        tuning={"largest": (0.3, 0.5, 0.8), "after": (0.5, 0.8)},
    )
    after: Annotated[float, Meta(ge=0, le=1)] = 0.8
    """Share of the epochs with equal weights; class-balanced weights follow."""
