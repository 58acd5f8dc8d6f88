"""PGD training (arXiv:1706.06083)."""

from __future__ import annotations

from typing import ClassVar

from bench import MethodCard
from bench.tracks.adversarial import AdversarialMethod


class PgdTraining(AdversarialMethod):
    """Minimise the cross entropy on rows after projected gradient ascent (equation 2.1)."""

    card: ClassVar = MethodCard(
        name="pgd-at",
        title="Training on PGD attacks",
        track="adversarial",
        paper="arXiv:1706.06083",
        bibtex="""@inproceedings{madry2018towards,
  title = {Towards Deep Learning Models Resistant to Adversarial Attacks},
  author = {Madry, Aleksander and Makelov, Aleksandar and Schmidt, Ludwig and Tsipras, Dimitris and
    Vladu, Adrian},
  booktitle = {ICLR},
  year = {2018},
  eprint = {1706.06083},
  archivePrefix = {arXiv}
}""",
        claim="Training on the strongest first-order attack gives nets that withstand all of them.",
        official_code="ok",
        deviates="Steps, rate and schedule are the task's; a step is 2.5 times the radius over the "
        "number of steps.",
        stacked=True,
        defaults_from="paper",
    )
