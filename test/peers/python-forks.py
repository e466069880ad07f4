"""Runs Python programs one after the other or side by side without loading the Pulsar client for each, which takes seconds: it is
loaded once here, and each program is a fork. `python-forks.py SOCKET`; a connection sends {"argv", "env"} as a line of JSON, gets what the
program prints, and at last a line: a zero byte and the exit code. Ends with its standard input, a program with its connection.
"""
import json
import os
import random
import runpy
import socketserver
import sys
import threading
import traceback

import galaxy.tool_util.deps.dependencies  # noqa: F401
import galaxy.tool_util.parser.factory  # noqa: F401
import pulsar.client.staging.up  # noqa: F401
import pulsar.client.test.check  # noqa: F401


def run(program):
    try:
        runpy.run_path(program, run_name="__main__")
        return 0
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1


def end_with(connection):
    connection.recv(1)
    os._exit(1)


class Program(socketserver.StreamRequestHandler):
    def handle(self):
        request = json.loads(self.rfile.readline())
        threading.Thread(target=end_with, args=(self.connection,), daemon=True).start()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for fd in (1, 2):
            os.dup2(self.connection.fileno(), fd)
        os.environ.update(request["env"])
        random.seed()
        sys.argv = request["argv"]
        code = run(sys.argv[0])
        sys.stdout.flush()
        sys.stderr.flush()
        self.wfile.write(b"\0%d\n" % code)


class Server(socketserver.ForkingMixIn, socketserver.UnixStreamServer):
    max_children = 100


def end_with_input():
    sys.stdin.read()
    os._exit(0)


with Server(sys.argv[1], Program) as server:
    threading.Thread(target=end_with_input, daemon=True).start()
    server.serve_forever(poll_interval=1)
