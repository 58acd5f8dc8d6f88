"""Entropy, the net trained on the new rows of a round alone (arXiv:2305.06408)."""

from __future__ import annotations

from typing import ClassVar

from bench import MethodCard

from ._continual import Continual


class FineTune(Continual):
    """Go on from the last round's net, on the new rows alone: the control without memory."""

    card: ClassVar = MethodCard(
        name="fine-tune",
        title="Entropy, trained on new rows alone",
        track="active-learning",
        paper="arXiv:2305.06408",
        bibtex="""@article{das2023accelerating,
  title = {Accelerating Batch Active Learning Using Continual Learning Techniques},
  author = {Das, Arnav and Bhatt, Gantavya and Bhalerao, Megh and Gao, Vianne and Yang, Rui and
    Bilmes, Jeff},
  journal = {TMLR},
  year = {2023},
  eprint = {2305.06408},
  archivePrefix = {arXiv}
}""",
        claim="Without a memory the net forgets earlier rows.",
        official_code="ok",
        deviates="A quarter of the steps from the second training on; the authors take 40 of 100 "
        "epochs.",
        needs=("classes",),
        stacked=True,
        defaults_from="here",
    )
