"""Writes a Conda channel with a few small packages: `make-channel.py DIRECTORY`."""
import bz2
import hashlib
import io
import json
import os
import sys
import tarfile

PLACEHOLDER = "/opt/placeholder_" + "_" * 60


def package(name, version, files, depends=()):
    return {"name": name, "version": version, "files": files, "depends": list(depends)}


def program(text):
    return ("#!/bin/sh\n" + text + "\n", 0o755)


PACKAGES = [
    package("zlib", "1.2.8", {"bin/zlib-hello": program('echo "zlib 1.2.8 in ' + PLACEHOLDER + '"')}),
    package("zlib", "1.2.11", {"bin/zlib-hello": program('echo "zlib 1.2.11 in ' + PLACEHOLDER + '"')}),
    package(
        "acted",
        "1.0",
        {
            "bin/acted": program('echo "acted home: $ACTED_HOME, set: $ACTED_SET"'),
            # Uses a variable that is not set and a command that fails, as real ones do; and it prints.
            "etc/conda/activate.d/acted.sh": (
                'echo activating; export ACTED_OLD="$ACTED_HOME"; false; export ACTED_HOME="$CONDA_PREFIX/share/acted"\n',
                0o644,
            ),
            "etc/conda/deactivate.d/acted.sh": ("unset ACTED_HOME; export ACTED_GONE=yes\n", 0o644),
            "etc/conda/env_vars.d/acted.json": ('{"ACTED_SET": "it\'s $set"}', 0o644),
        },
    ),
    package("pair-base", "2.0", {"bin/pair-base": program("echo pair-base 2.0")}),
    package("pair-top", "3.0", {"bin/pair-top": program("pair-base; echo pair-top 3.0")}, ["pair-base >=2"]),
    package("pair-old", "1.0", {"bin/pair-old": program("pair-base")}, ["pair-base <2"]),
]


def write(directory, each):
    build = "%s-%s-0" % (each["name"], each["version"])
    index = {
        "name": each["name"],
        "version": each["version"],
        "build": "0",
        "build_number": 0,
        "depends": each["depends"],
        "subdir": "linux-64",
        "arch": "x86_64",
        "platform": "linux",
    }
    paths, members = [], []
    for path, (text, mode) in each["files"].items():
        data = text.encode()
        entry = {"_path": path, "path_type": "hardlink", "sha256": hashlib.sha256(data).hexdigest(), "size_in_bytes": len(data)}
        if PLACEHOLDER in text:
            entry.update(prefix_placeholder=PLACEHOLDER, file_mode="text")
        paths.append(entry)
        members.append((path, data, mode))
    info = {
        "info/index.json": index,
        "info/paths.json": {"paths": paths, "paths_version": 1},
        "info/about.json": {},
    }
    members += [(path, json.dumps(value).encode(), 0o644) for path, value in info.items()]
    members.append(("info/files", "".join(path + "\n" for path in each["files"]).encode(), 0o644))
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path, data, mode in members:
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(data), mode
            archive.addfile(member, io.BytesIO(data))
    data = bz2.compress(packed.getvalue())
    with open(os.path.join(directory, "linux-64", build + ".tar.bz2"), "wb") as file:
        file.write(data)
    sums = {"md5": hashlib.md5(data).hexdigest(), "sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    return build + ".tar.bz2", {**index, **sums}


def main(directory):
    for subdir in ("linux-64", "noarch"):
        os.makedirs(os.path.join(directory, subdir), exist_ok=True)
        packages = dict(write(directory, each) for each in PACKAGES) if subdir == "linux-64" else {}
        repodata = {"info": {"subdir": subdir}, "packages": packages, "packages.conda": {}, "repodata_version": 1}
        with open(os.path.join(directory, subdir, "repodata.json"), "w") as file:
            json.dump(repodata, file)


main(sys.argv[1])
