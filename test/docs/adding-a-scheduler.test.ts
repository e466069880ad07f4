import { readFileSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { delimiter, join, resolve } from 'node:path'
import ts from 'typescript'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import type { Scheduler, Submission } from '../../src/schedulers/scheduler.js'
import { SchedulerDown, SubmitRejected } from '../../src/schedulers/scheduler.js'
import { checkSource } from '../helpers/house.js'
import { tempDirectory } from '../helpers/temp-directory.js'

const page = 'docs/adding-a-scheduler.md'
const path = 'src/schedulers/acme.ts'

/** The page's example, as the file that its first line names. */
function readExample(): string {
  const [, text] =
    /```ts\n(\/\/ src\/schedulers\/acme\.ts\n[\s\S]*?)```/.exec(readFileSync(page, 'utf8')) ?? []
  if (text === undefined) throw new Error(`${page} has no example for ${path}`)
  return text
}

/** Compiles the example as if it stood where its first line says, with the project's own settings. */
function typeErrors(text: string): string[] {
  const config = ts.readConfigFile('tsconfig.json', ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, process.cwd())
  const host = ts.createCompilerHost(options, true)
  const file = resolve(path)
  const { fileExists, readFile: readSource } = host
  host.fileExists = (name) => name === file || fileExists(name)
  host.readFile = (name) => (name === file ? text : readSource(name))
  const { getSourceFile } = host
  host.getSourceFile = (name, languageVersion, ...rest) =>
    name === file
      ? ts.createSourceFile(name, text, languageVersion)
      : getSourceFile(name, languageVersion, ...rest)
  const program = ts.createProgram([file], options, host)
  return ts
    .getPreEmitDiagnostics(program)
    .map((diagnostic) => ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n'))
}

/** The example as a module, bound to the real contract, whose errors the tests compare. */
async function loadExample(directory: string): Promise<Scheduler> {
  const file = join(directory, 'acme.ts')
  await writeFile(file, readExample().replace('./scheduler.js', resolve('src/schedulers/scheduler.ts')))
  const module: { createAcmeScheduler(): Scheduler } = await import(/* @vite-ignore */ file)
  return module.createAcmeScheduler()
}

/** Puts Acme's three commands on PATH for the rest of the test; acme-submit runs the job at once. */
async function installAcme(directory: string): Promise<void> {
  const list = join(directory, 'list')
  const commands = {
    // --name N --stdout O --stderr E -- SCRIPT
    'acme-submit': `[ -e "$8" ] || exit 2
name=$2 out=$4 err=$6; shift 7
"$1" >"$out" 2>"$err"
echo "17 done $name" >>'${list}'
echo 17`,
    'acme-list': `cat '${list}' || exit 1`,
    'acme-stop': `sed -i "/^$1 /d" '${list}'`,
  }
  const bin = join(directory, 'bin')
  await mkdir(bin)
  for (const [name, text] of Object.entries(commands)) {
    await writeFile(join(bin, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 })
  }
  vi.stubEnv('PATH', `${bin}${delimiter}${process.env.PATH}`)
  onTestFinished(() => {
    vi.unstubAllEnvs()
  })
}

async function writeJob(directory: string): Promise<Submission> {
  const script = join(directory, 'job.sh')
  await writeFile(script, '#!/bin/sh\necho from the job\n', { mode: 0o755 })
  return {
    jobId: '42',
    name: 'magnetar-42',
    directory,
    script,
    workingDirectory: directory,
    stdout: join(directory, 'stdout'),
    stderr: join(directory, 'stderr'),
  }
}

describe('the example of docs/adding-a-scheduler.md', () => {
  it('compiles against the contract, and the compiler would see a mistake in it', () => {
    const text = readExample()
    expect(typeErrors(text)).toEqual([])
    expect(typeErrors(text.replace("waiting: 'queued'", "waiting: 'asleep'"))).toHaveLength(1)
  })

  it('keeps the rules of the house', () => {
    expect(checkSource({ path, text: readExample() })).toEqual([])
  })

  it('runs a job, finds it again by its name, and stops it', async () => {
    const directory = await tempDirectory()
    const acme = await loadExample(directory)
    await installAcme(directory)
    const job = await writeJob(directory)
    const { signal } = new AbortController()
    const id = await acme.submit(job, signal)
    expect(await readFile(job.stdout, 'utf8')).toBe('from the job\n')
    expect(await acme.states([id, '18'], signal)).toEqual(
      new Map([
        [id, { state: 'ended' }],
        ['18', { state: 'gone' }],
      ]),
    )
    const found = await acme.recover([{ ...job, externalId: undefined }], signal)
    expect(found).toEqual(new Map([['42', id]]))
    await acme.cancel(id, signal)
    expect(await acme.states([id], signal)).toEqual(new Map([[id, { state: 'gone' }]]))
  })

  it('tells a refusal from a batch system that does not answer', async () => {
    const directory = await tempDirectory()
    const acme = await loadExample(directory)
    await installAcme(directory)
    const { signal } = new AbortController()
    const missing = { ...(await writeJob(directory)), script: join(directory, 'missing') }
    await expect(acme.submit(missing, signal)).rejects.toBeInstanceOf(SubmitRejected)
    await expect(acme.states(['17'], signal)).rejects.toBeInstanceOf(SchedulerDown)
    expect(await acme.probe(signal)).toMatchObject({ ok: false })
  })
})
