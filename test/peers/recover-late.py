"""A start of the Python Pulsar with its threads in the order that shows a race of its own: `python recover-late.py DIRECTORY JOB_ID`.

While it starts, it brings in the inputs of earlier jobs in threads of their own (stateful.py:recover_active_jobs), and meanwhile goes
through all that are launched. Here it does so after those threads are through, and before its queue begins anything: as on a machine that
gives the other threads their turn first. Then it is as ever, until the job is over. Prints, as JSON, how often the job stood in its queue
and its status; a job that stands there twice is not run.
"""
import json
import sys
import threading
import time

from pulsar.core import PulsarApp
from pulsar.main import load_app_configuration
from pulsar.managers.queued import QueueManager
from pulsar.managers.stateful import ACTIVE_STATUS_LAUNCHED, ActiveJobs

LONGEST_SECONDS = 60
recovered = threading.Event()
list_jobs, run_next = ActiveJobs.active_job_ids, QueueManager.run_next


def list_late(self, active_status=ACTIVE_STATUS_LAUNCHED):
    if active_status == ACTIVE_STATUS_LAUNCHED:
        for thread in threading.enumerate():
            if "[action=preprocess]" in thread.name:
                thread.join(LONGEST_SECONDS)
    return list_jobs(self, active_status=active_status)


def run_late(self):
    recovered.wait()
    run_next(self)


def main(directory, job_id):
    ActiveJobs.active_job_ids, QueueManager.run_next = list_late, run_late
    app = PulsarApp(**load_app_configuration(ini_path=f"{directory}/server.ini", config_dir=directory))
    manager = app.managers["_default_"]
    queued = manager._proxied_manager.work_queue.qsize()
    status = None
    if queued == 1:
        recovered.set()
        deadline = time.time() + LONGEST_SECONDS
        while (status := manager.get_status(job_id)) not in ("complete", "failed") and time.time() < deadline:
            time.sleep(0.05)
        app.shutdown(LONGEST_SECONDS)
    print("\n" + json.dumps({"queued": queued, "status": status}))


main(*sys.argv[1:])
