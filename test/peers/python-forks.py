"""Runs Python programs without loading for each what they import, which takes seconds: it is loaded once here, when the first is asked for,
and each program is a fork. `python-forks.py SOCKET MODULE...`; ends with its standard input.

A connection sends a line of JSON: {"argv", "env", "cwd"} and perhaps "session", for one of its own, and "net", the file of a network namespace;
with it may come three streams. It gets the process id in a line, what the program prints unless there are streams, and at last
a line: a zero byte and the exit code, or minus the signal. When the connection is closed before, the program is killed.
"""
import ctypes
import importlib
import json
import os
import random
import runpy
import select
import signal
import socket
import sys
import tempfile

CLONE_NEWNET = 0x40000000


def serve(path, modules):
    """Returns in each fork that is to run a program."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(100)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while 0 not in select.select([listener, 0], [], [])[0]:
        connection, _ = listener.accept()
        while modules:
            importlib.import_module(modules.pop())
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listener.close()
            return attend(connection)
        connection.close()
    os._exit(0)


def attend(connection):
    line, streams, _, _ = socket.recv_fds(connection, 65536, 3)
    while not line.endswith(b"\n"):
        more = connection.recv(65536)
        if not more:
            os._exit(1)
        line += more
    request = json.loads(line)
    pid = os.fork()
    if pid == 0:
        return become(request, connection, streams)
    for stream in streams:
        os.close(stream)
    end = os.pidfd_open(pid)
    if end not in select.select([end, connection], [], [])[0]:
        (os.killpg if request.get("session") else os.kill)(pid, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    try:
        connection.sendall(b"\0%d\n" % code)
    finally:
        os._exit(0)


def become(request, connection, streams):
    if request.get("session"):
        os.setsid()
    if request.get("net"):
        namespace = os.open(request["net"], os.O_RDONLY | os.O_CLOEXEC)
        if ctypes.CDLL(None).setns(namespace, CLONE_NEWNET) != 0:
            sys.exit("setns")
    connection.sendall(b"%d\n" % os.getpid())
    out = connection.fileno()
    for own, stream in enumerate(streams or [os.open(os.devnull, os.O_RDONLY), out, out]):
        os.dup2(stream, own)
    os.closerange(3, 256)
    connection.detach()
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    # What was made from the environment, or must not be the same in all.
    tempfile.tempdir = None
    random.seed()
    sys.argv = request["argv"]
    sys.path[0] = os.path.dirname(sys.argv[0])


serve(sys.argv[1], sys.argv[2:])
runpy.run_path(sys.argv[0], run_name="__main__")
