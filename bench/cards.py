"""Cards: what is known of a method, task, dataset or track before anything of it is imported.

A card is a keyword call with literal values in the class body, a track's in the module of its
contract, so that the index reads it from the syntax tree.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from bench.cards_parts import Metric, Preset, Reference, check_name

__all__ = [
    "API",
    "FIELDS",
    "KINDS",
    "TEST_SETS",
    "Card",
    "DatasetCard",
    "MethodCard",
    "Metric",
    "Preset",
    "Reference",
    "TaskCard",
    "TrackCard",
    "check_name",
]

API = 1
"""The version of the contracts. A card states the version it was written for."""

TEST_SETS = {
    "drawn": "drawn by every seed",
    "official": "the data's official test part, the same for every seed",
    "fixed": "fixed by the task, the same for every seed",
}
"""What a task may judge by, in words."""

_FIELD = re.compile(r"[a-z0-9]+([ -][a-z0-9]+)*")


def _twice(names: Iterable[str]) -> str:
    """Return the first name that comes twice; empty: none does."""
    return next((name for name, count in Counter(names).items() if count > 1), "")


class _Named(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    """Short name in kebab-case."""
    title: str
    """A line that says what it is."""
    api: int = 1
    """The version of the contracts it was written for."""

    def __post_init__(self) -> None:
        check_name(type(self).__name__.removesuffix("Card").lower(), self.name)
        if self.api != API:
            raise ValueError(
                f"card {self.name!r} was written for api={self.api}; this version of bench speaks "
                f"api={API}"
            )


class _Card(_Named, frozen=True, kw_only=True, forbid_unknown_fields=True):
    licence: str = "MIT"
    libraries: tuple[str, ...] = ()
    """Import names of what it imports beyond NumPy and torch; they are
    preloaded, and part of the key.
    """


FIELDS = (
    "wrong labels",
    "less data",
    "worth of data",
    "forgetting",
    "shift",
    "few labels",
    "training",
    "streams and defects",
    "policies",
)
"""The fields of the built-in tracks."""


class TrackCard(_Named, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of a track.

    It stands in the module of the track's contract: ``TRACK = TrackCard(...)``.
    """

    about: str
    """What its methods do, in one sentence."""
    field: str
    """The field it belongs to, one of ``bench.cards.FIELDS``; a track of
    another field names that in lower-case words.
    """
    ranked: str
    """What its board ranks, and by what, in a line."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("title", "about", "ranked"):
            text = getattr(self, name)
            if not text.strip() or "\n" in text:
                raise ValueError(
                    f"track {self.name!r} has {name}={text[:80]!r}; give one line of text"
                )
        if len(self.field) > 64 or not _FIELD.fullmatch(self.field):
            raise ValueError(
                f"track {self.name!r} has field={self.field[:80]!r}; give one of "
                f"{', '.join(map(repr, FIELDS))}, or lower-case words of your own"
            )


class MethodCard(_Card, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of a method."""

    track: str | tuple[str, ...]
    """The track it serves, or several."""
    paper: str = ""
    """Where it comes from, e.g. ``arXiv:2007.00151``."""
    bibtex: str = ""
    """The paper's entry; what ``bench show NAME --bibtex`` prints."""
    claim: str = ""
    """What the paper says it does, in a sentence of our own; the docs hold
    it against what is measured here.
    """
    official_code: Literal["ok", "flawed", "none"] = "none"
    """Whether the authors' code was read and is right."""
    deviates: str = ""
    """What differs from the paper, and why. Empty: nothing known."""
    signal: str = ""
    """What it reads off the data to judge a row, in the words of its
    track, e.g. ``oof``, ``dynamics``, ``features``.
    """
    needs: tuple[str, ...] = ()
    """What it wants beyond the problem, e.g. ``noise-rate``; shown on the board."""
    inputs: Literal["any", "pictures"] = "any"
    """What it learns from: ``pictures``, it does not apply to tables."""
    tuning: dict[str, tuple[Any, ...]] = {}
    """Parameter -> the values that ``--tune`` may try; the ranked row uses
    the defaults whatever they are.
    """
    stacked: bool = False
    """True: it has ``solve_stacked``, and several seeds run in one pass."""
    plain: bool = False
    """True: a plain baseline, what anyone would try first; it is ranked with the others, and a
    method is held against the best of them.
    """
    defaults_from: Literal["paper", "here", ""] = ""
    """Where its defaults come from: the paper or the authors' code, or
    they were chosen here; empty: not stated.
    """
    trials: int | None = 0
    """How many settings were tried to choose defaults here; 0: the first guess stayed, or there is
    nothing to set; None: nobody counted.
    """

    @property
    def tracks(self) -> tuple[str, ...]:
        """The tracks as a tuple."""
        return (self.track,) if isinstance(self.track, str) else self.track

    def __post_init__(self) -> None:
        super().__post_init__()
        for track in self.tracks:
            check_name("track", track)
        if (self.trials is not None and self.trials < 0) or (
            self.trials != 0 and self.defaults_from != "here"
        ):
            raise ValueError(
                f"card {self.name!r} has trials={self.trials}; give 0 or more or None, and other "
                "than 0 only beside defaults_from='here'"
            )


