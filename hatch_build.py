"""What the wheel holds beyond ``bench``, and what its metadata say that depends on the project's
address.
"""

import re
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

ROOMS = ("methods", "tasks", "datasets", "leaderboard")
LEFT_OUT = {"leaderboard/published"}
PAGES = {
    "Repository": "",
    "Documentation": "/tree/main/docs",
    "Changelog": "/blob/main/CHANGELOG.md",
    "Issues": "/issues",
}
"""Label of a link on the package index -> where it leads, below the repository's address."""
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?!https?:|#)([^)\s]+)\)")
PICTURE = re.compile(r"^<picture>\n.*?^</picture>\n", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"^<!-- .*? -->\n", re.MULTILINE)


class Rooms(BuildHookInterface):
    """Adds the rooms, which no exclusion of hatchling's reaches when they are included by force."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name every file and folder of a room."""
        if version == "editable":
            return  # the rooms stay where they lie
        for room in ROOMS:
            for path in sorted(Path(self.root, room).iterdir()):
                name = f"{room}/{path.name}"
                if name not in LEFT_OUT and path.name != "__pycache__":
                    build_data["force_include"][str(path)] = f"bench/builtin/{name}"


class Address(MetadataHookInterface):
    """Fills ``urls`` and ``readme`` from one variable, ``repository`` in pyproject.toml.

    As long as that is empty the package names no address, and its page has no link into the
    repository.
    """

    def update(self, metadata: dict[str, Any]) -> None:
        """Add both to the project's metadata."""
        repository = str(self.config.get("repository", "")).rstrip("/")
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": outside(text, repository)}
        metadata["urls"] = (
            {label: repository + page for label, page in PAGES.items()} if repository else {}
        )


def outside(text: str, repository: str) -> str:
    """Return a page of the repository as another site can show it: relative links lead to the
    repository or, where it has no address, are text.
    """

    def link(match: re.Match[str]) -> str:
        picture, label, path = match.groups()
        if not repository:
            return "" if picture else label
        return f"{picture}[{label}]({repository}/{'raw' if picture else 'blob'}/main/{path})"

    text = LINK.sub(link, COMMENT.sub("", text))
    if not repository:
        return PICTURE.sub("", text)
    return re.sub(r'(\b(?:src|srcset)=")(?!https?:)', rf"\g<1>{repository}/raw/main/", text)
