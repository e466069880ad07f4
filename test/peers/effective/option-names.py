"""The names of options that the server side of pulsar-app 0.16.0 asks for: `python option-names.py ANSWER`, a JSON list.

Found in its source: `conf.get("name")`, `kwds["name"]` and the like, and the names of options in lists.
"""
import ast
import json
import os
import sys

import pulsar

HOLDERS = {"conf", "kwds", "manager_options"}
SOURCES = ["core.py", "manager_factory.py", "messaging", "managers", "user_auth"]


def files():
    root = os.path.dirname(pulsar.__file__)
    for source in SOURCES:
        path = os.path.join(root, source)
        if source.endswith(".py"):
            yield path
        for directory, _, names in os.walk(path):
            # The command line and staging of one job, not the configuration.
            if os.path.basename(directory) not in ("staging", "cli", "job", "shell"):
                yield from (os.path.join(directory, name) for name in names if name.endswith(".py"))


def name_of(node):
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def names_in(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("get", "setdefault", "pop"):
            holder = node.func.value
            if isinstance(holder, ast.Name) and holder.id in HOLDERS and node.args:
                yield name_of(node.args[0])
        elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id in HOLDERS:
            yield name_of(node.slice)
        elif isinstance(node, ast.Compare) and any(isinstance(each, ast.Name) and each.id in HOLDERS for each in node.comparators):
            yield name_of(node.left)
        elif isinstance(node, ast.For) and isinstance(node.iter, ast.List):
            yield from (name_of(each) for each in node.iter.elts)


found = set()
for path in files():
    with open(path, encoding="utf-8") as file:
        found.update(name for name in names_in(ast.parse(file.read())) if name)
with open(sys.argv[1], "w", encoding="utf-8") as answer:
    json.dump(sorted(found), answer)
