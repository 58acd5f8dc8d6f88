"""Group relative policy optimisation (arXiv:2402.03300): the null method of the track."""

from __future__ import annotations

from typing import ClassVar

from bench import MethodCard
from bench.tracks.policy_optimization import PolicyMethod


class Grpo(PolicyMethod):
    """Every rollout and every token, each weighed by its reward standardised over its group."""

    card: ClassVar = MethodCard(
        name="grpo",
        title="Group relative policy optimisation",
        track="policy-optimization",
        paper="arXiv:2402.03300",
        bibtex="""@misc{shao2024deepseekmath,
  title = {DeepSeekMath: Pushing the Limits of Mathematical Reasoning in Open Language Models},
  author = {Shao, Zhihong and Wang, Peiyi and Zhu, Qihao and Xu, Runxin and Song, Junxiao and Bi,
    Xiao and Zhang, Haowei and Zhang, Mingchuan and Li, Y. K. and Wu, Y. and Guo, Daya},
  year = {2024},
  eprint = {2402.03300},
  archivePrefix = {arXiv}
}""",
        official_code="none",
        deviates="The loss is a mean over tokens (the paper: over sequences), and there is no "
        "divergence term; both are the protocol of the track. The standard deviation of a group is "
        "the population's, plus 1e-6; the paper does not say which, public trainers take the "
        "sample's, plus 1e-4 (TRL) or 1e-6 (verl): 'ddof', 'adv_eps'.",
        plain=True,
        defaults_from="paper",
    )
    settings: ClassVar = {"paper": {"aggregation": "sequence"}}
