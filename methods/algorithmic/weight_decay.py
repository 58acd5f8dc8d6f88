"""Strong weight decay (arXiv:2201.02177)."""

from __future__ import annotations

from typing import Annotated, ClassVar

from bench import Meta, MethodCard
from bench.tracks.algorithmic import AlgorithmicMethod, Problem


class WeightDecay(AlgorithmicMethod):
    """AdamW with a strong decay."""

    card: ClassVar = MethodCard(
        name="weight-decay",
        title="Strong weight decay",
        track="algorithmic",
        paper="arXiv:2201.02177",
        bibtex="""@article{power2022grokking,
  title = {Grokking: Generalization Beyond Overfitting on Small Algorithmic Datasets},
  author = {Power, Alethea and Burda, Yuri and Edwards, Harri and Babuschkin, Igor and
            Misra, Vedant},
  journal = {arXiv preprint},
  year = {2022},
  eprint = {2201.02177},
  archivePrefix = {arXiv}
}""",
        claim="Weight decay lets a net that has fitted its rows find the rule much earlier.",
        official_code="ok",
        deviates="The net is the one of the task, not a transformer; the decay was set for it.",
        signal="none",
        stacked=True,
        defaults_from="here",
        trials=None,
        tuning={"strength": (1.0, 3.0, 8.0, 15.0)},
    )
    strength: Annotated[float, Meta(ge=0, le=99)] = 8.0
    """Decay in units of the rate."""

    def decay(self, problem: Problem) -> float:
        """Return the strength."""
        return self.strength
