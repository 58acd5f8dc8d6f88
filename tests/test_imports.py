"""What imports what in the repository, read from the source: no two modules need each other, and
none is long.
"""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = ("methods", "tasks", "datasets", "leaderboard")


def modules(root: Path) -> dict[str, Path]:
    """The files of the package and of the rooms, by the name under which they are imported."""
    found = {}
    for folder, package in [
        ("bench", "bench"),
        *((room, f"bench.builtin.{room}") for room in ROOMS),
    ]:
        for path in (root / folder).rglob("*.py"):
            parts = path.relative_to(root / folder).with_suffix("").parts
            found[".".join([package, *(part for part in parts if part != "__init__")])] = path
    return found


def graph(files: dict[str, Path]) -> dict[str, set[str]]:
    """Module -> the modules of ``files`` that it imports anywhere: at the top, in a function, or
    for a type checker alone.
    """
    found: dict[str, set[str]] = {}
    for name, path in files.items():
        package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
        found[name] = set()
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                found[name] |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                above = package[: len(package) - node.level + 1] if node.level else []
                module = ".".join([*above, *([node.module] if node.module else [])])
                for alias in node.names:
                    inner = f"{module}.{alias.name}"
                    found[name].add(inner if inner in files else module)
        found[name] = {other for other in found[name] if other in files and other != name}
    return found


def cycles(imports: dict[str, set[str]]) -> list[list[str]]:
    """The groups of modules that all reach each other."""
    left = {name: set(others) for name, others in imports.items()}
    while loose := [name for name, others in left.items() if not others & left.keys()]:
        for name in loose:
            del left[name]
    while loose := left.keys() - set().union(*left.values()):
        for name in loose:
            del left[name]

    def reached(start: str) -> set[str]:
        seen, waiting = set(), [start]
        while waiting:
            for other in left[waiting.pop()] & left.keys():
                if other not in seen:
                    seen.add(other)
                    waiting.append(other)
        return seen

    reach = {name: reached(name) for name in left}
    groups = {
        frozenset({name} | {other for other in reach[name] if name in reach[other]})
        for name in left
        if name in reach[name]
    }
    return sorted(sorted(group) for group in groups)


def test_a_cycle_is_found_wherever_the_imports_stand(tmp_path):
    folder = tmp_path / "bench"
    folder.mkdir()
    (folder / "a.py").write_text("from bench import b\n")
    (folder / "b.py").write_text("def f():\n    from .c import g\n")
    (folder / "c.py").write_text("if TYPE_CHECKING:\n    import bench.a\n")
    (folder / "d.py").write_text("import bench.a\n")
    (folder / "e.py").write_text("import os\n")
    assert cycles(graph(modules(tmp_path))) == [["bench.a", "bench.b", "bench.c"]]


# A change of the code that keys reach makes records stale: these go when records are renewed.
def test_no_modules_import_each_other():
    files = modules(ROOT)
    assert len(files) > 300
    assert cycles(graph(files)) == []


def test_no_module_is_over_300_lines():
    files = modules(ROOT).values()
    assert len(files) > 300
    lengths = {str(file.relative_to(ROOT)): len(file.read_text().splitlines()) for file in files}
    assert {name: length for name, length in lengths.items() if length > 300} == {}
