"""What pulsar-app 0.16.0 makes of configurations: `python effective-config.py CASES ANSWERS CPUS`, both JSON.

A case is {"cwd", "args" (of pulsar-main), "env"}; an answer has the effective values, or {"refused": the exception}. The application is
built by the real code (pulsar.main, pulsar.core) with all that it makes on the disk; only what would reach outside is replaced: worker
threads, resolvers (Conda would be downloaded), the DRMAA session, the connection to a message queue.
"""
import argparse
import json
import logging
import os
import sys
import tempfile

logging.disable(logging.CRITICAL)

import pulsar.core
import pulsar.main
from galaxy.tool_util.deps import DependencyManager
from pulsar.managers import queued
from pulsar.managers.base import ID_ASSIGNER
from pulsar.managers.util import drmaa
from pulsar.scripts.serve import _read_server_config

OUTER_ENVIRONMENT = dict(os.environ)
known_resolvers = DependencyManager._DependencyManager__resolvers_dict
queues = []


def record_resolver(resolver_type):
    def make(dependency_manager, **options):
        return {"type": resolver_type, "options": {k: v for k, v in options.items() if k not in ("type", "resolver_type")}}

    return make


class NoSession:
    def initialize(self):
        pass


def count_workers(self, count):
    self.work_threads = []
    self.workers = len(range(count))


def bind_app(app, url, conf, **kwds):
    queues.append(url)


DependencyManager._DependencyManager__resolvers_dict = lambda self: {name: record_resolver(name) for name in known_resolvers(self)}
queued.QueueManager._init_worker_threads = count_workers
drmaa.Session = NoSession
pulsar.core.messaging.bind_app = bind_app


def retries(executor):
    return {
        # None: for ever, and so is 0; less than 0 never.
        "maxRetries": None if not executor.max_retries else max(0, executor.max_retries),
        "start": executor.interval_start,
        "step": executor.interval_step,
        "max": executor.interval_max,
    }


def directory_mode(maker):
    """Pulsar finds out that it cannot use the mode when it makes the first job's directory."""
    with tempfile.TemporaryDirectory() as parent:
        try:
            maker.make(os.path.join(parent, "job"))
        except TypeError:
            return "every job fails"
    return maker.mode


def manager_answer(proxy):
    manager = proxy._proxied_manager
    external = hasattr(manager, "job_name_template")
    live = proxy._live_output
    system_properties = manager.system_properties()
    tmp_dir = manager._tmp_dir("1")
    commands = getattr(manager, "job_params", None)
    return {
        "type": manager.manager_type,
        "stagingDirectory": os.path.abspath(manager.staging_directory),
        "assignIds": "uuid" if manager.id_assigner is ID_ASSIGNER["uuid"] else "galaxy",
        "maximumStreamSize": manager.maximum_stream_size if manager.maximum_stream_size >= 0 else None,
        "properties": {key: value for key, value in system_properties.items() if key != "separator"},
        "tmpDir": None if tmp_dir.startswith("$([ ! -e '%s/1/tmp'" % manager.staging_directory) else tmp_dir,
        "debug": manager.debug,
        "jobDirectoryMode": directory_mode(manager._directory_maker),
        "env": {each["name"]: None if each["value"] is None else str(each["value"]) for each in manager.env_vars},
        "workers": getattr(manager, "workers", None),
        "nativeSpecification": getattr(manager, "native_specification", None) or None,
        "jobNameTemplate": manager.job_name_template if external else None,
        "minPollingInterval": proxy.min_polling_interval.total_seconds(),
        "stageIn": retries(proxy._StatefulManagerProxy__preprocess_action_executor),
        "stageOut": retries(proxy._StatefulManagerProxy__postprocess_action_executor),
        "liveOutput": None if live is None else {"interval": live.interval, "timeout": live.timeout, "chunk": live.chunk_size},
        "jobPlugin": None if commands is None else commands.get("plugin"),
        "shellPlugin": None if commands is None else manager.shell_params.get("plugin"),
        "jobParameters": None
        if commands is None
        else {key: None if value is None else str(value) for key, value in commands.items() if key not in ("plugin", "directory_mode", "name_template")},
    }


def metric_answer(plugin):
    return [plugin.plugin_type, getattr(plugin, "uname_args", None)]


def answer(case):
    parser = argparse.ArgumentParser()
    pulsar.main.PulsarConfigBuilder.populate_options(parser)
    builder = pulsar.main.PulsarConfigBuilder(parser.parse_args(case["args"]))
    configuration = {}
    load = builder.load
    builder.load = lambda: configuration.update(load()) or configuration
    del queues[:]
    app = pulsar.main.load_pulsar_app(builder)
    dependencies = app.dependency_manager
    resolvers = dependencies.dependency_resolvers
    token = app.private_token
    host, port, ssl_pem = _read_server_config(builder.ini_path) if builder.ini_path else (None, None, None)
    return {
        "configDirectory": os.path.abspath(app.config_dir),
        "stagingDirectory": app.staging_directory,
        "persistenceDirectory": app.persistence_directory and os.path.abspath(app.persistence_directory),
        "token": None if not token else token if isinstance(token, str) else "no request can have it",
        "fileCache": None if app.file_cache is None else os.path.abspath(app.file_cache.file_mapper.directory),
        "dependencyDirectory": dependencies.default_base_path if resolvers else None,
        "resolvers": resolvers,
        "metrics": [metric_answer(each) for each in app.job_metrics.default_job_instrumenter.plugins],
        "queue": len(queues) > 0,
        "sentry": bool(configuration.get("sentry_dsn")),
        "userAuth": len(app.user_auth_manager._authentication_methods) > 0,
        "managers": [{"name": name, **manager_answer(proxy)} for name, proxy in app.managers.items()],
        "server": builder.ini_path and {"host": host, "port": int(port), "sslPem": ssl_pem},
    }


def safe_answer(case):
    os.chdir(case["cwd"])
    os.environ.clear()
    os.environ.update({**OUTER_ENVIRONMENT, **case["env"]})
    try:
        return answer(case)
    except (Exception, SystemExit) as error:
        return {"refused": "%s: %s" % (type(error).__name__, error)}


def main(cases, answers, cpus):
    # Which of the machine's CPUs count is not what is compared.
    queued.multiprocessing.cpu_count = lambda: int(cpus)
    with open(cases, encoding="utf-8") as file:
        found = [safe_answer(case) for case in json.load(file)]
    with open(answers, "w", encoding="utf-8") as file:
        json.dump(found, file, default=str)


main(*sys.argv[1:])
