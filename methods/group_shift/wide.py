"""One net as wide as several: the control of joined representations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import msgspec

from bench import Meta, MethodCard, Run
from bench.tracks.group_shift import GroupMethod, Seeds
from bench.training import supervised


class WideNet(GroupMethod):
    """The baseline with a wider net."""

    card: ClassVar = MethodCard(
        name="wide",
        title="Empirical risk minimisation with a net four times as wide",
        track="group-shift",
        official_code="none",
        deviates="As many features as the four nets of cat have together; the hidden layers have "
        "more weights than these.",
        signal="none",
        stacked=True,
        plain=True,
        defaults_from="here",
    )
    factor: Annotated[int, Meta(ge=1)] = 4
    """How many times as wide each hidden layer is."""

    def gather(
        self, problems: Sequence[supervised.Problem], runs: Sequence[Run]
    ) -> supervised.Seeds:
        """Widen the net of the problems."""
        widths = tuple(self.factor * width for width in problems[0].widths)
        wide = [msgspec.structs.replace(problem, widths=widths) for problem in problems]
        return Seeds(wide, runs)  # type: ignore[arg-type]
