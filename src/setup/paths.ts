import { join } from 'node:path'
import type { NodePaths } from './types.js'

/** Where the parts of the node below `prefix` are; `instance` is part of the service's name. */
export function nodePaths(prefix: string, instance: string | undefined): NodePaths {
  const [bin, lib, etc, variable] = ['bin', 'lib', 'etc', 'var'].map((name) => join(prefix, name)) as [
    string,
    string,
    string,
    string,
  ]
  return {
    prefix,
    bin,
    lib,
    etc,
    var: variable,
    jobs: join(variable, 'jobs'),
    active: join(variable, 'active'),
    deps: join(variable, 'deps'),
    log: join(variable, 'log'),
    current: join(lib, 'current'),
    releases: join(lib, 'releases'),
    runtimes: join(lib, 'node'),
    manifest: join(lib, 'setup.json'),
    appYml: join(etc, 'app.yml'),
    serverIni: join(etc, 'server.ini'),
    localEnv: join(etc, 'local_env.sh'),
    resolvers: join(etc, 'dependency_resolvers_conf.xml'),
    supervisorConf: join(etc, 'supervisor.conf'),
    tlsPem: join(etc, 'server.pem'),
    serverLog: join(variable, 'uwsgi.log'),
    serviceName: instance === undefined ? 'pulsar' : `pulsar-${instance}`,
  }
}
