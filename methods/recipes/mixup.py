"""mixup (arXiv:1710.09412)."""

from __future__ import annotations

from typing import Annotated, ClassVar

from bench import Meta, MethodCard
from bench.training.mixing import Mixing


class Mixup(Mixing):
    """Train on lam x + (1 - lam) x' with the targets lam y + (1 - lam) y', lam ~ Beta(alpha, alpha)
    (equation 1).
    """

    card: ClassVar = MethodCard(
        name="mixup",
        title="mixup",
        track=("recipes", "long-tail", "regression"),
        paper="arXiv:1710.09412",
        bibtex="""@inproceedings{zhang2018mixup,
  title = {mixup: Beyond Empirical Risk Minimization},
  author = {Zhang, Hongyi and Cisse, Moustapha and Dauphin, Yann N. and Lopez-Paz, David},
  booktitle = {ICLR},
  year = {2018},
  eprint = {1710.09412},
  archivePrefix = {arXiv}
}""",
        claim="Training on convex mixtures of rows generalises better than training on the rows.",
        official_code="ok",
        deviates="Rate, schedule and weight decay are the task's.",
        signal="none",
        stacked=True,
        defaults_from="paper",
        tuning={"alpha": (0.2, 0.5, 1.0, 2.0, 4.0)},
    )
    settings: ClassVar = {"imagenet": {"alpha": 0.2}}
    alpha: Annotated[float, Meta(ge=0)] = 1.0
    """Both parameters of the Beta distribution of the weight, one weight a batch; 0: the rows as
    they are.
    """

    @property
    def concentration(self) -> float:
        """Return alpha."""
        return self.alpha
