import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { loadConfig } from '../../src/config/load.js'
import { MagnetarError } from '../../src/lib/errors.js'
import { parseReport } from '../../src/schedulers/job-runner-wire.js'
import { parseExitStatus } from '../../src/schedulers/slurm/exit-status.js'
import { parsePartitions, parseSettings } from '../../src/schedulers/slurm/health-probe.js'
import { parseVersion } from '../../src/schedulers/slurm/probe.js'
import { parseSacct } from '../../src/schedulers/slurm/sacct.js'
import { parseSbatch } from '../../src/schedulers/slurm/sbatch.js'
import { parseScancel } from '../../src/schedulers/slurm/scancel.js'
import { parsePing } from '../../src/schedulers/slurm/scontrol-ping.js'
import { parseSqueue } from '../../src/schedulers/slurm/squeue.js'
import { parseStarted } from '../../src/schedulers/started-file.js'
import { resolveAnswers } from '../../src/setup/answers/answers.js'
import { readAnswersFile } from '../../src/setup/answers/answers-file.js'
import { openLevelStore } from '../../src/store/level-store.js'
import { createRandom, type Random } from '../peers/random.js'
import { resolveInput, rootFacts } from '../setup/answer-fixtures.js'
import type { ChaosResult } from './chaos-result.js'

/** What stands in files that people write: changed at random it is used, or refused with an error for people; never a stack trace. */

const SEEDS: Readonly<Record<string, readonly string[]>> = {
  'app.yml': [
    'private_token: "x"\nstaging_directory: jobs\nmanagers:\n  _default_:\n    type: queued_python\n    num_concurrent_jobs: 2\n',
    'managers: {a: {type: slurm, "job_--mem": 4G, env_PATH: "$PATH:/x"}}\njob_directory_mode: "0750"\nexpire_jobs_after: 30d\n',
    'dependency_resolvers:\n  - type: conda\n    auto_install: true\n  - type: modules\n    modulecmd: /x\n',
    'a: &a [*a, *a]\n? {}\n: !!binary x\n<<: {b: 1}\n',
    'base: &b {x: 1}\nmanager:\n  <<: *b\n  type: unqueued\n',
  ],
  'server.ini': [
    '[server:main]\nhost = localhost\nport = 8913\n[app:main]\napp_config = %(here)s/app.yml\n',
    '[uwsgi]\nhttp = :8913\nlogto = %(here)s/log\n[loggers]\nkeys = root,pulsar\n[logger_pulsar]\nlevel = DEBUG\nhandlers = console\n[formatter_x]\nformat = %(asctime)s %(message)s\n',
  ],
  'dependency_resolvers_conf.xml': [
    '<dependency_resolvers><conda auto_install="true"/><galaxy_packages versionless="true"/></dependency_resolvers>',
    '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd"><!ENTITY c "&b;&b;">]><dependency_resolvers><modules x="&c;"/></dependency_resolvers>',
  ],
  'job_metrics_conf.xml': [
    '<?xml version="1.0"?><job_metrics><core /><env variables="A,B"/><cgroup version="2"/></job_metrics>',
    '- type: core\n- type: env\n  variables: [A]\n',
  ],
}

const result = (stdout: string, code: number) => ({
  code,
  signal: null,
  stdout,
  stderr: code === 0 ? '' : stdout,
  timedOut: false,
  truncated: false,
})

/** What commands, job scripts and the job runner say: used, or refused with an error of its own. */
const PARSERS: Readonly<Record<string, (text: string, code: number) => unknown>> = {
  squeue: (text, code) => parseSqueue(result(text, code)),
  sacct: (text, code) => parseSacct(result(text, code)),
  sbatch: (text, code) => parseSbatch(result(text, code)),
  scancel: (text, code) => parseScancel(result(text, code)),
  'scontrol ping': (text, code) => parsePing(result(text, code)),
  sinfo: (text) => parsePartitions(text),
  'scontrol show config': (text) => parseSettings(text, 0),
  'sbatch --version': (text, code) => parseVersion(result(text, code)),
  'exit status': (text) => parseExitStatus(text),
  started: (text) => parseStarted(text),
  'job runner': (text) => parseReport(text),
}

const SAID = [
  '14\u001f14_1\u001fRUNNING\u001fNone\u001f0\u001f/jobs/7\u001fpulsar_7\u001f\n',
  '14|COMPLETED|0:0|pulsar_7|/jobs/7\n14.batch|COMPLETED|0:0|batch|\n',
  '14;cluster\n',
  'scancel: error: Invalid job id 14\n',
  'Slurmctld(primary) at node is UP\n',
  'main*|up|infinite|2|idle\n',
  'MinJobAge = 300 sec\nSlurmctldParameters = (null)\n',
  'slurm 22.05.8\n',
  '12:34:56:0-a\n',
  '{"number":1,"end":{"code":0}}\n',
  'sbatch: error: Batch job submission failed: Invalid qos specification\n',
] as const

const ANSWERS = [
  'prefix: /srv/node\nport: 8913\ninstance: 007\nstart: no\npartition: ~\nuser: "null"\n',
  'manager: slurm\npartition: main\nnative_specification: --mem=4G # limit\nhost: 0.0.0.0\n',
  '# Answers of magnetar setup\nprefix: node\ngroup: pulsar\ntoken_file: token\nno_tls: yes\n',
  'a: &a {b: *a}\n<<: *a\n? [x]\n: !!binary y\n--- second\n',
] as const

