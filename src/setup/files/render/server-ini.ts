export interface ServerIni {
  /** Name or address; an IPv6 address with or without brackets. */
  readonly host: string
  readonly port: string | number
  /** Write the sections that Python's logging reads. */
  readonly logging: boolean
  /** false: `[uwsgi]` has the address for the uwsgi protocol that pulsar-config 0.16.0 writes there. Default: HTTP. */
  readonly http?: boolean
}

const LOGGING = `## What is logged, and where to (Python's logging.config reads these).
[loggers]
keys = root,pulsar

[handlers]
keys = console

[formatters]
keys = generic

[logger_root]
level = INFO
handlers = console

[logger_pulsar]
level = DEBUG
handlers = console
qualname = pulsar
propagate = 0

[handler_console]
class = StreamHandler
args = (sys.stderr,)
level = DEBUG
formatter = generic

[formatter_generic]
format = %(asctime)s %(levelname)-5.5s [%(name)s][%(threadName)s] %(message)s
`

/**
 * server.ini as pulsar-config 0.16.0 writes it (pulsar/scripts/config.py SERVER_CONFIG_TEMPLATE), sections and keys in its order;
 * but `[uwsgi]` has the address to serve HTTP on, and room for Pulsar's long request lines (uWSGI's own limit is 4096 bytes).
 */
export function renderServerIni({ host, port, logging, http = true }: ServerIni): string {
  // gunicorn splits host:port at the first colon, unless there are brackets.
  const address = host.includes(':') && !host.startsWith('[') ? `[${host}]` : host
  // A zone (fe80::1%eth0) would be taken for an interpolation. uWSGI reads its section itself, without any.
  const value = address.replaceAll('%', '%%')
  const uwsgiAddress = http ? `http = ${address}:${port}` : `socket = ${address}:3031`
  return `[server:main]
port = ${port}
host = ${value}
## HTTPS: one PEM file with certificate and key.
# ssl_pem = host.pem

[app:main]
app_config = %(here)s/app.yml

## For --mode uwsgi.
[uwsgi]
master = True
paste-logger = ${logging}
${uwsgiAddress}
processes = 1
enable-threads = True
${http ? 'buffer-size = 16384\n' : ''}

## For circus with chaussette.
[circus]
endpoint = tcp://127.0.0.1:5555
pubsub_endpoint = tcp://127.0.0.1:5556
#stats_endpoint = tcp://127.0.0.1:5557

[watcher:web]
cmd = chaussette --fd $(circus.sockets.web) paste:server.ini
use_sockets = True
# A second process would not know the jobs of the first.
numprocesses = 1

[socket:web]
host = ${value}
port = ${port}
${logging ? `\n${LOGGING}` : ''}`
}
