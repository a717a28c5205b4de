"""Kedro project settings (https://docs.kedro.org/en/stable/kedro_project_setup/settings.html)."""

from archatlas.kedro_ext.announcement import AnnouncementHook
from archatlas.kedro_ext.configuration import CheckedConfigLoader
from archatlas.kedro_ext.manifest import ManifestHook
from archatlas.kedro_ext.offline import PLUGINS_THAT_SEND, keep_viz_offline
from archatlas.kedro_ext.parameter_check import ParameterCheckHook
from archatlas.kedro_ext.run_lock import RunLockHook
from archatlas.kedro_ext.versions import CurrentResultsHook
from archatlas.pipelines.engine import EngineHook
from archatlas.pipelines.map_space.spans import SpansHook

HOOKS = (
    ParameterCheckHook("archatlas.pipelines.parameters:ProjectParameters"),
    RunLockHook(folder_dataset="work_folder"),
    CurrentResultsHook(records="run_records", links="current_results"),
    EngineHook(),
    SpansHook(),
    AnnouncementHook(
        before="archatlas.pipelines.plan:describe_run",
        between="archatlas.pipelines.plan:describe_rest",
        after="archatlas.pipelines.results:describe_results",
    ),
    ManifestHook("manifest", distribution="archatlas"),
)

# Hooks of kedro-viz record runs of Kedro's own runner alone, and say so at the start of every other.
DISABLE_HOOKS_FOR_PLUGINS = ("kedro-viz", *PLUGINS_THAT_SEND)
keep_viz_offline()

# It tells a mistake by file and line.
CONFIG_LOADER_CLASS = CheckedConfigLoader

# Environments change single keys of a stage's parameters, not the whole stage.
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "merge_strategy": {"parameters": "soft"},
}