/** An answers file of a person, and what setup makes of it. */
async function answerOddly(random: Random, count: (what: string) => void): Promise<string | undefined> {
  const text = change(random, random.pick(ANSWERS))
  count('answers')
  const wrong = await refusalOf(async () => {
    const { given, problems } = readAnswersFile(text, 'answers.yml', '/srv')
    const input = resolveInput({ facts: rootFacts })
    await resolveAnswers({ ...input, problems, given: { ...input.given, answersFile: given } })
  }, count)
  return wrong === undefined ? undefined : `answers file: ${wrong} of ${JSON.stringify(text)}`
}

/** What it threw that nobody expects; undefined: nothing. */
function parseOddly(random: Random, parse: (text: string, code: number) => unknown): string | undefined {
  const text = change(random, random.pick(SAID))
  try {
    parse(text, random.below(3))
    return undefined
  } catch (error) {
    const isBug = error instanceof TypeError || error instanceof RangeError || error instanceof SyntaxError
    return isBug ? `${error.stack} of ${JSON.stringify(text)}` : undefined
  }
}

const PIECES = [
  '\u0000',
  '\n',
  '\t',
  ': ',
  '- ',
  '{',
  '}',
  '[',
  ']',
  '"',
  "'",
  '&a ',
  '*a',
  '!!js/function',
  '<<',
  '%(',
  '%(here)s',
  '${',
  '<',
  '>',
  '&lt;',
  '<!--',
  ']]>',
  '\ufeff',
  '\ud800',
  '9'.repeat(400),
  '__proto__: ',
  'null',
  '~',
  '#',
  '|\n',
  '>\n',
  '=',
] as const

export async function runHostileTexts(
  directory: string,
  seed: number,
  deadlineMs: number,
  signal: AbortSignal,
): Promise<ChaosResult> {
  const random = createRandom(seed)
  const violations: string[] = []
  const counts: Record<string, number> = {
    configurations: 0,
    used: 0,
    refused: 0,
    stores: 0,
    opened: 0,
    broken: 0,
  }
  const count = (what: string): void => {
    counts[what] = (counts[what] ?? 0) + 1
  }
  for (let turn = 0; performance.now() < deadlineMs && !signal.aborted && violations.length === 0; turn++) {
    const at = path.join(directory, `turn-${turn % 10}`)
    mkdirSync(at, { recursive: true })
    const files = Object.fromEntries(
      Object.entries(SEEDS).map(([name, texts]) => {
        const text = random.pick(texts)
        return [name, random.chance(0.3) ? change(random, text) : text]
      }),
    )
    for (const [name, text] of Object.entries(files)) writeFileSync(path.join(at, name), text, 'latin1')
    count('configurations')
    const wrong = await refusalOf(() => loadConfig({ configDirectory: at, cwd: at, env: {} }), count)
    if (wrong !== undefined) violations.push(`seed ${seed}: ${wrong}\n${JSON.stringify(files)}`)
    for (const [name, parse] of Object.entries(PARSERS)) {
      count('outputs')
      const odd = parseOddly(random, parse)
      if (odd !== undefined) violations.push(`seed ${seed}: ${name}: ${odd}`)
    }
    const answered = await answerOddly(random, count)
    if (answered !== undefined) violations.push(`seed ${seed}: ${answered}`)
    if (turn % 20 === 0) {
      const broken = await openBroken(path.join(directory, `store-${turn}`), random, count)
      if (broken !== undefined) violations.push(`seed ${seed}: ${broken}`)
    }
    if (Object.keys(Object.prototype).length > 0)
      violations.push(`seed ${seed}: Object.prototype was changed`)
  }
  return { counts, violations }
}

/** undefined: it went well, or was refused with an error for people. */
async function refusalOf(
  act: () => Promise<unknown>,
  count: (what: string) => void,
): Promise<string | undefined> {
  try {
    await act()
    count('used')
    return undefined
  } catch (error) {
    count('refused')
    if (error instanceof MagnetarError && error.code !== 'INTERNAL' && !/\n\s+at /.test(error.message))
      return undefined
    return `not an error for people: ${error instanceof Error ? error.stack : String(error)}`
  }
}

/** A store with some records, one of whose files is then cut, emptied or overwritten. */
async function openBroken(
  directory: string,
  random: Random,
  count: (what: string) => void,
): Promise<string | undefined> {
  count('stores')
  const store = await openLevelStore(directory)
  for (let i = 0; i < 20; i++)
    await store.write([
      { type: 'put', key: `active/_default_/${i}`, value: { id: `${i}`, text: 'x'.repeat(500) } },
    ])
  await store.close()
  const name = random.pick(readdirSync(directory).filter((each) => each !== 'LOCK'))
  const file = path.join(directory, name)
  const bytes = readFileSync(file)
  if (random.chance(0.3)) writeFileSync(file, '')
  else if (random.chance(0.5)) writeFileSync(file, bytes.subarray(0, random.below(bytes.length + 1)))
  else writeFileSync(file, Buffer.from(bytes.map((byte) => (random.chance(0.05) ? random.below(256) : byte))))
  try {
    const again = await openLevelStore(directory)
    try {
      for await (const [,] of again.entries('active/')) count('records')
    } finally {
      await again.close()
    }
    count('opened')
    return undefined
  } catch (error) {
    count('broken')
    if (error instanceof MagnetarError && error.code === 'STORE_BROKEN' && error.fix !== undefined)
      return undefined
    return `${name}: ${error instanceof Error ? error.stack : String(error)}`
  }
}

function change(random: Random, text: string): string {
  let changed = text
  for (let times = 1 + random.below(4); times > 0; times--) {
    const at = random.below(changed.length + 1)
    const piece = random.chance(0.6) ? random.pick(PIECES) : String.fromCharCode(random.below(256))
    changed = changed.slice(0, at) + (random.chance(0.7) ? piece : '') + changed.slice(at + random.below(4))
  }
  return random.chance(0.05) ? changed.repeat(20) : changed
}
