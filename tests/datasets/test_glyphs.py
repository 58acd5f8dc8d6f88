"""Letters: how many there are, that they are drawn whole, and that they are always the same."""

import torch
from bench.builtin.datasets.glyphs import LETTERS, Glyphs

from bench.runs.context import Setup


def test_letters_are_all_there_are_drawn_within_the_picture_and_are_the_same_each_time(tmp_path):
    first, again = (
        Glyphs().load(
            Setup(
                seed=0,
                task="x/toy",
                method="x/x",
                device=torch.device("cpu"),
                workdir=tmp_path / name,
            )
        )
        for name in "ab"
    )
    assert first.x.shape == (2000, 1, 28, 28)
    assert first.x.dtype == torch.uint8
    assert first.classes == len(LETTERS) == 19
    assert first.y.bincount(minlength=19).tolist() == [106] * 5 + [105] * 14
    ink = (first.x > 127).flatten(1).sum(1)
    assert int(ink.min()) > 20
    assert int(ink.max()) < 28 * 28 // 2
    assert torch.equal(first.x, again.x)
    assert not set(LETTERS) & set("DIOQSVZ")
