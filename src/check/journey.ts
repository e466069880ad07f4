import { createHash, randomBytes } from 'node:crypto'
import type { StatusDocument } from './follow-job.js'
import {
  ANSWER,
  DATA_IN,
  DATA_OUT,
  GREETING,
  type JobFile,
  RETURN_CODE,
  SCRIPT,
  SCRIPT_TEXT,
  SMALL_INPUTS,
  SMALL_OUTPUTS,
  submitQuery,
} from './job-script.js'
import { OddAnswer, Refused, type SetUpJob } from './pulsar-calls.js'
import type { Session } from './session.js'
import { CheckProblem, type Finding } from './types.js'
import { judgeEnd, watch } from './watch.js'

/** Above nginx's client_max_body_size (1 MiB): a limit that nobody has lifted is met. */
const DATA_BYTES = 2 * 1024 * 1024

/** A job that goes the way of Galaxy's jobs whose files Galaxy sends and fetches. */
export interface Journey {
  readonly job: SetUpJob
  readonly word: string
  readonly data: Buffer
}

export async function setUpJourney(session: Session): Promise<Finding<Journey>> {
  const job = await session.setUp(session.newJobId('run'))
  const value = { job, word: randomBytes(8).toString('hex'), data: randomBytes(DATA_BYTES) }
  return { value, message: job.job_directory ?? job.job_id }
}

export async function upload(session: Session, { job, word, data }: Journey): Promise<Finding<true>> {
  const files: (readonly [JobFile, string | Buffer])[] = [
    [SCRIPT, SCRIPT_TEXT],
    [DATA_IN, data],
    ...SMALL_INPUTS.map((file) => [file, word] as const),
  ]
  for (const [file, body] of files)
    await session.explained('files', `the upload of ${file.name} (${file.type})`, () =>
      session.calls.upload(job.job_id, file, body),
    )
  return { value: true, message: `${files.length} files of all types, 2 MiB` }
}

export async function runJourney(session: Session, { job, word }: Journey): Promise<Finding<StatusDocument>> {
  const { calls } = session
  await session.explained('job', 'the submit', () => calls.submit(job.job_id, submitQuery(job, word)))
  const { ended, states } = await watch(session, job.job_id)
  judgeEnd(ended, RETURN_CODE)
  const answer = await session.explained('files', 'the download of answer (output)', () =>
    calls.download(job.job_id, ANSWER),
  )
  const [node = '', user = '', slots = ''] = answer.toString('utf8').split('\n')
  if (node === '' || user === '') throw wrong('the job ended well, but said nothing of where it ran')
  if ((ended.stdout ?? '').trim() !== GREETING)
    throw wrong(`the stdout of the job came back as ${JSON.stringify((ended.stdout ?? '').slice(0, 200))}`)
  const cores = slots === '1' ? '1 slot' : `${slots} slots`
  return { value: ended, message: `on ${node} as ${user}, ${cores}: ${states.join(' → ')}` }
}

export async function download(
  session: Session,
  { job, word, data }: Journey,
  ended: StatusDocument,
): Promise<Finding<true>> {
  const { calls } = session
  const get = (file: JobFile): Promise<Buffer> =>
    session.explained('files', `the download of ${file.name} (${file.type})`, () =>
      calls.download(job.job_id, file),
    )
  const back = await get(DATA_OUT)
  if (digest(back) !== digest(data))
    throw wrong(
      `2 MiB of data came back ${back.length === data.length ? 'changed' : `as ${back.length} bytes`}`,
    )
  for (const file of SMALL_OUTPUTS) {
    if (!listed(ended, file).includes(file.name))
      throw wrong(`the status does not list ${file.name} (${file.type}), which the job wrote`)
    const text = (await get(file)).toString('utf8').trim()
    if (text !== word)
      throw wrong(`${file.name} (${file.type}) came back as ${JSON.stringify(text.slice(0, 100))}`)
  }
  const dynamic = ended.realized_dynamic_file_sources?.[0]?.contents?.trim()
  if (dynamic !== JSON.stringify([word])) throw wrong('galaxy.json of the job is not in the status')
  await demandRefusal(session, job.job_id)
  return { value: true, message: `${SMALL_OUTPUTS.length + 2} files of all types, 2 MiB, as they were` }
}

/** A client must not take an error for a file. */
async function demandRefusal({ calls, client, signal }: Session, jobId: string): Promise<void> {
  try {
    await calls.download(jobId, { type: 'output', name: 'no-such-file' })
  } catch (error) {
    if (!(error instanceof OddAnswer)) {
      signal.throwIfAborted()
      // A Python Pulsar may cut the connection; whether it still answers is seen now.
      if (error instanceof Refused) return
      await client.call('GET', 'healthz', { signal })
      return
    }
  }
  throw wrong('a file that is not there was answered with status 200')
}

function listed(ended: StatusDocument, { type }: JobFile): readonly string[] {
  if (type === 'output_workdir') return ended.working_directory_contents ?? []
  if (type === 'output_metadata') return ended.metadata_directory_contents ?? []
  return ended.outputs_directory_contents ?? []
}

const digest = (data: Buffer): string => createHash('sha256').update(data).digest('hex')

function wrong(message: string): CheckProblem {
  return new CheckProblem('job', {
    message,
    why: "Outputs of Galaxy's jobs would be lost or wrong in the same way.",
    fix: 'Where jobs run, staging_directory must be the same directory as on the node (a shared file system); a proxy before the node must change nothing. Its log may say more.',
  })
}
