"""Methods and tasks on a pretended accelerator: nothing of theirs mixes
devices, on machines that have no GPU to say so.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from pretended import DEVICE, GeneratorOnDevice, Refused, pretended_device

from bench.executors.inline import InlineExecutor
from bench.plugins.registry import Registry
from bench.runs.driver import Driver
from bench.runs.plan import Request, make_plan
from bench.runs.store import Store

# The device itself ------------------------------------------------------------------


@pytest.fixture
def device(monkeypatch):
    with pretended_device(monkeypatch):
        yield DEVICE


def test_a_net_learns_on_it_what_it_learns_on_the_cpu(monkeypatch):
    def losses(device):
        generator = torch.Generator().manual_seed(0)
        net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator) / 2)
        net = net.to(device)
        x, y = (
            torch.randn(16, 4, generator=generator).to(device),
            torch.tensor([0, 1, 2, 1] * 4, device=device),
        )
        optimiser, found = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9), []
        for _ in range(5):
            optimiser.zero_grad()
            loss = torch.nn.functional.cross_entropy(net(x), y)
            loss.backward()
            optimiser.step()
            found.append(loss.item())
        return found

    expected = losses("cpu")
    with pretended_device(monkeypatch):
        assert losses(DEVICE) == expected
    assert expected[-1] < expected[0]


@pytest.mark.parametrize(
    "mixes",
    [
        lambda x: x + torch.ones(3),
        lambda x: torch.ones(3)[(x > 0)],
        lambda x: torch.cat([x, torch.ones(3)]),
        lambda x: torch.nn.functional.linear(torch.ones(1, 3), x[None]),
        lambda x: x.numpy(),
        lambda x: np.asarray(x),
        lambda x: torch.rand(3, generator=torch.Generator(), device=DEVICE),
        lambda x: torch.randperm(3, generator=GeneratorOnDevice()),
    ],
    ids=[
        "add",
        "index",
        "cat",
        "linear",
        "numpy",
        "asarray",
        "generator of the CPU",
        "generator of the device",
    ],
)
def test_what_a_gpu_would_refuse_is_refused(device, mixes):
    x = torch.zeros(3, device=device)
    with pytest.raises(Refused):
        mixes(x)


def test_what_a_gpu_allows_is_allowed(device):
    x = torch.arange(6.0, device=device).view(2, 3)
    x[0] = torch.ones(3)  # a copy
    assert (x + torch.tensor(1.0))[torch.tensor([1])].tolist() == [[4.0, 5.0, 6.0]]
    assert x[[0]].cpu().tolist() == [[1.0, 1.0, 1.0]]


# What is built in --------------------------------------------------------------------


def run(registry, folder, monkeypatch, device="meta", **request):
    """Return the records of one cell a method, the first whose data is here."""
    store = Store(folder)
    store.open_for_writing()
    driver = Driver(registry, store)
    todo = driver.split(
        make_plan(Request(preset="smoke", seeds="1", device=device, **request), registry)
    )[1]
    first = {keyed.cell.spec.method: keyed for keyed in reversed(todo)}
    with warnings.catch_warnings(), pretended_device(monkeypatch):
        warnings.simplefilter("ignore")
        return [
            record
            for _, record in driver.run(list(first.values()), InlineExecutor(), 1, lambda *_: None)
        ]


TASKS = {
    "accuracy-estimation": "estimate-digits",
    "active-learning": "al-digits",
    "adversarial": "robust-digits",
    "algorithmic": "modular",
    "condensation": "condense-transfer",
    "continual": "split-digits",
    "data-valuation": "value-mislabel",
    "graph-ood": "motif-basis",
    "group-shift": "spurious-digits",
    "imputation": "impute-wine",
    "input-attribution": "block-mnist",
    "label-errors": "errors-clusters",
    "long-tail": "tail-digits",
    "node-graphs": "minesweeper",
    "missing-data": "missing-clusters",
    "noisy-labels": "noisy-digits",
    "noisy-regression": "sensor-friedman",
    "ood-detection": "ood-digits",
    "open-ended": "mixed-functions",
    "poisoning": "flipped-mnist",
    "policy-optimization": "clock-arithmetic",
    "positive-unlabeled": "pu-digits",
    "privacy-audit": "privacy-audit",
    "recipes": "few-digits",
    "regression": "friedman",
    "selection": "prune-digits",
    "selective-prediction": "reject-digits",
    "semi-supervised": "semi-digits",
    "synthetic-data": "clean-and-noisy",
    "target-shift": "label-shift-mnist",
    "unlearning-privacy": "unlearn-random",
    "unlearning-correction": "unlearn-corrective",
    "unlearning-regression": "unlearn-regression",
    "weak-supervision": "weak-generated",
}
OTHERS = {"group-shift": ("noisy-environments", "corrupted-mnist", "finetune-mnist")}
"""Tasks for the methods whose needs the first one does not meet."""
QUICK = {
    "accuracy-estimation": ("atc", "sf-dap"),
    "active-learning": ("badge", "bmdal"),
    "adversarial": ("trades", "aaer"),
    "algorithmic": ("dropout",),
    "condensation": ("dsa", "ncfm"),
    "continual": ("derpp",),
    "data-valuation": ("knn-shapley", "shapley-perm"),
    "graph-ood": ("erm", "mixup"),
    "group-shift": ("groupdro", "mat"),
    "imputation": ("soft-impute",),
    "input-attribution": ("smoothgrad",),
    "label-errors": ("loss",),
    "long-tail": ("ldam-drw", "nc-long-tail", "scl-relu"),
    "node-graphs": ("gat-sep", "gcn-plain"),
    "missing-data": ("m-promissing", "mask-indicator"),
    "noisy-labels": ("elr", "coteaching"),
    "noisy-regression": ("skew-mixture",),
    "ood-detection": ("vim", "odin"),
    "open-ended": ("osl", "clusterwise"),
    "poisoning": ("hr", "spectral-signatures"),
    "positive-unlabeled": ("nnpu",),
    "privacy-audit": ("audit-lira",),
    "recipes": ("decoupled-mixup", "dropout", "trivial-augment"),
    "regression": ("c-mixup", "supremix"),
    "selection": ("el2n", "surrogate-power"),
    "selective-prediction": ("fixed-reject",),
    "semi-supervised": ("fixmatch", "shrinkmatch"),
    "synthetic-data": ("ambient-mix", "wiener"),
    "target-shift": ("bbse", "em"),
    "unlearning-regression": ("cf-k",),
    "weak-supervision": ("dawid-skene", "label-model"),
}
SAMPLE = {"group-shift", "noisy-labels", "open-ended", "positive-unlabeled"}
"""Tracks of ``make test``; ``make test-methods`` takes all others."""
BEYOND = {"l2r-gnn": "forward derivatives are not pretended"}
NEED_ENVIRONMENTS = {"coral", "fairgnn", "groupdro", "irm", "vrex"}
"""Methods that not every task of a graph can give what they need."""


def failures(records):
    return {record.method: record.error.message for record in records if record.status != "ok"}


@pytest.mark.parametrize(
    "track",
    [track if track in SAMPLE else pytest.param(track, marks=pytest.mark.slow) for track in QUICK],
)
def test_a_method_and_its_task_mix_no_devices(track, tmp_path, monkeypatch):
    records = run(
        Registry(), tmp_path, monkeypatch, methods=QUICK[track], tasks=(TASKS[track],), track=track
    )
    assert {record.method for record in records} == set(QUICK[track])
    assert failures(records) == {}


@pytest.mark.slow
@pytest.mark.parametrize("track", TASKS)
def test_every_method_and_reference_of_a_track_mixes_no_devices(track, tmp_path, monkeypatch):
    registry, tasks = Registry(), (TASKS[track], *OTHERS.get(track, ()))
    records = run(registry, tmp_path, monkeypatch, tasks=tasks, track=track)
    assert {record.method for record in records} >= {
        entry.name for entry in registry.rows("method") if entry.track == track
    } - BEYOND.keys() - NEED_ENVIRONMENTS
    assert failures(records).keys() <= BEYOND.keys()
