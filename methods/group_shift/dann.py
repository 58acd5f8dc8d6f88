"""Domain-adversarial training (arXiv:1505.07818)."""

from __future__ import annotations

from typing import ClassVar

from bench import MethodCard

from ._adversarial import Adversarial


class DomainAdversarial(Adversarial):
    """Learn features from which the environment cannot be told."""

    card: ClassVar = MethodCard(
        name="dann",
        title="Domain-adversarial training",
        track="group-shift",
        paper="arXiv:1505.07818",
        bibtex="""@article{ganin2016domain,
  title = {Domain-Adversarial Training of Neural Networks},
  author = {Ganin, Yaroslav and Ustinova, Evgeniya and Ajakan, Hana and Germain, Pascal and
    Larochelle, Hugo and Laviolette, Fran{\\c{c}}ois and Marchand, Mario and Lempitsky, Victor},
  journal = {Journal of Machine Learning Research},
  volume = {17},
  year = {2016},
  eprint = {1505.07818},
  archivePrefix = {arXiv}
}""",
        claim="Features from which domains cannot be told carry over to another domain.",
        deviates="Domains are training environments, and none is the test's, as in DomainBed. The "
        "weight of the reversed gradient is constant, in the paper it grows from 0 to 1. A "
        "linear discriminator with a step of its own before each step of the net.",
        needs=("env",),
        signal="env",
        stacked=True,
        defaults_from="here",
    )
