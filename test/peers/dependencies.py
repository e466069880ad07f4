"""What galaxy-tool-util makes of the configuration of resolvers, and of requirements: `python dependencies.py CASES ANSWERS`, both JSON.

A case has "configDirectory" and the "app.yml" there; then the answer has the resolvers as they are made, with their options. Or it has
"base", "resolvers" and "description"; then the answer has the shell commands for the job.
"""
import json
import logging
import os
import sys

import yaml
from galaxy.tool_util.deps import DependencyManager, build_dependency_manager
from galaxy.tool_util.deps.dependencies import DependenciesDescription

logging.disable(logging.CRITICAL)
# A resolver of Conda would install it.
known_types = DependencyManager._DependencyManager__resolvers_dict


def record(resolver_type):
    def make(dependency_manager, **options):
        for key in ("type", "resolver_type"):
            options.pop(key, None)
        return {"type": resolver_type, "options": options}

    return make


def configured(case):
    directory = case["configDirectory"]
    with open(os.path.join(directory, "app.yml"), encoding="utf-8") as file:
        conf = yaml.safe_load(file) or {}
    # pulsar/core.py: __setup_dependency_manager
    conf_file = os.path.join(directory, conf.get("dependency_resolvers_config_file", "dependency_resolvers_conf.xml"))
    conf.setdefault("conda_auto_init", False)
    conf.setdefault("conda_auto_install", False)
    DependencyManager._DependencyManager__resolvers_dict = lambda self: {
        name: record(name) for name in known_types(self)
    }
    try:
        manager = build_dependency_manager(
            app_config_dict=conf, conf_file=conf_file, default_tool_dependency_dir="dependencies"
        )
    finally:
        DependencyManager._DependencyManager__resolvers_dict = known_types
    resolvers = manager.dependency_resolvers
    return {"base": manager.default_base_path if resolvers else None, "resolvers": resolvers}


def resolved(case):
    manager = DependencyManager(case["base"], app_config={"dependency_resolvers": case["resolvers"]})
    description = DependenciesDescription.from_dict(case["description"])
    # pulsar/managers/base/__init__.py: _expand_command_line
    commands = manager.dependency_shell_commands(
        requirements=description.requirements,
        installed_tool_dependencies=description.installed_tool_dependencies,
        job_directory=case["base"],
    )
    return {"shell": "; ".join(commands)}


def answer(case):
    try:
        return configured(case) if "configDirectory" in case else resolved(case)
    except Exception as error:
        return {"error": "%s: %s" % (type(error).__name__, error)}


def main(cases, answers):
    with open(cases, encoding="utf-8") as file:
        found = [answer(case) for case in json.load(file)]
    with open(answers, "w", encoding="utf-8") as file:
        json.dump(found, file)


main(*sys.argv[1:])
