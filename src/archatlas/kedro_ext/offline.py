"""Commands that ask nothing of the network unless they are asked to."""

from __future__ import annotations

import sys
from importlib.util import find_spec

PLUGINS_THAT_SEND = ("kedro-telemetry",)
"""For ``DISABLE_HOOKS_FOR_PLUGINS``: what sends use of Kedro elsewhere. Its hooks around the command line are not among
those, and are turned off by the file ``.telemetry``."""

_ASKS = "get_latest_version"
_MODULES = ("kedro_viz.integrations.pypi", "kedro_viz.api.rest.responses.version")


def keep_viz_offline() -> None:
    """Let ``kedro viz`` take its own version for the newest one.

    It asks PyPI at every start, and again for every page that is opened, and has no setting for it (kedro-viz 12.5,
    ``integrations/pypi``; without an answer its page says that version "None" is to be had). So the function that asks
    is replaced: pages of ``kedro viz build`` say the same. To be called from ``settings.py``, which both processes of
    ``kedro viz`` load before they ask. Does nothing where kedro-viz is not installed.
    """
    if find_spec("kedro_viz") is None:
        return
    import kedro_viz.integrations.pypi as pypi

    for module in (sys.modules.get(name) for name in _MODULES):
        # The second is loaded by the server only, before the project is, and has the function by name.
        if module is not None:
            setattr(module, _ASKS, lambda: pypi.parse(pypi.__version__))