class TaskCard(_Card, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of a task."""

    track: str
    """The track it belongs to."""
    datasets: tuple[str, ...] = ()
    """Names of the datasets it may ask for."""
    metrics: tuple[Metric, ...]
    """All figures it reports; exactly one is ``primary``."""
    presets: dict[str, Preset]
    """Preset name -> the size that runs under it: ``smoke``, ``default``, ``paper``."""
    budget: str = ""
    """What every method may spend, in words."""
    offers: dict[str, dict[str, Any]] = {}
    """Need -> the task parameters under which it can be met; ``{}``: always."""
    inputs: Literal["any", "table"] = "any"
    """``table``: rows of numbers, which methods for pictures do not apply to."""
    references: tuple[Reference, ...] = ()
    """The anchors and controls of its board."""
    tuning: dict[str, Any] = {}
    """Parameters under which it scores a part of the training data, held out, instead of its test
    data.

    Empty: it has no validation score.
    """
    test_set: Literal["drawn", "official", "fixed"] = "drawn"
    """What the hidden part is judged by: ``drawn`` anew by every seed; the data's ``official`` test
    part, or one ``fixed`` by the task, both the
    same for every seed, so that the spread over seeds is blind to the choice of test rows. The
    board says so. (Of the task's own preset: a parameter may name data of another kind.)
    """
    lengths_vary: bool = False
    """True: how much a run computes depends on its seed, as where texts are generated; the
    operations of every seed are then counted, not of one.
    """
    clock_arrays: tuple[str, ...] = ()
    """Names of arrays that it keeps with times in them: no two runs agree on them."""
    paper: str = ""
    """Where it was described, e.g. ``arXiv:2007.00151``."""
    bibtex: str = ""
    """The paper's entry; what ``bench show NAME --bibtex`` prints."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_name("track", self.track)
        if sum(metric.validation for metric in self.metrics) != bool(self.tuning):
            raise ValueError(
                f"task {self.name!r} must mark one metric as validation if it has 'tuning', and "
                "none if it has not"
            )
        if sum(metric.primary for metric in self.metrics) != 1:
            raise ValueError(f"task {self.name!r} must mark exactly one of its metrics as primary")
        if twice := _twice(metric.name for metric in self.metrics):
            raise ValueError(
                f"task {self.name!r} has two metrics {twice!r}; give each a name of its own"
            )
        if not self.presets:
            raise ValueError(
                f"task {self.name!r} has no presets, so it can't run; give one, like 'default'"
            )
        for preset in self.presets:
            check_name("preset", preset)
        if twice := _twice(reference.name for reference in self.references):
            raise ValueError(
                f"task {self.name!r} has two references {twice!r}; a row is one of them"
            )
        if sum(item.kind == "low" for item in self.references) > 1:
            raise ValueError(
                f"task {self.name!r} has several low references; a board has one, others can be "
                "of kind 'control'"
            )

    @property
    def primary(self) -> Metric:
        """The metric that sorts the board."""
        return next(metric for metric in self.metrics if metric.primary)

    @property
    def clocks(self) -> frozenset[str]:
        """The names of the metrics that are read off a clock: no two runs agree on them."""
        return frozenset(metric.name for metric in self.metrics if metric.clock)


class DatasetCard(_Card, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of a dataset. ``licence`` is the data's."""

    source: str
    """Where it comes from."""
    size: str
    """How large it is, in words."""
    had: Literal["shipped", "generated", "hub", "local"]
    """How one gets it."""
    get: str = ""
    """The command that puts it on a machine, where one does."""
    fingerprint: str | dict[str, str] = ""
    """SHA-256 of its arrays (see ``bench.runs.guard.fingerprint``), checked at every load; ``bench
    check`` prints it.

    One text pins a load

    with the defaults; a table pins a load for each set of parameters, as ``{"": "...",
    "split=test": "..."}``: those that differ from the defaults, by name. Empty, or not in the
    table: not pinned.
    """
    paper: str = ""
    """Where it was described, e.g. ``arXiv:2007.00151``."""
    bibtex: str = ""
    """The paper's entry; what ``bench show NAME --bibtex`` prints."""


Card = MethodCard | TaskCard | DatasetCard
KINDS: dict[str, type[MethodCard | TaskCard | DatasetCard]] = {
    "method": MethodCard,
    "task": TaskCard,
    "dataset": DatasetCard,
}
"""Kind of plugin -> its card."""
