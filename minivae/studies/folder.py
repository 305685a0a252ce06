"""The folder figures/ of the project, which holds the committed results and pictures."""

from pathlib import Path

from minivae.checks import printable
from minivae.errors import MinivaeError

FIGURES_FOLDER = Path(__file__).parents[2] / "figures"  # beside the package, in a clone


def check_folder(folder: Path) -> None:
    """Raise MinivaeError unless the folder is there: called before hours of work, not after."""
    if not folder.is_dir():
        raise MinivaeError(
            f"there is no folder {printable(folder)} for the results; run this in a clone of the "
            "project, which has one"
        )
