from archatlas.kedro_ext.clean import clean_command
from archatlas.kedro_ext.commands import project_group, run_with_plain_errors

run = run_with_plain_errors()
clean = clean_command(records="run_records", manifest="manifest", work_folder="work_folder")
cli = project_group("toy", run, clean)
