"""Entropy, the net trained on new rows beside old ones (arXiv:2305.06408)."""

from __future__ import annotations

from typing import Annotated, ClassVar

from bench import Meta, MethodCard

from ._continual import Continual


class Replay(Continual):
    """Go on from the last round's net, with old rows beside each batch of new ones."""

    card: ClassVar = MethodCard(
        name="replay",
        title="Entropy, with replay of old rows",
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
        claim="As accurate as training from scratch, at a third of the cost.",
        official_code="ok",
        deviates="A quarter of the steps from the second training on, and 64 old rows beside each "
        "batch; the authors take 40 of 100 epochs and choose diverse rows too.",
        needs=("classes",),
        stacked=True,
        defaults_from="here",
    )
    replayed: Annotated[int, Meta(ge=1)] = 64
    """Rows of earlier rounds beside each batch; all where they are fewer."""

    @property
    def beside(self) -> int:
        """As ``replayed`` says."""
        return self.replayed
