"""A method that keeps the test rows that its reports are scored on has nothing of them in the end."""

import pytest

HEAD = "from typing import ClassVar\n\nfrom bench import MethodCard\n"
CHEAT = """
from bench.builtin.methods.{module} import {kind}


class Keeper{kind}({kind}):
    card: ClassVar = MethodCard(name="keeper", title="Keeps test rows", track={track!r},
                                needs={kind}.card.needs)

    def solve(self, problem, run):
        seen, shown, report = [], [], run.report

        def keeping(step, model):
            def kept(x):
                seen.append(x)
                shown.append(bool(x.any()))
                return model(x)

            report(step, kept)

        run.report = keeping
        found = super().solve(problem, run)
        if {track!r} == "weak-supervision":
            keeping(1, lambda x: x)
        with open({notes!r}, "w") as file:
            file.write(f"{{sum(shown)}} {{sum(bool(x.any()) for x in seen)}}")
        return found
"""
KEEPERS = {
    "al-digits": ("active-learning", "active_learning.margin", "Margin"),
    "semi-digits": ("semi-supervised", "semi_supervised.sup", "LabelledOnly"),
    "pu-digits": ("positive-unlabeled", "positive_unlabeled.upu", "UnbiasedRisk"),
    "sensor-friedman": ("noisy-regression", "noisy_regression.mae", "AbsoluteError"),
    "weak-cancer": ("weak-supervision", "weak_supervision.majority", "Majority"),
}


# tests/runs/test_guard.py checks the same of one track on every run
@pytest.mark.slow
def test_test_rows_that_a_method_keeps_from_its_reports_are_wiped(run_plan, tmp_path):
    cheats = [
        CHEAT.format(track=track, module=module, kind=kind, notes=str(tmp_path / task))
        for task, (track, module, kind) in KEEPERS.items()
    ]
    file = tmp_path / "keepers.py"
    file.write_text(HEAD + "".join(cheats))
    records = run_plan(
        paths=[str(file)],
        methods=("keeper",),
        tasks=tuple(KEEPERS),
        preset="smoke",
        seeds="1",
        device="cpu",
    ).records
    assert {record.task: record.status for record in records} == dict.fromkeys(KEEPERS, "ok")
    for task, (track, *_) in KEEPERS.items():
        shown, left = map(int, (tmp_path / task).read_text().split())
        # a label model hands over labels: no test row is ever shown to it
        assert (shown > 0) == (track != "weak-supervision"), task
        assert left == 0, task
