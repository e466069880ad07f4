import type { Option } from '../option.js'
import { path, port, text } from '../option-types.js'

/** `[server:main]` of server.ini. */
export const serverMainOptions = {
  host: { type: text, default: 'localhost', description: 'Address to listen on.' },
  port: { type: port, default: 8913, description: 'Port to listen on.' },
  ssl_pem: {
    type: path,
    default: undefined,
    description:
      'One PEM file with certificate and key: the server then speaks HTTPS. Relative to the directory in which it is started.',
  },
} as const satisfies Record<string, Option>

/** `[uwsgi]` of server.ini. Everything else in that section is for uWSGI alone. */
export const uwsgiOptions = {
  http: {
    type: text,
    default: undefined,
    description: 'Address to listen on with --mode uwsgi: `host:port` or `:port`.',
  },
  'http-socket': { type: text, default: undefined, description: 'The same, when there is no `http`.' },
  socket: {
    type: text,
    default: undefined,
    description: 'Address for the uwsgi protocol.',
    ignored: 'it is not HTTP; with --mode uwsgi and no `http` the address of [server:main] is used',
  },
  logto: { type: path, default: undefined, defaultText: 'standard error', description: 'File for the log.' },
  'buffer-size': {
    type: text,
    default: undefined,
    description: 'How long a request may be.',
    ignored: 'requests of several MiB are always accepted',
  },
} as const satisfies Record<string, Option>

/** `[logger_pulsar]`, else `[logger_root]`. */
export const loggerOptions = {
  level: {
    type: text,
    default: undefined,
    defaultText: 'INFO',
    description: 'DEBUG, INFO, WARNING, ERROR or CRITICAL.',
  },
} as const satisfies Record<string, Option>
