import type { JobEvent } from '../journal/event.js'

/** An event of a job in words: "launched as 4711". */
export function describeEvent(event: JobEvent): string {
  switch (event.kind) {
    case 'submitted':
      return `submit on disk and acknowledged${event.stagesIn ? ', inputs to fetch' : ''}${event.stagesOut ? ', outputs to deliver' : ''}`
    case 'state':
      return event.to
    case 'fetched':
    case 'delivered':
      return `${event.kind}: ${event.name}, ${event.bytes} bytes`
    case 'not-wanted':
      return `left out, nobody wants it: ${event.name}`
    case 'staged-in':
      return 'all inputs are there'
    case 'launched':
      return `launched as ${event.externalId}`
    case 'ran':
      return `has run: ${withCode(event.status, event.returnCode)}`
    case 'delivering':
      return `${event.due} outputs to deliver`
    case 'ended':
      return `ended: ${withCode(event.status, event.returnCode)}${event.reason ? `: ${event.reason}` : ''}`
    case 'cancelled':
      return 'cancelled'
    case 'stopped':
      return 'nothing of it runs any more'
    case 'cleaned':
      return event.expired ? 'removed: nobody had collected it' : 'cleaned'
    case 'retry-stage-out':
      return 'its outputs are delivered again, as somebody asked'
    case 'found-again':
      return `found again after a restart, as ${event.externalId}`
    case 'id-given-again':
      return `forgotten by the scheduler, which has given its id ${event.externalId} to another job`
    case 'launch-again':
      if (event.killed) return 'its process was killed before it began, is launched again'
      if (event.forgotten) return 'forgotten by the scheduler before it began, is launched again'
      return `not found after a restart, is launched; its script had ${event.began ? '' : 'not '}begun`
    case 'taken-over':
      return `taken over from a Python Pulsar: ${event.status}`
    case 'handed-over':
      return `the server stops; left where a Python Pulsar finds it (${event.index})`
  }
}

function withCode(status: string, returnCode: number | undefined): string {
  return returnCode === undefined ? status : `${status}, return code ${returnCode}`
}
