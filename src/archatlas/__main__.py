"""``python -m archatlas`` runs the project as an installed package does."""

import sys
from pathlib import Path

from archatlas.kedro_ext.stop import RunStopped, stoppable


def main(*args: str) -> None:
    """``kedro run`` with these arguments (default: those of the command line)."""
    try:
        with stoppable():
            # Importing Kedro takes most of a second, in which Ctrl-C is to be answered as later on.
            from kedro.framework.project import configure_project

            from archatlas.cli import run

            configure_project(Path(__file__).parent.name)
            run.main(args=list(args) or sys.argv[1:], prog_name="archatlas")
    except RunStopped as stopped:
        print(stopped, file=sys.stderr)
        sys.exit(stopped.exit_code)


if __name__ == "__main__":
    main()
