"""``python -m archatlas`` runs the project as an installed package does."""

import sys
from pathlib import Path

from kedro.framework.project import configure_project

from archatlas.cli import run


def main(*args: str) -> None:
    """``kedro run`` with these arguments (default: those of the command line)."""
    configure_project(Path(__file__).parent.name)
    run.main(args=list(args) or sys.argv[1:], prog_name="archatlas")


if __name__ == "__main__":
    main()
