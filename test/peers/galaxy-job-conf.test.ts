import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { connect } from '../../src/galaxy/connect.js'
import { formatOf } from '../../src/galaxy/format-of.js'
import { DEFAULT_FILE_ACTION } from '../../src/galaxy/snippet.js'
import { runCommand } from '../../src/lib/exec.js'
import { createRandom } from '../config/edit/random.js'
import { makeJobConfXml } from '../galaxy/random-xml.js'
import { makeJobConfYaml } from '../galaxy/random-yaml.js'
import { needs } from '../helpers/needs.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { findPulsarVenv } from './pulsar-venv.js'
import { findTmux, openTerminal } from './terminal.js'

const { venv, missing } = findPulsarVenv()

/** Reads as lib/galaxy/jobs/__init__.py does: the first section of each name, lists and mappings, galaxy.yml, playbooks. */
const READ = `
import json, sys, yaml
import xml.etree.ElementTree as etree

def read_xml(text):
    root = etree.fromstring(text.encode("utf-8"))
    def children(section, name):
        element = root.find(section)
        return [] if element is None else element.findall(name)
    def params(element):
        return {p.get("id"): p.get("value", p.text) for p in element.findall("param")}
    return {
        "runners": {p.get("id"): p.get("load") for p in children("plugins", "plugin")},
        "destinations": {d.get("id"): dict(params(d), runner=d.get("runner")) for d in children("destinations", "destination")},
        "tools": [[t.get("id"), t.get("destination"), len(params(t))] for t in children("tools", "tool")],
    }

def read_yaml(text):
    root = yaml.safe_load(text) or {}
    if "galaxy" in root:
        root = root["galaxy"]["job_config"]
    if "galaxy_jobconf" in root:
        conf = root["galaxy_jobconf"]
        runners, environments = conf["plugins"], conf["destinations"]
    else:
        conf = root
        runners, environments = conf.get("runners"), (conf.get("execution") or {}).get("environments")
    def named(entries):
        return {e["id"]: e for e in entries} if isinstance(entries, list) else (entries or {})
    def flat(e):
        return dict(e.get("params") or {k: v for k, v in e.items() if k != "id"}, runner=e.get("runner"))
    return {
        "runners": {k: v.get("load") for k, v in named(runners).items()},
        "destinations": {k: flat(v) for k, v in named(environments).items()},
        "tools": [[t.get("id"), t.get("environment") or t.get("destination"), len(t.get("params") or {})] for t in conf.get("tools") or []],
    }

json.dump([read_xml(text) if kind == "xml" else read_yaml(text) for kind, text in json.load(sys.stdin)], sys.stdout)
`

interface Read {
  readonly runners: Readonly<Record<string, string>>
  readonly destinations: Readonly<Record<string, Readonly<Record<string, string>>>>
  readonly tools: readonly (readonly [id: string, destination: string | null, params: number])[]
}

const node = {
  destination: 'node',
  url: 'https://node.example.org:8913/',
  token: '0123: "quoted" & <odd> #1',
  jobsDirectory: '/srv/pulsar/var/jobs',
  tools: ['multi'],
}

describe('edited job_conf files, read by Python', needs(missing), () => {
  it('have the runner, the destination and the mapping, and all else as it was', async () => {
    const random = createRandom(48_001)
    const fixtures = 'test/galaxy/fixtures'
    const files = [
      ...readdirSync(fixtures).map((name) => [name, readFileSync(join(fixtures, name), 'utf8')] as const),
      ...Array.from({ length: 100 }, () => ['job_conf.xml', makeJobConfXml(random)] as const),
      ...Array.from({ length: 100 }, () => ['job_conf.yml', makeJobConfYaml(random)] as const),
    ]
    const input = files.flatMap(([name, text]) => {
      const kind = name.endsWith('.xml') ? 'xml' : 'yml'
      const { after } = connect(formatOf(text, name), text, node)
      return [
        [kind, text],
        [kind, after],
      ]
    })
    const { code, stdout, stderr } = await runCommand(join(venv?.bin ?? '', 'python'), ['-c', READ], {
      timeoutMs: 120_000,
      input: JSON.stringify(input),
      maxOutputBytes: 64 * 1024 * 1024,
    })
    expect([code, stderr]).toEqual([0, ''])
    const read = JSON.parse(stdout) as Read[]
    for (const [index, [, text]] of files.entries()) {
      const [before, after] = [read[2 * index], read[2 * index + 1]] as [Read, Read]
      const { runner = '', ...params } = after.destinations.node ?? {}
      expect(params, text).toEqual({
        url: node.url,
        private_token: node.token,
        default_file_action: DEFAULT_FILE_ACTION,
        jobs_directory: node.jobsDirectory,
      })
      expect(after.runners[runner], text).toBe('galaxy.jobs.runners.pulsar:PulsarRESTJobRunner')
      expect({ ...before.runners, [runner]: after.runners[runner] }, text).toEqual(after.runners)
      expect({ ...before.destinations, node: after.destinations.node }, text).toEqual(after.destinations)
      const isMapped = ([id, , count]: Read['tools'][number]): boolean =>
        id.toLowerCase() === 'multi' && count === 0
      const was = before.tools.map((tool) => (isMapped(tool) ? [tool[0], 'node', 0] : tool))
      expect(after.tools, text).toEqual(before.tools.some(isMapped) ? was : [...was, ['multi', 'node', 0]])
    }
  })
})

describe('in a terminal', needs(findTmux().missing), () => {
  async function open() {
    const directory = await tempDirectory()
    const file = join(directory, 'job_conf.xml')
    copyFileSync('test/galaxy/fixtures/exercise.job_conf.xml', file)
    writeFileSync(join(directory, 'token'), 'the-token-of-the-node\n', { mode: 0o600 })
    const words = ['--job-conf', 'job_conf.xml', '--url', 'http://localhost:8913/', '--token-file', 'token']
    const command = [
      process.execPath,
      resolve('bin/magnetar.js'),
      'galaxy',
      'connect',
      ...words,
      '--no-check',
    ]
    const terminal = await openTerminal([...command, '--tool', 'multi'], { columns: 80, cwd: directory })
    const screen = await terminal.see('Change it? [y/N]')
    expect(screen).not.toContain('the-token-of-the-node')
    expect(screen).toContain('+        <tool id="multi" destination="pulsar"/>')
    return {
      terminal,
      directory,
      file,
      before: readFileSync('test/galaxy/fixtures/exercise.job_conf.xml', 'utf8'),
    }
  }

  it('it shows the difference and asks; y writes it', async () => {
    const { terminal, file, before } = await open()
    await terminal.type('y')
    await terminal.press('Enter')
    await terminal.see('Changed. The file from before: job_conf.xml.bak')
    expect(await terminal.exitCode()).toBe(0)
    expect(readFileSync(file, 'utf8')).toContain('the-token-of-the-node')
    expect(readFileSync(`${file}.bak`, 'utf8')).toBe(before)
  })

  it.each([
    ['Enter', 1, 'Nothing was changed.'],
    ['C-c', 130, 'Interrupted. Nothing was changed.'],
    ['C-d', 1, 'Nothing was changed.'],
  ])('%s leaves the file alone', async (key, exitCode, text) => {
    const { terminal, directory, file, before } = await open()
    await terminal.press(key)
    await terminal.see(text)
    expect(await terminal.exitCode()).toBe(exitCode)
    expect(readFileSync(file, 'utf8')).toBe(before)
    expect(readdirSync(directory).sort()).toEqual(['job_conf.xml', 'token'])
  })
})
