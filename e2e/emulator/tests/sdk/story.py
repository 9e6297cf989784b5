"""The story of a release, played with Databricks' own SDK against an emulator (DATABRICKS_HOST, DATABRICKS_TOKEN).

Its chapters are functions of the files beside this one, one file for each family of the API. They build on each other and run
in the order of the list below. Plain asserts, no framework.
"""

import files
import libraries
import notebooks
import runs
import service
from support import play

CHAPTERS = [
    service.identity,
    files.objects,
    files.dbfs,
    files.volumes,
    libraries.the_documents_example,
    libraries.a_replaced_library_needs_a_restart,
    notebooks.a_failing_test_in_a_successful_run,
    notebooks.a_failing_notebook,
    notebooks.parameters_magics_and_isolation,
    libraries.notebook_scoped_packages,
    libraries.libraries_that_fail_and_packages,
    runs.stopping,
    runs.tokens_make_runs_unique,
    runs.tasks_depend_on_each_other,
    runs.side_by_side,
    runs.a_restart_in_the_middle_of_a_run,
    service.faults,
    service.the_old_way,
    runs.warm_runs_are_fast,
]

if __name__ == "__main__":
    play(CHAPTERS)
