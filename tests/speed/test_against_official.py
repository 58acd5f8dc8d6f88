"""The comparison with official code: what it refuses, and that sides must agree before they are
timed.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys

import pytest
from against_official import main
from click.testing import CliRunner
from official_loops.checkouts import REPOSITORIES, Checkout

LOSS = """
import torch
from torch import nn


class TruncatedLoss(nn.Module):
    def __init__(self, q, k, trainset_size):
        super().__init__()
        self.q = q

    def forward(self, logits, targets, rows):
        given = logits.softmax(1)[torch.arange(len(targets)), targets]
        return {value}
"""
RIGHT, OTHER = "((1 - given ** self.q) / self.q).mean()", "-given.log().mean()"


def planted(folder, value):
    """Write a repository with one loss of its own."""
    (folder / "TruncatedLoss.py").write_text(LOSS.replace("{value}", value))
    return folder


def called(*arguments):
    return CliRunner().invoke(main, ["--only", "gce", "--rounds", "1", "--json", *arguments])


def test_a_missing_checkout_is_refused_with_what_to_clone():
    found = called()
    repository = REPOSITORIES["gce"]
    assert found.exit_code == 2
    assert found.stderr == (
        f"against_official: loop 'gce' compares with {repository.name} at {repository.commit}, and "
        f"no path of it was given; clone https://github.com/{repository.name} and check "
        f"{repository.commit[:12]} out there, then pass --checkout gce=PATH.\n"
    )


def test_a_checkout_that_is_no_folder_or_unknown_is_refused_in_a_sentence(tmp_path):
    nowhere = called("--checkout", f"gce={tmp_path / 'nowhere'}")
    unknown = called("--checkout", "gcf=here")
    assert (nowhere.exit_code, unknown.exit_code) == (2, 2)
    assert "which is no folder; clone https://github.com/AlanChou/Truncated-Loss" in nowhere.stderr
    assert "names no repository and path; write KEY=PATH" in unknown.stderr


def test_a_checkout_at_another_commit_is_refused(tmp_path):
    planted(tmp_path, RIGHT)
    bare = called("--checkout", f"gce={tmp_path}")
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "Start"]):
        subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@b", *command], cwd=tmp_path, check=True
        )
    other = called("--checkout", f"gce={tmp_path}")
    assert (bare.exit_code, other.exit_code) == (2, 2)
    assert "is no git checkout" in bare.stderr
    assert f"is compared at {REPOSITORIES['gce'].commit}" in other.stderr


@pytest.mark.parametrize(("value", "agrees"), [(RIGHT, True), (OTHER, False)])
def test_a_loop_is_timed_where_both_sides_agree_and_fails_where_the_loss_is_another(
    tmp_path, value, agrees
):
    found = called("--any-commit", "--checkout", f"gce={planted(tmp_path, value)}")
    result = json.loads(found.stdout)
    assert found.exit_code == (0 if agrees else 1), found.output
    if agrees:
        (row,) = result["loops"]
        assert row["difference"] <= 1e-4
        assert row["ratio"] > 0
        assert row["stacked"] > 0
    else:
        assert result["loops"] == []
        assert "differ by" in result["failed"]["gce"]
        assert "nothing was timed" in result["failed"]["gce"]


def test_a_module_of_a_checkout_leaves_no_trace_and_its_empty_packages_are_named(tmp_path):
    (tmp_path / "networks.py").write_text("WIDTH = 7\n")
    (tmp_path / "utils.py").write_text(
        "import torchvision.transforms as T\nfrom torchvision import datasets\n"
        "from networks import WIDTH\n\n\nclass Digits(datasets.MNIST):\n    width = WIDTH\n"
    )
    before = set(sys.modules), list(sys.path), list(sys.meta_path)
    checkout = Checkout("dc", tmp_path, pinned=False)
    missing = importlib.util.find_spec("torchvision") is None
    assert checkout.load("utils").Digits.width == 7
    assert checkout.stubbed == ({"torchvision"} if missing else set())
    left = set(sys.modules) - before[0]
    assert not left & {"utils", "networks"}
    assert not (missing and any(name.startswith("torchvision") for name in left))
    assert (list(sys.path), list(sys.meta_path)) == before[1:]
