"""``python -m archatlas`` runs the project as an installed package does; with ``rank`` it needs no project."""

import sys
from pathlib import Path

from archatlas.kedro_ext.stop import RunStopped, stoppable


def main(*args: str) -> None:
    """``kedro run`` with these arguments (default: those of the command line); or ``rank``, if that is the first."""
    arguments = list(args) or sys.argv[1:]
    if arguments[:1] == ["rank"]:
        from archatlas.rank_command import rank_command

        rank_command.main(args=arguments[1:], prog_name="archatlas rank")
    try:
        with stoppable():
            # Importing Kedro takes most of a second, in which Ctrl-C is to be answered as later on.
            from kedro.framework.project import configure_project

            from archatlas.cli import run

            configure_project(Path(__file__).parent.name)
            run.main(args=arguments, prog_name="archatlas")
    except RunStopped as stopped:
        print(stopped, file=sys.stderr)
        sys.exit(stopped.exit_code)


if __name__ == "__main__":
    main()
