"""What the Python Pulsar's ResultsCollector would collect: `python collect-outputs.py CASES ANSWERS`, both JSON files.

A case is {"mapper", "outputs", "listings", "dynamicFiles"}. An answer has the actions in their order, the files for which none
could be chosen, and what made it give up.
"""
import json
import logging
import sys
from os.path import basename

from pulsar.client.action_mapper import FileActionMapper
from pulsar.client.staging.down import ResultsCollector
from pulsar.client.staging.models import ClientOutputs, PulsarOutputs

logging.disable(logging.CRITICAL)


class Recorder:
    def __init__(self):
        self.collected = []

    def collect_output(self, results_collector, output_type, action, name):
        # As pulsar/managers/staging/post.py: PulsarServerOutputCollector does, which answers nothing either.
        collected = {"type": output_type, "name": name or basename(action.path), **action.to_dict()}
        if hasattr(action, "ssh_key"):
            collected["ssh_key"] = action.ssh_key
        del collected["source"]
        self.collected.append(collected)


def collect(case):
    recorder = Recorder()
    answer = {"collected": recorder.collected, "failures": [], "aborted": None}
    try:
        mapper = FileActionMapper(config=case["mapper"])
        listings = case["listings"]
        outputs = PulsarOutputs(
            listings["working"],
            listings["outputs"],
            listings["metadata"],
            listings["jobdir"],
            realized_dynamic_file_sources=case["dynamicFiles"],
        )
        collector = ResultsCollector(recorder, mapper, ClientOutputs.from_dict(case["outputs"]), outputs)
        answer["failures"] = [str(failure) for failure in collector.collect()]
    except Exception as error:
        answer["aborted"] = "%s: %s" % (type(error).__name__, error)
    return answer


def main(cases, answers):
    with open(cases, encoding="utf-8") as file:
        found = [collect(case) for case in json.load(file)]
    with open(answers, "w", encoding="utf-8") as file:
        json.dump(found, file)


main(*sys.argv[1:])
