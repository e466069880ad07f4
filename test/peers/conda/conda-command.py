"""A thin conda over py-rattler's solver and installer: `conda-command.py ROOT KIND ARGUMENTS`, KIND being conda or mamba.

It takes the flags that conda (or mamba 2) takes here and refuses every other one. MAGNETAR_TEST_STOP names a moment at which it
writes the file MAGNETAR_TEST_STOPPED and waits to be killed: begun, solved, half, installed.
"""
import argparse
import asyncio
import json
import os
import shutil
import sys
import time

ROOT, KIND = os.path.abspath(sys.argv[1]), sys.argv[2]


def stop_at(moment):
    if os.environ.get("MAGNETAR_TEST_STOP") == moment:
        with open(os.environ["MAGNETAR_TEST_STOPPED"], "w") as file:
            file.write(str(os.getpid()))
        time.sleep(600)


def parse(argv):
    parser = argparse.ArgumentParser(prog=KIND, allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True)
    info = commands.add_parser("info", allow_abbrev=False)
    info.add_argument("--json", action="store_true", required=True)
    for name in ("create", "install"):
        command = commands.add_parser(name, allow_abbrev=False)
        command.add_argument("-y", action="store_true", required=True)
        command.add_argument("--quiet", action="store_true")
        command.add_argument("--strict-channel-priority", action="store_true")
        command.add_argument("--override-channels", action="store_true")
        command.add_argument("--channel", action="append", default=[])
        where = command.add_mutually_exclusive_group(required=True)
        where.add_argument("--prefix")
        where.add_argument("--name")
        if KIND == "conda":
            command.add_argument("--solver", choices=["libmamba", "classic"])
            command.add_argument("--use-local", action="store_true")
            command.add_argument("--debug", action="store_true")
            command.add_argument("--copy", action="store_true")
        else:
            command.add_argument("--root-prefix", required=True)
            command.add_argument("--verbose", action="store_true")
            command.add_argument("--always-copy", action="store_true")
        command.add_argument("specs", nargs="+")
    clean = commands.add_parser("clean", allow_abbrev=False)
    for flag in ("--packages", "--tarballs", "--quiet", "-y"):
        clean.add_argument(flag, action="store_true")
    return parser.parse_args(argv)


async def make(options):
    from rattler import Channel, ChannelPriority, Gateway, MatchSpec, PrefixRecord, VirtualPackage, install, solve

    prefix = options.prefix or os.path.join(ROOT, "envs", options.name)
    cache = os.path.join(ROOT, "pkgs")
    if os.path.exists(os.path.join(cache, "damaged")):
        sys.exit("CondaVerificationError: The package for zlib located at %s\nappears to be corrupted." % cache)
    os.makedirs(prefix, exist_ok=options.command == "install")
    stop_at("begun")
    meta = os.path.join(prefix, "conda-meta")
    os.makedirs(meta, exist_ok=True)
    # conda begins the history before it links anything.
    with open(os.path.join(meta, "history"), "a") as history:
        history.write("==> %s <==\n" % time.strftime("%Y-%m-%d %H:%M:%S"))
    records = await solve(
        sources=[Channel(channel) for channel in options.channel],
        specs=[MatchSpec(spec) for spec in options.specs],
        gateway=Gateway(cache_dir=os.path.join(ROOT, "repodata")),
        platforms=["linux-64", "noarch"],
        virtual_packages=VirtualPackage.detect(),
        channel_priority=ChannelPriority.Strict if options.strict_channel_priority else ChannelPriority.Disabled,
    )
    stop_at("solved")
    if os.environ.get("MAGNETAR_TEST_STOP") == "half" and len(records) > 1:
        await install(records=records[:1], target_prefix=prefix, cache_dir=cache, show_progress=False)
        stop_at("half")
    there = [PrefixRecord.from_path(os.path.join(meta, f)) for f in os.listdir(meta) if f.endswith(".json")]
    if options.command == "install":
        records = [each for each in records] + [each for each in there if each.name not in {r.name for r in records}]
    await install(records=records, target_prefix=prefix, cache_dir=cache, show_progress=False, installed_packages=there)
    stop_at("installed")
    with open(os.path.join(meta, "history"), "a") as history:
        history.write("# update specs: %s\n" % options.specs)


def main(argv):
    if os.environ.get("MAGNETAR_TEST_CALLS"):
        with open(os.environ["MAGNETAR_TEST_CALLS"], "a") as calls:
            calls.write(json.dumps(argv) + "\n")
    options = parse(argv)
    if options.command == "info":
        base = {"root_prefix": ROOT, "conda_version": "26.7.0"}
        mamba = {"base environment": ROOT, "libmamba version": "2.1.0", "micromamba version": "2.1.0"}
        print(json.dumps(base if KIND == "conda" else mamba))
    elif options.command == "clean":
        shutil.rmtree(os.path.join(ROOT, "pkgs"), ignore_errors=True)
    else:
        if KIND == "mamba" and os.path.abspath(options.root_prefix) != ROOT:
            sys.exit("error    libmamba another root prefix")
        asyncio.run(make(options))


code = 0
try:
    main(sys.argv[3:])
except Exception as error:
    cause = error.__cause__ or error
    code = 1
    print("%s: %s" % (type(cause).__name__, cause), file=sys.stderr)
except SystemExit as end:
    code = 0 if end.code is None else end.code if isinstance(end.code, int) else 1
    if isinstance(end.code, str):
        print(end.code, file=sys.stderr)
sys.stdout.flush()
sys.stderr.flush()
# The library's threads crash an interpreter that ends in the usual way.
os._exit(code)
