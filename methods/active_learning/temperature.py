"""The least confident rows at a fitted temperature (arXiv:2210.03005)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.active_learning import ActiveMethod, Session, View
from bench.training.calibration import fit_temperature


class Temperature(ActiveMethod):
    """Fit a temperature to held-out known rows, and ask the least confident rows at it."""

    card: ClassVar = MethodCard(
        name="temperature",
        title="Least confident at a fitted temperature",
        track="active-learning",
        paper="arXiv:2210.03005",
        bibtex="""@inproceedings{gonsior2022softmax,
  title = {To Softmax, or not to Softmax: that is the question when applying Active Learning for
    Transformer Models},
  author = {Gonsior, Julius and Falkenberg, Christian and Magino, Silvio and Reusken, Anja and
    Thiele, Maik and Lehner, Wolfgang},
  year = {2022},
  eprint = {2210.03005},
  archivePrefix = {arXiv}
}""",
        claim="A corrected confidence picks better rows than the softmax as it is.",
        deviates="Nets of the task, no transformer. The temperature is that of a second net, "
        "trained without a fifth of the known rows, which doubles the training.",
        needs=("classes",),
        stacked=True,
        defaults_from="here",
    )
    share: Annotated[float, Meta(gt=0, lt=1)] = 0.2
    """Share of the known rows that is held out from the second net, at least one row."""

    def begin(self, session: Session) -> dict[int, float]:
        """Return the temperatures by the number of the run, none yet."""
        return {}

    def train(self, state: dict[int, float], session: Session) -> None:
        """Train the net, and the second one for the temperature."""
        loss = self.loss(state, session)
        session.nets = session.fit(session.known, session.y, loss)
        if not session.rest:
            return
        n = session.known.shape[1]
        held = min(max(1, round(self.share * n)), n - 1)
        if not held:  # one known row says nothing of confidence
            state |= {id(run): 1.0 for run in session.runs}
            return
        order = torch.stack(
            [
                torch.from_numpy(
                    run.numpy_generator("method", "held", session.round).permutation(n)
                )
                for run in session.runs
            ]
        ).to(session.device)
        rows = session.known.gather(1, order)
        y = torch.stack([own[place] for own, place in zip(session.y, order, strict=True)])
        second = session.fit(rows[:, held:], y[:, held:], loss, "second")
        with torch.no_grad():
            logits = second(session.inputs(rows[:, :held]))
        for k, run in enumerate(session.runs):
            run.count(forward=held)
            labels = y[k, :held]
            labels = labels if labels.dim() == 1 else labels.argmax(1)
            state[id(run)] = fit_temperature(logits[k], labels)
            run.log(session.round, temperature=state[id(run)])

    def ask(self, state: dict[int, float], view: View) -> torch.Tensor:
        """Return the open rows (count,) of the smallest max_c softmax(z / T)_c."""
        return view.highest(-(view.logits / state[id(view.run)]).softmax(1).amax(1))
