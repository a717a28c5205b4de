from archatlas.kedro_ext.clean import clean_command
from archatlas.kedro_ext.commands import project_group, run_with_plain_errors
from archatlas.kedro_ext.verify import verify_command

run = run_with_plain_errors()
clean = clean_command(records="run_records", manifest="manifest", work_folder="work_folder")
verify = verify_command(records="run_records", manifest="manifest", work_folder="work_folder", links="current_results")
cli = project_group("toy", run, clean, verify)
