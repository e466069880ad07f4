"""What galaxy-tool-util calls the packages and environments of requirement lists: `python conda-names.py CASES ANSWERS`, JSON files.

A case is {"requirements": [{name, version, type, specs}], "versionless"}; an answer {"specs", "lookup", "create", "singles"} or
{"refused": message}.
"""
import json
import sys

from galaxy.tool_util.deps.conda_util import CondaTarget
from galaxy.tool_util.deps.requirements import ToolRequirement
from galaxy.tool_util.deps.resolvers.conda import CondaDependencyResolver

# The resolver's own methods, without its constructor, which looks for a conda.
RESOLVER = CondaDependencyResolver.__new__(CondaDependencyResolver)
RESOLVER._mappings = []


def answer(case):
    try:
        found = [RESOLVER._expand_requirement(ToolRequirement.from_dict(each)) for each in case["requirements"]]
        targets = [CondaTarget(each.name, version=None if case["versionless"] else each.version) for each in found]
    except ValueError as error:
        return {"refused": str(error)}
    return {
        "specs": [target.package_specifier for target in targets],
        "lookup": [RESOLVER.merged_environment_name(targets, capitals) for capitals in (True, False)],
        "singles": [[target.install_environment, target.capitalized_install_environment] for target in targets],
    }


with open(sys.argv[1], encoding="utf-8") as cases:
    answers = [answer(case) for case in json.load(cases)]
with open(sys.argv[2], "w", encoding="utf-8") as file:
    json.dump(answers, file)
