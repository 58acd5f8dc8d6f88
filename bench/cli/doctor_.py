"""``bench doctor``."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import click

from bench.cli._options import (
    emit_json,
    json_option,
    number,
    open_registry,
    plugins_option,
    results_folder,
    results_option,
    table,
)
from bench.errors import EnvironmentFault

_LOW_DISK = 1 << 30


@click.command("doctor")
@results_option
@plugins_option
@json_option
def command(results: str | None, plugins: tuple[str, ...], as_json: bool) -> int:
    """Check libraries, device, folders, plugins and records.

    The exit code is 4 if a check fails.
    """
    from bench.plugins.cache_folder import cache_folder
    from bench.runs import provenance

    registry = open_registry(plugins)
    rows: list[tuple[str, bool, str]] = []
    known = ("torch", "numpy", "torch_geometric", "datasets", "pluggy", "msgspec")
    absent = provenance.missing(known)
    rows.append(
        (
            "libraries",
            not absent,
            f"missing: {', '.join(absent)}; install datacentric-bench again"
            if absent
            else ", ".join(
                f"{name} {version}" for name, version in provenance.versions(known).items()
            ),
        )
    )
    gpu = provenance.gpu()
    rows.append(
        (
            "device",
            True,
            gpu["name"]
            if gpu
            else f"no GPU; {provenance.cpu()['model']}, {provenance.cpu()['class']}, "
            f"{provenance.machine()['cores']} cores",
        )
    )
    rows.append(("kernels", *_kernels()))
    for title, folder in (("cache", cache_folder()), ("results", results_folder(results))):
        rows.append((f"{title} folder", *_folder(folder)))
    rows.append(("records", *_records(results_folder(results))))
    for item in registry.broken:
        rows.append((f"plugin {item.name}", False, f"{item.source}: {item.error}"))
    for kind in ("method", "task", "dataset"):
        for identity in sorted(registry.clashes(kind)):
            rows.append(
                (
                    f"{kind} {identity}",
                    False,
                    "two plugins have this name: "
                    + " and ".join(
                        entry.source for entry in registry.rows(kind) if entry.identity == identity
                    ),
                )
            )
    rows.append(
        (
            "plugins",
            True,
            ", ".join(
                f"{len(registry.rows(kind))} {kind}s" for kind in ("method", "task", "dataset")
            ),
        )
    )
    healthy = all(fine for _, fine, _ in rows)
    if as_json:
        emit_json(
            {
                "schema_version": 1,
                "healthy": healthy,
                "checks": [{"check": name, "ok": fine, "says": says} for name, fine, says in rows],
            }
        )
    else:
        click.echo(
            table(
                [[name, "ok" if fine else "WRONG", says] for name, fine, says in rows],
                ["check", "", "says"],
            )
        )
    return 0 if healthy else EnvironmentFault.exit_code


def _kernels() -> tuple[bool, str]:
    from bench.runs import kernels, provenance

    try:
        return True, kernels.in_words(provenance.kernels_here())
    except EnvironmentFault as error:
        return False, str(error)


def _folder(folder: Path) -> tuple[bool, str]:
    try:
        place = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        with tempfile.TemporaryFile(dir=place):
            free = shutil.disk_usage(place).free
    except OSError as error:
        return False, f"{folder} can't be written ({error.strerror})"
    return free > _LOW_DISK, f"{folder}, {free / 2**30:.1f} GiB free"


def _records(folder: Path) -> tuple[bool, str]:
    from bench.runs.store import Store

    store = Store(folder)
    count = len(store.briefs())
    if store.damaged:
        return (
            False,
            f"{count} records, {len(store.damaged)} damaged: {store.damaged[0].path}: "
            f"{store.damaged[0].reason}; remove or restore the file",
        )
    return True, number(count, "record")
