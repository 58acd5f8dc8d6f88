"""Hold values and attributions beside those of the packages that people use, each in an environment of
its own: ``python tests/peers/beside.py [pydvl] [opendataval] [dattri] [captum] [large]`` prints rows
of a table in Markdown: how far they are apart, how many times as long the package takes, and how
much memory both use where there are many rows.

Times are processor seconds on one thread, as multiples of one fit of a loop of NumPy that runs in
both environments (``peer_answers.reference``); their ratio is given. ``large`` takes minutes.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

sys.path.append(str(Path(__file__).resolve().parents[1]))

import environments
from bench.builtin.methods.data_valuation.grad_dot import GradientProduct
from bench.builtin.methods.data_valuation.if_exact import ExactInfluence
from bench.builtin.methods.data_valuation.knn_shapley import NeighbourShapley
from bench.builtin.methods.data_valuation.least_core import least_core
from bench.builtin.methods.data_valuation.tracin import TracIn
from bench.builtin.methods.data_valuation.trak import Trak
from bench.builtin.tasks.data_valuation._metrics import spearman
from environments import ask
from peer_answers import fit_seconds, grown, seconds
from sklearn.datasets import load_digits
from threadpoolctl import threadpool_limits
from valuation_small import a_run, clusters

from bench.tracks.data_valuation import Problem, Utility
from bench.tracks.data_valuation_games import Game, game_of
from bench.tracks.data_valuation_linear import design, fitted
from bench.tracks.data_valuation_sampling import draw_orders, gains, of_rows

ROWS = 300
"""Training rows, and validation rows, where times are compared."""
ORDERS = 20
"""Random orders of these rows, the same number for all; each order takes one fit a row."""


def digits() -> dict[str, np.ndarray]:
    """Return 300 digits to value and 300 to judge by, on a scale of 0 to 1 and centred."""
    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))[: 2 * ROWS]
    x, y = data.data[order] / 16, data.target[order]
    x = (x - x[:ROWS].mean(0)).astype(np.float32).astype(np.float64)
    return {"x": x[:ROWS], "y": y[:ROWS], "x_val": x[ROWS:], "y_val": y[ROWS:]}


def drawn(n: int, queries: int, columns: int = 16) -> dict[str, np.ndarray]:
    """Return normal rows without ties of ten classes, and others to judge by."""
    generator = np.random.default_rng(0)
    x = generator.standard_normal((n + queries, columns)).astype(np.float32).astype(np.float64)
    y = generator.integers(0, 10, n + queries)
    return {"x": x[:n], "y": y[:n], "x_val": x[n:], "y_val": y[n:]}


def whole(n: int, queries: int, columns: int = 16) -> dict[str, np.ndarray]:
    """Return rows as :func:`drawn` of whole numbers, whose squared distances are exact in single
    precision, so that rounding changes no order.
    """
    rows = drawn(n, queries, columns)
    return {name: (a * 100).round() if name[0] == "x" else a for name, a in rows.items()}


def problem(rows: dict[str, np.ndarray]) -> Problem:
    """Return what a method of the track sees of such rows."""
    made = {
        name: torch.from_numpy(array.astype(np.float32) if name[0] == "x" else array)
        for name, array in rows.items()
    }
    return Problem(**made, n_classes=10, classes=10, utility=Utility(empty=0.1))


def solved(method, made):
    """Return the solution of a method."""
    with tempfile.TemporaryDirectory() as folder:
        return method.solve(made, a_run(Path(folder)))


def in_fits(took, per=1, rows=None):
    """Return processor seconds as multiples of one fit of the reference loop, here."""
    return took / per / fit_seconds(**(rows or digits()))


def neighbours(peer, rows, k=10):
    """Return the largest distance of the values of neighbours, how many times as long the peer takes,
    and the memory of both in bytes.
    """
    theirs = ask(peer, "neighbours", **rows, k=k)
    made, found = problem(rows), []
    turns = 3 if len(rows["y"]) <= 1_000 else 1
    took, memory = grown(
        lambda: seconds(lambda: found.append(solved(NeighbourShapley(k=k), made)), turns)
    )
    first = {name: array[:ROWS] for name, array in rows.items()}
    return {
        "apart": float(np.abs(theirs["value"] - found[0].value.numpy()).max()),
        "times": float(theirs["seconds"] / theirs["fit"]) / in_fits(took, rows=first),
        "seconds": took,
        "their_seconds": float(theirs["seconds"]),
        "memory": memory,
        "their_memory": int(theirs["memory"]),
    }


def permutations(peer):
    """Return how many times as long the peer takes for equally many orders of the same rows, each with
    its least squares or the nearest that it has, and the fits of both.
    """
    rows = digits()
    theirs = ask(peer, "permutations", **rows, count=ORDERS)
    game = game_of(problem(rows))
    orders = draw_orders(ROWS, ORDERS, np.random.default_rng(0))
    took = in_fits(seconds(lambda: gains(game, orders), 3))
    return {
        "times": float(theirs["seconds"] / theirs["fit"]) / took,
        "fits": game.fits // 3,
        "their_fits": int(theirs["updates"]),
    }


class Table(Game):
    """A game whose sets have the worths of a table, in the order of their bits."""

    def __init__(self, worth: np.ndarray) -> None:
        super().__init__(int(np.log2(len(worth))))
        self.worth = torch.from_numpy(worth).double()

    def _values(self, masks: torch.Tensor) -> torch.Tensor:
        return self.worth[(masks.long() << torch.arange(self.n)).sum(1)]


def games():
    """Return, game by game, how many standard errors the sampled Shapley values are away from those
    that pyDVL knows, and how far the least core is from its own.
    """
    theirs, found = ask("pydvl", "games"), {}
    for name in ("voting", "shoes"):
        game = Table(theirs[f"{name}_worth"])
        orders = draw_orders(game.n, 2000, np.random.default_rng(0))
        rows = of_rows(gains(game, orders), orders)
        error = rows.std(0) / len(orders) ** 0.5
        away = (rows.mean(0) - torch.from_numpy(theirs[f"{name}_shapley"])).abs()
        found[name] = float((away / error).max())
    for name in ("miner", "pair"):
        worth = theirs[f"{name}_worth"]
        n = int(np.log2(len(worth)))
        masks = np.arange(2**n)[:, None] >> np.arange(n) & 1 > 0
        values, _ = least_core(masks, worth, worth[-1])
        found[name] = float(np.abs(values - theirs[f"{name}_core"]).max())
    return found


def attributions(peer):
    """Return, method by method, the largest distance from the peer's attributions over their largest
    size, up to scale.
    """
    made, _ = clusters(n=40, queries=8)
    model = fitted(made.x, made.y, 3, made.penalty)
    queries = design(made.queries.x)
    steps = TracIn(checkpoints=3, steps=12)
    weights, rate = checkpoints(model, steps)
    theirs = ask(
        peer,
        "attributions",
        x=model.x,
        y=made.y,
        queries=queries,
        labels=made.queries.y,
        weights=model.weights,
        penalty=made.penalty,
        checkpoints=weights,
        rate=rate,
    )
    methods = {"if": ExactInfluence(), "trak": Trak(), "tracin": steps, "dot": GradientProduct()}
    return {name: scaled_apart(solved(methods[name], made), theirs[name]) for name in theirs}


def checkpoints(model, method):
    """Return the weights (k, d, C) at the checkpoints of a training from zero, and its step."""
    widest = 0.5 * torch.linalg.eigvalsh(model.x.T @ model.x)[-1] / len(model.x)
    rate, weights, kept = 1 / (widest + model.lam), torch.zeros_like(model.weights), []
    for step in range(1, method.steps + 1):
        errors = (model.x @ weights).softmax(-1) - model.y
        weights = weights - rate * (model.x.T @ errors / len(errors) + model.lam * weights)
        if step % (method.steps // method.checkpoints) == 0:
            kept.append(weights)
    return torch.stack(kept), float(rate)


def scaled_apart(solution, theirs):
    """Return the largest distance over the largest size, theirs scaled to ours by least squares."""
    ours = solution.attribution.numpy()
    scale = (ours * theirs).sum() / (theirs * theirs).sum()
    return float(np.abs(ours - scale * theirs).max() / np.abs(ours).max())


def datamodelling():
    """Return the largest distance of the datamodelling scores of a random attribution."""
    generator = np.random.default_rng(0)
    given, fits = generator.standard_normal((60, 7)), generator.standard_normal((30, 7))
    parts = np.stack([generator.permutation(60)[:30] for _ in range(30)])
    inside = np.zeros((30, 60))
    np.put_along_axis(inside, parts, 1.0, 1)
    ours = spearman(given.T @ inside.T, fits.T)
    theirs = ask("dattri", "datamodelling", given=given, fits=fits, parts=parts)["score"]
    return float(np.abs(ours - theirs).max())


def _row(peer, what, apart="", times="", memory=("-", "-")):
    package = environments.PEERS[peer].package.replace("==", " ")
    near = f"{apart:.0e}" if apart != "" else "-"
    long = f"{times:.1f}" if times else "-"
    print(f"| {package} | {what} | {near} | {long} | {' | '.join(memory)} |", flush=True)


def _neighbours(peer, what, rows, k=10, large=False):
    found = neighbours(peer, rows, k)
    memory = [f"{found[name] / 1e6:,.0f}" for name in ("their_memory", "memory")]
    shown = memory if large else ("-", "-")
    _row(peer, f"`knn-shapley`, {what}", found["apart"], found["times"], shown)


def _permutations(peer):
    found = permutations(peer)
    fits = f"{ORDERS} orders of 300 digits, {found['fits']:,} fits each"
    assert found["fits"] == found["their_fits"], found
    _row(peer, f"`shapley-perm`, {fits}", times=found["times"])


def _pydvl():
    _neighbours("pydvl", "200 normal rows, 50 queries", drawn(200, 50), 5)
    _neighbours("pydvl", "300 digits, 300 queries", digits())
    known = games()
    for name, what in (("voting", "a vote of six"), ("shoes", "two left and three right shoes")):
        _row("pydvl", f"`shapley-perm`, {what}: {known[name]:.1f} standard errors away")
    for name, what in (("miner", "six miners"), ("pair", "one left and two right shoes")):
        _row("pydvl", f"`least-core`, {what}", known[name])
    _permutations("pydvl")


def _opendataval():
    _neighbours("opendataval", "200 rows of whole numbers, 50 queries", whole(200, 50))
    _neighbours("opendataval", "300 digits, 300 queries", digits())
    _permutations("opendataval")


def _dattri():
    _row("dattri", "`lds`, 60 rows, 7 queries, 30 parts", datamodelling())
    found = attributions("dattri")
    _row("dattri", "`if-exact`, 40 rows, 8 queries, up to scale", found["if"])
    _row("dattri", "`trak`, likewise, without a projection", found["trak"])


def _captum():
    _row("captum", "`tracin`, 40 rows, 8 queries, 3 checkpoints", attributions("captum")["tracin"])


LARGE = {"opendataval": whole, "pydvl": drawn}
"""Package -> rows to value. OpenDataVal needs distances without rounding, pyDVL none that are equal."""


def large(peer):
    """Return 50,000 rows and 1,000 queries for a package."""
    return LARGE[peer](50_000, 1_000)


def _large():
    for peer, kind in (("opendataval", "rows of whole numbers"), ("pydvl", "normal rows")):
        _neighbours(peer, f"50,000 {kind}, 1,000 queries", large(peer), large=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    threadpool_limits(1)  # of NumPy, which the reference loop uses: threads that wait are counted
    parts = {
        "pydvl": _pydvl,
        "opendataval": _opendataval,
        "dattri": _dattri,
        "captum": _captum,
        "large": _large,
    }
    wrong = [name for name in sys.argv[1:] if name not in parts]
    if wrong:
        sys.exit(f"beside: got {wrong[0]!r}; name one of {', '.join(parts)}.")
    print("| package | what | apart | times as long | its MB | our MB |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in sys.argv[1:] or ["pydvl", "opendataval", "dattri", "captum"]:
        parts[name]()
