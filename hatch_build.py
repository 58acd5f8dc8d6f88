"""Where the rooms go in the wheel: under bench/builtin, all but what is
published for people to look at.
"""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOMS = ("methods", "tasks", "datasets", "leaderboard")
LEFT_OUT = {"leaderboard/published"}


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
