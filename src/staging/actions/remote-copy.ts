import { createKeyedLock } from '../../lib/keyed-lock.js'
import type { PartFile } from '../../lib/part-file.js'
import type { ActionSpec, LocalFile, StagingAction, Transferred, TransferTools } from '../action.js'
import { commitUnlessAborted } from '../commit-unless-aborted.js'
import { unlessAborted } from '../copy/abandon.js'
import { copier, copyContent } from '../copy/copier.js'
import type { SourceFile } from '../copy/copy-tasks.js'
import { pathError } from '../copy/path-error.js'
import { disk, diskError } from '../http/disk.js'
import { partName } from '../http/version.js'
import { openOutput } from '../open-output.js'
import { readPartNote, writePartNote } from '../part-note.js'
import { TransferError } from '../transfer-error.js'

/**
 * The node copies, on a file system that it shares with Galaxy (pulsar/client/action_mapper.py: RemoteCopyAction). `path` is whatever
 * Galaxy names: who has the node's token can have every file read and written that the user of the node can.
 */
export const remoteCopy: StagingAction = {
  type: 'remote_copy',
  movedBy: 'node',
  stageIn: (action, to, tools) => {
    const key = `in ${to.base}/${to.components.join('/')}`
    return run(key, tools, () => bring(readPath(action), to, tools))
  },
  stageOut: (action, from, tools) =>
    run(`out ${action.path}`, tools, () => deliver(from, readPath(action), tools)),
}

/** Of two copies to one file the second waits: they would write to one temporary file. */
const locks = createKeyedLock()

/** Copies this large are noted before they begin, so that a restart of the node goes on with them. */
const NOTED_FROM_BYTES = 4 * 1024 * 1024

function run(key: string, tools: TransferTools, task: () => Promise<Transferred>): Promise<Transferred> {
  const work = locks.run(key, async () => {
    tools.signal.throwIfAborted()
    return task()
  })
  return unlessAborted(work, tools.signal)
}

function readPath({ path: wanted = '' }: ActionSpec): string {
  const isFile = wanted.startsWith('/') && !/(^|\/)(\.\.?)?$/.test(wanted) && !wanted.includes('\0')
  if (isFile) return wanted
  const message = `remote_copy needs the absolute path of a file, and was given ${JSON.stringify(wanted)}`
  throw new TransferError(message, { transient: false })
}

async function bring(wanted: string, to: LocalFile, tools: TransferTools): Promise<Transferred> {
  const source = await onPath(wanted, 'read', copier.openSource(wanted))
  try {
    const part = await openPart(to, source, tools)
    const resumedFrom = part.size <= source.size ? part.size : 0
    try {
      await fill(wanted, source, part, resumedFrom, tools)
    } catch (error) {
      await leave(part, source.size, error, tools)
      throw error
    }
    await commitUnlessAborted(part, tools.signal, (file) =>
      leave(file, source.size, tools.signal.reason, tools),
    )
    return { bytes: source.size, resumedFrom }
  } finally {
    await copier.closeFile(source.fd)
  }
}

/** The part that belongs to this very content of the source, with what an earlier attempt left of it. */
async function openPart(to: LocalFile, source: SourceFile, tools: TransferTools): Promise<PartFile> {
  const last = to.components[to.components.length - 1] ?? ''
  const etag = `"${source.identity}"`
  const name = partName(last, { etag, modified: undefined, isDateStrong: false, bytes: source.size })
  try {
    const noted = readPartNote(tools, 'copy')
    if (noted !== undefined && noted !== name) await disk.removePartFile(to.base, to.components, noted)
    if (source.size >= NOTED_FROM_BYTES) await writePartNote(tools, 'copy', name)
    const part = await disk.openPartFile(to.base, to.components, name)
    if (part) return part
  } catch (error) {
    throw diskError(error, { write: to })
  }
  throw new Error('a part file was not made')
}

async function fill(
  wanted: string,
  source: SourceFile,
  part: PartFile,
  start: number,
  tools: TransferTools,
): Promise<void> {
  let there = start
  try {
    await copyContent({
      from: source.fd,
      to: part.fd,
      start,
      size: source.size,
      freeBytes: part.freeBytes,
      place: 'the disk that holds the job directories',
      signal: tools.signal,
      progress: (bytes) => {
        there += bytes
        tools.progress(bytes)
      },
      readError: (error) => pathError(error, wanted, 'read'),
      writeError: diskError,
    })
  } catch (error) {
    if (source.size >= NOTED_FROM_BYTES) tools.kept?.(there)
    throw error
  }
  const now = await onPath(wanted, 'read', copier.identify(source.fd))
  if (now.identity !== source.identity)
    throw new TransferError(`${wanted} was changed while it was copied`, { transient: true })
}

/** After a failure: what is there and noted waits for the next attempt, if there may be one. */
async function leave(part: PartFile, size: number, error: unknown, { signal }: TransferTools): Promise<void> {
  const again = signal.aborted || (error instanceof TransferError && error.transient)
  await (again && size >= NOTED_FROM_BYTES ? disk.closePartFile(part) : disk.discardNewFile(part))
}

async function deliver(from: LocalFile, wanted: string, tools: TransferTools): Promise<Transferred> {
  const local = await openOutput(from)
  try {
    const target = await onPath(wanted, 'write', copier.openDestination(wanted))
    try {
      await copyContent({
        from: local.fd,
        to: target.fd,
        start: 0,
        size: local.size,
        freeBytes: target.freeBytes,
        place: `the file system of ${wanted}`,
        signal: tools.signal,
        progress: (bytes) => tools.progress(bytes),
        readError: diskError,
        writeError: (error) => pathError(error, wanted, 'write'),
      })
      await local.checkSize()
      tools.signal.throwIfAborted()
    } catch (error) {
      await copier.dropDestination(target)
      throw error
    }
    await onPath(wanted, 'write', copier.nameDestination(target))
    return { bytes: local.size, resumedFrom: 0 }
  } finally {
    await local.close()
  }
}

async function onPath<T>(wanted: string, doing: 'read' | 'write', work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw pathError(error, wanted, doing)
  }
}
