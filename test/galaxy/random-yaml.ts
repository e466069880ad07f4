import type { Random } from '../config/edit/random.js'
import { ELSEWHERE } from './random-xml.js'

/** A made-up job_conf.yml, or a galaxy.yml with one in it, in the manners of many people. */
export function makeJobConfYaml(random: Random): string {
  const lineBreak = random.chance(0.25) ? '\r\n' : '\n'
  const step = random.pick([2, 2, 4])
  const listIndent = random.pick([0, 2, step])
  const isInGalaxyYml = random.chance(0.15)
  const comment = (): string => (random.chance(0.15) ? random.pick([' # why', '   #\ttab', ' ']) : '')
  const noise = (column: number): string[] =>
    random.chance(0.2)
      ? [
          random.pick([
            '',
            `${' '.repeat(column)}# note`,
            '# at the margin',
            `${' '.repeat(column + 2)}# - id: multi`,
          ]),
        ]
      : []
  const sp = (count: number): string => ' '.repeat(count)
  const empty = (kind: 'map' | 'list'): string =>
    random.pick(['', ` ${kind === 'map' ? '{}' : '[]'}`, ' ~', ` ${kind === 'map' ? '{ }' : '[ ]'}`])

  function runners(column: number): string[] {
    const loads = [
      ['local', 'galaxy.jobs.runners.local:LocalJobRunner'],
      ['my_rest', 'galaxy.jobs.runners.pulsar:PulsarRESTJobRunner'],
      ['slurm', 'galaxy.jobs.runners.slurm:SlurmJobRunner'],
    ].slice(0, random.below(4))
    if (loads.length === 0)
      return random.chance(0.4) ? [] : [`${sp(column)}runners:${empty('map')}${comment()}`]
    if (random.chance(0.15)) {
      const inner = loads.map(([id, load]) => `${id}: {load: "${load}"}`).join(', ')
      return [`${sp(column)}runners: {${inner}}${comment()}`]
    }
    return [
      `${sp(column)}runners:${comment()}`,
      ...loads.flatMap(([id, load]) => [
        ...noise(column + step),
        `${sp(column + step)}${random.chance(0.2) ? `"${id}"` : id}:${random.chance(0.2) ? ` &${id}` : ''}${comment()}`,
        `${sp(column + 2 * step)}load: ${load}${comment()}`,
        ...(random.chance(0.3) ? [`${sp(column + 2 * step)}workers: 4`] : []),
      ]),
      ...noise(column + step),
    ]
  }

  function execution(column: number): string[] {
    const ids = ['local', 'slurm', 'big'].slice(0, random.below(4))
    const choice =
      ids.length > 0 && random.chance(0.6) ? [`${sp(column + step)}default: local${comment()}`] : []
    if (ids.length === 0 && random.chance(0.3))
      return random.chance(0.5) ? [] : [`${sp(column)}execution:${empty('map')}`]
    if (random.chance(0.1)) {
      const inner = ids.map((id) => `${id}: {runner: local}`).join(', ')
      const first = choice.length > 0 ? 'default: local, ' : ''
      return [`${sp(column)}execution: {${first}environments: {${inner}}}${comment()}`]
    }
    const head = [`${sp(column)}execution:${comment()}`, ...choice]
    const at = column + step
    if (ids.length === 0) return [...head, `${sp(at)}environments:${empty('map')}${comment()}`]
    if (random.chance(0.1)) {
      const inner = ids.flatMap((id) => [`${sp(at + 4)}${id}: {runner: local},`])
      return [...head, `${sp(at)}environments: {`, ...inner, `${sp(at + 2)}}`]
    }
    const isList = random.chance(0.25)
    const entries = ids.flatMap((id, index) => {
      const merge = !isList && index > 0 && random.chance(0.3) ? [`${sp(at + 2 * step)}<<: *base`] : []
      const anchor = index === 0 ? ' &base' : ''
      return isList
        ? [`${sp(at + listIndent)}- id: ${id}${comment()}`, `${sp(at + listIndent + 2)}runner: local`]
        : [
            ...noise(at + step),
            `${sp(at + step)}${id}:${anchor}${comment()}`,
            ...merge,
            `${sp(at + 2 * step)}runner: local`,
            ...(random.chance(0.2)
              ? [
                  `${sp(at + 2 * step)}script: ${random.pick(['|', '>-', '|+'])}`,
                  `${sp(at + 3 * step)}a line`,
                  '',
                ]
              : []),
          ]
    })
    return [...head, `${sp(at)}environments:${comment()}`, ...entries, ...noise(at + step)]
  }

  function tools(column: number): string[] {
    const ids = ['bwa', 'multi', 'MULTI', 'cat1'].slice(0, random.below(5))
    if (ids.length === 0) return random.chance(0.4) ? [] : [`${sp(column)}tools:${empty('list')}${comment()}`]
    if (random.chance(0.15)) {
      const inner = ids.map((id) => `{id: ${id}, environment: local}`)
      return random.chance(0.5)
        ? [`${sp(column)}tools: [${inner.join(', ')}]${comment()}`]
        : [`${sp(column)}tools: [`, ...inner.map((each) => `${sp(column + 4)}${each},`), `${sp(column + 2)}]`]
    }
    const at = column + listIndent
    return [
      `${sp(column)}tools:${comment()}`,
      ...ids.flatMap((id) => {
        const where = random.pick(['environment', 'environment', 'destination'])
        const extra = random.chance(0.2) ? [`${sp(at + 2)}handler: h${comment()}`] : []
        const params = random.chance(0.1) ? [`${sp(at + 2)}params: {source: trackster}`] : []
        if (random.chance(0.15)) return [`${sp(at)}- {id: ${id}, ${where}: slurm}${comment()}`]
        if (random.chance(0.1))
          return [`${sp(at)}-`, `${sp(at + 2)}id: ${id}`, `${sp(at + 2)}${where}: 'slurm'`]
        return [
          ...noise(at),
          `${sp(at)}- id: ${id}${comment()}`,
          ...(random.chance(0.1) ? ['', `${sp(at)}# within`] : []),
          ...(random.chance(0.85)
            ? [`${sp(at + 2)}${where}: ${random.pick(['slurm', '"slurm"'])}${comment()}`]
            : []),
          ...extra,
          ...params,
        ]
      }),
      ...noise(at),
    ]
  }

  const column = isInGalaxyYml ? 2 * step : 0
  const other = random.chance(0.4)
    ? [`${sp(column)}handling:`, `${sp(column + step)}assign_with: [db-skip-locked]`]
    : []
  const sections = [other, runners(column), execution(column), tools(column)]
  if (random.chance(0.3)) sections.reverse()
  const body = sections.flatMap((lines) => [...noise(column), ...lines])
  const isNothing = !body.some((line) => /^\s*\w/.test(line))
  const inside = isNothing ? [`${sp(column)}limits: []`] : body
  const around = isInGalaxyYml ? ['gravity:', `${sp(step)}x: 1`, 'galaxy:', `${sp(step)}job_config:`] : []
  const head = random.chance(0.3) ? ['---'] : []
  const lines = [
    ...head,
    `# ${ELSEWHERE}`,
    ...around,
    ...inside,
    ...(random.chance(0.2) ? ['', '# the end'] : []),
  ]
  return `${random.chance(0.05) ? '\ufeff' : ''}${lines.join(lineBreak)}${random.chance(0.8) ? lineBreak : ''}`
}
