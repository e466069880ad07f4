"""A job through the real Pulsar client, as Galaxy sends it: `python run-with-requirements.py URL JOB_ID COMMAND REQUIREMENTS`.

REQUIREMENTS is JSON, as in a tool: [{"name", "type", "version"}]. Prints the final status as JSON.
"""
import json
import sys
import time

from galaxy.tool_util.deps.dependencies import DependenciesDescription
from pulsar.client.manager import build_client_manager

LONGEST_SECONDS = 60


def main(url, job_id, command, requirements):
    client = build_client_manager().get_client({"url": url}, job_id)
    client.setup()
    description = DependenciesDescription.from_dict({"requirements": json.loads(requirements)})
    client.launch(command, dependencies_description=description)
    deadline = time.time() + LONGEST_SECONDS
    while True:
        status = client.full_status()
        if status["complete"] == "true" or time.time() > deadline:
            break
        time.sleep(0.1)
    print(json.dumps(status))


main(*sys.argv[1:])
