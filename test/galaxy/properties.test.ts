import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { connect } from '../../src/galaxy/connect.js'
import { disconnect } from '../../src/galaxy/disconnect.js'
import { formatOf } from '../../src/galaxy/format-of.js'
import type { Connection, JobConf } from '../../src/galaxy/job-conf.js'
import { parseXml } from '../../src/galaxy/xml/tree.js'
import { createRandom } from '../config/edit/random.js'
import { ELSEWHERE, makeJobConfXml } from './random-xml.js'
import { makeJobConfYaml } from './random-yaml.js'

const ROUNDS = 200

const node: Connection = {
  destination: 'pulsar',
  url: 'https://node.example.org:8913/',
  token: 'a token: with "signs" & <more> #1',
  jobsDirectory: '/srv/pulsar/var/jobs',
  tools: ['multi', 'toolshed.example.org/repos/x/y--z/1.0'],
}

const kinds = [
  ['job_conf.xml', makeJobConfXml, (text: string) => parseXml(text)],
  [
    'job_conf.yml',
    makeJobConfYaml,
    (text: string) => parse(text, { version: '1.2', merge: true }) as unknown,
  ],
] as const

const second: Connection = {
  ...node,
  destination: 'other',
  url: 'http://other:8913/',
  tools: ['bwa', 'cat2'],
}

const TIMEOUT_MS = 120_000

describe.each(kinds)('hundreds of made-up files: %s', (name, make, parseElsewhere) => {
  const cases = (seed: number): string[] => {
    const random = createRandom(seed)
    return Array.from({ length: ROUNDS }, () => make(random))
  }

  it(
    'connect changes what was meant, has nothing to do again, and disconnect gives the bytes back',
    () => {
      for (const text of cases(47_001)) {
        const format = formatOf(text, name)
        parseElsewhere(text)
        const { after, changes } = connect(format, text, node)
        expect(changes.length, text).toBeGreaterThan(1)
        parseElsewhere(after)
        expect(connect(format, after, node), after).toMatchObject({ after, changes: [] })
        expect(disconnect(format, after, 'pulsar').after, after).toBe(text)
        expectSameBesides(format.read(text), format.read(after), text)
        // Somebody edits the file in between: that stays, and nothing else.
        const edit = (from: string): string => from.replace(ELSEWHERE, 'somebody was here')
        expect(disconnect(format, edit(after), 'pulsar').after, after).toBe(edit(text))
      }
    },
    TIMEOUT_MS,
  )

  it(
    'two connections go one after the other, in either order',
    () => {
      for (const text of cases(47_002)) {
        const format = formatOf(text, name)
        const one = connect(format, text, node).after
        const two = connect(format, one, second).after
        expect(disconnect(format, two, 'other').after, two).toBe(one)
        const without = disconnect(format, two, 'pulsar').after
        expect(disconnect(format, without, 'other').after, two).toBe(text)
      }
    },
    TIMEOUT_MS,
  )
})

function expectSameBesides(before: JobConf, after: JobConf, text: string): void {
  const isOther = ({ id }: { id: string }): boolean => !['pulsar', 'pulsar_rest'].includes(id)
  const bare = (each: object): object => ({ ...each, line: 0, marker: undefined })
  expect(after.runners.filter(isOther).map(bare), text).toEqual(before.runners.map(bare))
  expect(after.destinations.filter(isOther).map(bare), text).toEqual(before.destinations.map(bare))
  const kept = before.tools.filter(({ id, isConditional }) => isConditional || id.toLowerCase() !== 'multi')
  const others = after.tools.filter(({ destination }) => destination !== 'pulsar')
  expect(others.map(bare), text).toEqual(kept.map(bare))
  const params = after.destinations.find(({ id }) => id === 'pulsar')?.params
  expect(params?.get('private_token'), text).toBe(node.token)
}
