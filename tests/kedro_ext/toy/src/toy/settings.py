from archatlas.kedro_ext.manifest import ManifestHook
from archatlas.kedro_ext.run_lock import RunLockHook
from archatlas.kedro_ext.versions import CurrentResultsHook

HOOKS = (
    RunLockHook(folder_dataset="work_folder"),
    CurrentResultsHook(records="run_records", links="current_results"),
    ManifestHook("manifest", distribution="archatlas"),
)
CONFIG_LOADER_ARGS = {"base_env": "base", "default_run_env": "local"}
