import type { Option } from '../option.js'
import { hosts, path, wholeNumber } from '../option-types.js'

const count = wholeNumber(1, 'a whole number, 1 or more')

/** How this node fetches inputs from Galaxy and delivers outputs. Magnetar's own. */
export const transferOptions = {
  transfers_at_once: {
    type: count,
    own: true,
    default: 8,
    description: 'Files that are fetched or delivered at once, by all jobs together.',
  },
  transfers_per_job: {
    type: count,
    own: true,
    default: 4,
    description: 'Files that are fetched or delivered at once for one job.',
  },
  transfer_answer_timeout: {
    type: wholeNumber(1, 'a number of seconds, 1 or more'),
    own: true,
    default: 300,
    description:
      'So many seconds Galaxy may take to begin its answer to a whole request, to a large output for instance; then the transfer is tried again.',
  },
  transfer_hosts: {
    type: hosts,
    own: true,
    default: undefined,
    defaultText: 'any host',
    description:
      'The only hosts that files are fetched from and delivered to: `galaxy.example.org`, `*.example.org`, `10.0.0.5:8080`, separated by commas. Names are compared as Galaxy writes them in its addresses; no name is looked up.',
  },
  transfer_ca_file: {
    type: path,
    own: true,
    default: undefined,
    description:
      "PEM file with the certificates that sign Galaxy's, when a private authority does; the system's own are always trusted.",
  },
} as const satisfies Record<string, Option>
