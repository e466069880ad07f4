"""Jobs through the real Pulsar client, as Galaxy sends them: `send-jobs.py URL TOKEN JOBS`, TOKEN may be empty.

JOBS is JSON, a list of {"id", "command", "tool"}: the tool is its XML, whose requirements Galaxy's own parser reads. With "galaxy": {"endpoint",
"directory"} the file `input` of that directory is fetched by the server, and `output` is delivered there (remote_transfer). All are sent
before any is waited for. Prints the final status of each, in their order, as JSON.
"""
import json
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

from galaxy.tool_util.deps.dependencies import DependenciesDescription
from galaxy.tool_util.parser.factory import get_tool_source
from pulsar.client.exceptions import PulsarClientTransportError
from pulsar.client.manager import build_client_manager
from pulsar.client.staging.inputs import CLIENT_INPUT_PATH_TYPES, ClientInput, ClientInputs
from pulsar.client.staging.models import ClientJobDescription, ClientOutputs
from pulsar.client.staging.up import submit_job

LONGEST_SECONDS = 90


def requirements_of(tool):
    with tempfile.NamedTemporaryFile("w", suffix=".xml") as file:
        file.write(tool)
        file.flush()
        return get_tool_source(file.name).parse_requirements()[0]


def send(manager, url, token, job):
    destination = {"url": url, **({"private_token": token} if token else {})}
    description = DependenciesDescription(requirements=requirements_of(job["tool"]))
    galaxy = job.get("galaxy")
    if galaxy is None:
        client = manager.get_client(destination, job["id"])
        client.setup()
        client.launch(job["command"], dependencies_description=description)
        return client
    destination.update(default_file_action="remote_transfer", files_endpoint=galaxy["endpoint"])
    client = manager.get_client(destination, job["id"])
    given, wanted = [os.path.join(galaxy["directory"], name) for name in ("input", "output")]
    work = os.path.join(galaxy["directory"], "work")
    os.makedirs(work, exist_ok=True)
    submit_job(
        client,
        ClientJobDescription(
            command_line=job["command"].replace("INPUT", given).replace("OUTPUT", wanted),
            client_inputs=ClientInputs([ClientInput(given, CLIENT_INPUT_PATH_TYPES.INPUT_PATH)]),
            client_outputs=ClientOutputs(working_directory=work, output_files=[wanted]),
            working_directory=work,
            dependencies_description=description,
        ),
    )
    return client


def wait(client):
    deadline = time.time() + LONGEST_SECONDS
    while True:
        try:
            status = client.full_status()
        except PulsarClientTransportError as error:
            # As Galaxy: the server may be starting again.
            status = {"complete": "false", "status": str(error)}
        if status["complete"] == "true" or time.time() > deadline:
            return status
        time.sleep(0.1)


def main(url, token, text):
    jobs = json.loads(text)
    manager = build_client_manager()
    with ThreadPoolExecutor(len(jobs)) as pool:
        clients = list(pool.map(lambda job: send(manager, url, token, job), jobs))
        print(json.dumps(list(pool.map(wait, clients))))


main(*sys.argv[1:])
