"""The real client's own check (what pulsar-check runs) with options that Pulsar's own tests give it and its command line lacks: the server
fetches and delivers the files. The one argument has the options as JSON."""
import json
import sys
from types import SimpleNamespace

from pulsar.client.test.check import run

run(SimpleNamespace(suppress_output=False, **json.loads(sys.argv[1])))
