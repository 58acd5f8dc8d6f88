"""A net that predicts rewards, and whose constant solution is to abstain (arXiv:2310.00873)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec
import torch

from bench import Meta, Method, MethodCard, Run
from bench.tracks.selective_prediction_actions import Acting, RewardProblem, action_rewards
from bench.training import nets
from bench.training.fitting import epochs_of
from bench.training.fixed_net import FixedNet, Recipe, descended


class RewardNet(Method):
    """Train a net to predict the reward of every answer and of none, and take the action with the
    largest.

    Far from the training rows its outputs are expected to fall back to the constant that is best
    without a look at the row, of which the largest entry is that of no answer.
    """

    card: ClassVar = MethodCard(
        name="reward-net",
        title="Reward prediction with an action to abstain",
        track="selective-prediction",
        paper="arXiv:2310.00873",
        bibtex="""@inproceedings{kang2024deep,
  title = {Deep Neural Networks Tend To Extrapolate Predictably},
  author = {Kang, Katie and Setlur, Amrith and Tomlin, Claire and Levine, Sergey},
  booktitle = {ICLR},
  year = {2024},
  eprint = {2310.00873},
  archivePrefix = {arXiv}
}""",
        claim="Outputs drift to the optimal constant solution as inputs become less like the "
        "training rows, so that a net of rewards abstains where it would err.",
        official_code="ok",
        deviates="A net of the form of the given one in place of a ResNet-20, and AdamW for 40 "
        "epochs in place of SGD for 200; no augmentation. The authors' code calibrates the net "
        "that is compared with by one temperature a class; here it is one for all.",
        signal="loss",
        needs=("penalty",),
        defaults_from="here",
        trials=2,
    )
    epochs: Annotated[int, Meta(ge=1)] = 40
    """Passes over the training rows."""
    lr: Annotated[float, Meta(gt=0)] = 2e-3
    """Of AdamW at the start."""

    def solve(self, problem: RewardProblem, run: Run) -> Acting:
        """Minimise the mean of (f_a(x) - r(y, a))^2 over rows and actions."""
        assert problem.penalty is not None, "the card needs penalty"
        x, form, device = problem.x, problem.model, problem.x.device
        earned = action_rewards(problem.y, problem.n_classes, problem.penalty)
        init = [run.seeded("init")]
        stack = nets.build(
            form.net, form.shape, problem.n_actions, init, device, widths=form.widths
        )

        def loss(rows: torch.Tensor) -> torch.Tensor:
            return (stack(x[rows][None])[0] - earned[rows]).square().mean()

        recipe = Recipe(epochs=self.epochs, lr=self.lr)
        order = run.torch_generator("order", device="cpu")
        batches = epochs_of(len(x), recipe.batch_size, recipe.epochs, [order])
        descended(stack, [rows[0].to(device) for rows in batches], recipe, loss)
        run.count(forward=self.epochs * len(x), backward=self.epochs * len(x))
        net = FixedNet.of(stack, msgspec.structs.replace(form, n_classes=problem.n_actions))

        def ahead(shown: torch.Tensor) -> torch.Tensor:
            """Return how much more the best answer is expected to earn than none (n, 1)."""
            found = net(shown)
            return found[:, :-1].amax(1, keepdim=True) - found[:, -1:]

        return Acting(score=ahead, rewards=net)
