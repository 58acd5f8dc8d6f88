"""Unlabelled rows beside the training rows, some of them of the kind that is judged by."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch

from bench import Case, Meta, Preset, Reference, Setup, TaskCard
from bench.errors import InvalidRun

from ._metrics import FLAGS, OF_WILD, REFERENCES, WITHOUT_FAR
from ._pictures import LIBRARIES, glyphs
from ._task import OodTask


class OodWild(OodTask):
    """1,000 unlabelled pictures, one or five in ten out of the distribution; others of the same
    kind are judged by.
    """

    card: ClassVar = TaskCard(
        name="ood-wild",
        title="Unlabelled rows, some of them out of the distribution",
        track="ood-detection",
        datasets=("glyphs", "mnist5k"),
        libraries=LIBRARIES,
        metrics=(
            *WITHOUT_FAR,
            OF_WILD,
            *FLAGS,
        ),
        presets={
            "smoke": Preset(
                variants={"near-pi50": {"share": 0.5}},
                params={
                    "epochs": 3,
                    "n_known": 300,
                    "n_out": 200,
                    "n_wild": 60,
                    "widths": [32, 128],
                },
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={
                    "near-pi10": {"share": 0.1},
                    "near-pi50": {"share": 0.5},
                    "glyph-pi10": {"share": 0.1, "kind": "glyphs"},
                },
                seeds=3,
                timeout=600,
            ),
        },
        budget="the net is given; training rows and unlabelled ones may be passed over as often as "
        "a method likes",
        offers={"wild": {}},
        references=(
            *REFERENCES,
            Reference(
                name="wild-oracle",
                kind="high",
                title="told which unlabelled rows are out of the distribution",
                solve="told_wild",
            ),
        ),
        paper="arXiv:2402.03502",
    )
    near: ClassVar = ("wild",)
    split: ClassVar = (0.4, 0.1, 0.2, 0.3)
    """The last part is for the unlabelled rows."""

    kind: Literal["classes", "glyphs"] = "classes"
    """What the rows out of the distribution are."""
    share: Annotated[float, Meta(gt=0, lt=1)] = 0.1
    """Of the unlabelled rows that are out of the distribution."""
    n_wild: Annotated[int, Meta(ge=20)] = 1000
    """Unlabelled rows."""

    def prepare(self, run: Setup) -> Case:
        """Draw the classes, and mix rows without their labels.

        Raises:
            InvalidRun: there are not so many rows.
        """
        (train, val, test, rest), others, _ = self.parts(run.dataset("mnist5k"), run)
        rows = others if self.kind == "classes" else glyphs(run)
        outside = round(self.share * self.n_wild)
        inside, half = self.n_wild - outside, len(rows[: self.n_out]) // 2
        if inside > len(rest[0]) or outside > half:
            raise InvalidRun(
                f"n_wild is {self.n_wild} and share is {self.share:g}, which takes {inside} rows "
                f"in the distribution and {outside} out of it, and there are {len(rest[0])} and "
                f"{half}; ask for fewer"
            )
        _, seen = self.halves({"wild": rows})
        wild = torch.cat([rest[0][:inside], seen["wild"][:outside]])
        order = torch.from_numpy(run.numpy_generator("corruption", "wild").permutation(len(wild)))
        order = order.to(wild.device)
        return self.case(
            [train, val, test], {"wild": rows}, run, wild_out=order >= inside, wild=wild[order]
        )
