import { connect, type JobConfEdit } from '../../galaxy/connect.js'
import type { Connection, JobConfFormat } from '../../galaxy/job-conf.js'
import { DEFAULT_FILE_ACTION, renderJobConfXml, renderJobConfYaml } from '../../galaxy/snippet.js'
import { MagnetarError } from '../../lib/errors.js'
import { isLoopback } from '../../setup/answers/answer-rules.js'
import { EXIT } from '../exit-codes.js'
import type { ConnectCommandLine } from '../galaxy.js'
import type { Output } from '../setup/output.js'
import { changeFile, type Run, withRun } from './change-file.js'
import { checkNode } from './check-node.js'
import { readConnection } from './connection.js'
import type { JobConfFile } from './job-conf-file.js'

/** Where no node is named. */
const EXAMPLE_URL = 'https://NODE:8913/'
const SHOW_TOKEN = '/srv/pulsar/bin/magnetar token show'

/** `magnetar galaxy connect`: resolves with the exit code. */
export function runConnect(line: ConnectCommandLine): Promise<number> {
  return withRun(line, async (run) => {
    const { jobConf, url } = line
    if (jobConf === undefined) return printSnippets(line, run)
    if (url === undefined)
      throw new MagnetarError('ANSWERS_MISSING', 'the node is not named', {
        fix: 'Add --url https://node:8913/, as Galaxy reaches it.',
      })
    const connection = await readConnection({ ...line, url }, process.env, run.signal)
    const check = async (): Promise<void> => {
      if (line.check) await checkNode(connection.url, connection.token, run.signal, run.output)
    }
    const make = (format: JobConfFormat, file: JobConfFile): JobConfEdit => {
      const there = format.read(file.text).destinations.find(({ id }) => id === connection.destination)
      if (connection.token === undefined && line.token !== false && !there?.params.has('private_token'))
        throw new MagnetarError('ANSWERS_MISSING', 'the token of the node was not given', {
          fix: 'Add --token-file FILE or --token-stdin; --no-token if the node wants none.',
        })
      const edit = connect(format, file.text, connection, file.path)
      const isNew = there === undefined
      return { ...edit, notes: [...edit.notes, ...(isNew ? notesOn(connection) : [])] }
    }
    return changeFile({ ...line, jobConf }, run, make, check)
  })
}

/** What a file cannot say. */
function notesOn({ url, defaultFileAction = DEFAULT_FILE_ACTION, token }: Connection): string[] {
  const { protocol, hostname } = new URL(url)
  const isHere = isLoopback(hostname.replace(/^\[|\]$/g, ''))
  return [
    ...(protocol === 'http:' && !isHere && token !== undefined
      ? ['the URL begins with http://, so the token and all data cross the network in the clear']
      : []),
    ...(defaultFileAction === 'remote_transfer' && !isHere
      ? ['the node fetches files at galaxy_infrastructure_url of galaxy.yml: it has to reach Galaxy by that']
      : []),
  ]
}

/** Without a file: what to paste. A token that was given is not printed, since terminals and logs keep what is. */
async function printSnippets(line: ConnectCommandLine, { output, signal }: Run): Promise<number> {
  const connection = await readConnection({ ...line, url: line.url ?? EXAMPLE_URL }, process.env, signal)
  const { destination: id, url, manager, defaultFileAction, jobsDirectory, tools } = connection
  const destination = {
    id,
    url,
    showToken: line.token === false ? undefined : SHOW_TOKEN,
    jobsDirectory,
    ...(manager === undefined ? {} : { manager }),
    ...(defaultFileAction === undefined ? {} : { defaultFileAction }),
  }
  const wanted = tools.length === 0 ? undefined : tools
  const [yaml, xml] = [renderJobConfYaml(destination, wanted), renderJobConfXml(destination, wanted)]
  if (output.isJson) {
    output.event('snippet', { yaml, xml })
    return EXIT.ok
  }
  showSnippet('Into job_conf.yml, then restart Galaxy:', yaml, output)
  showSnippet('Or into job_conf.xml:', xml, output)
  output.say('With --job-conf FILE it is written there, and nothing else changes.')
  return EXIT.ok
}

function showSnippet(heading: string, text: string, { say, print, palette }: Output): void {
  say(palette.bold(heading))
  print(`${text.replace(/^(?=.)/gm, '  ')}`)
}
