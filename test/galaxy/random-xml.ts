import type { Random } from '../config/edit/random.js'

/** Stands once in every file, outside of what connect writes: "somebody edits this". */
export const ELSEWHERE = 'ELSEWHERE'

/** A made-up job_conf.xml, in the manners of many people. */
export function makeJobConfXml(random: Random): string {
  const lineBreak = random.chance(0.25) ? '\r\n' : '\n'
  const isOneLine = random.chance(0.1)
  const step = random.pick(['  ', '    ', '\t', ''])
  const quote = random.pick(['"', '"', "'"])
  const attribute = (name: string, value: string): string =>
    `${random.pick([' ', ' ', '  '])}${name}${random.pick(['=', '=', ' = '])}${quote}${value}${quote}`
  const blanks = (): string => (random.chance(0.1) ? random.pick(['  ', '\t']) : '')
  const noise = (): string[] =>
    random.chance(0.3)
      ? [
          random.pick([
            '<!-- a comment -->',
            '<!-- <tool id="multi" destination="old"/> -->',
            '<!--- - >-->',
            `<!-- over${lineBreak}two lines 100% -->`,
            '<?pi some thing?>',
            '',
          ]),
        ]
      : []
  const element = (name: string, attributes: string, children: readonly string[]): string[] => {
    if (children.length === 0 && random.chance(0.7))
      return [`<${name}${attributes}${random.pick(['/>', ' />'])}`]
    if (children.length === 0) return [`<${name}${attributes}></${name}>`]
    return [
      `<${name}${attributes}>`,
      ...children.map((line) => (line === '' ? '' : step + line)),
      `${random.chance(0.1) ? step : ''}</${name}>`,
    ]
  }
  const section = (name: string, attributes: string, children: readonly (readonly string[])[]): string[] => {
    const inner = children.flatMap((lines) => [...noise(), ...lines])
    if (children.length === 0 && random.chance(0.4)) return []
    if (children.length === 0 && random.chance(0.3)) return [`<${name}${attributes}>`, `</${name}>`]
    return element(name, attributes, [...inner, ...(inner.length > 0 ? noise() : [])])
  }
  const plugin = (id: string, load: string): string[] =>
    element('plugin', attribute('id', id) + attribute('type', 'runner') + attribute('load', load), [])
  const plugins = [
    ...(random.chance(0.8) ? [plugin('local', 'galaxy.jobs.runners.local:LocalJobRunner')] : []),
    ...(random.chance(0.3) ? [plugin('my_rest', 'galaxy.jobs.runners.pulsar:PulsarRESTJobRunner')] : []),
    ...(random.chance(0.3) ? [plugin('slurm', 'galaxy.jobs.runners.slurm:SlurmJobRunner')] : []),
  ]
  const destinations = ['local', 'slurm', 'big'].slice(0, random.below(4)).map((id) => {
    const param = `<param${attribute('id', 'nativeSpecification')}>${random.pick(['-p x --mem=4G', '<![CDATA[a < b && c]]>', 'a &amp; b'])}</param>`
    return element(
      'destination',
      attribute('id', id) + attribute('runner', 'local'),
      random.chance(0.5) ? [param] : [],
    )
  })
  const tools = ['bwa', 'multi', 'MULTI', 'cat1'].slice(0, random.below(5)).map((id) => {
    const where = random.chance(0.85) ? attribute('destination', random.pick(['local', 'slurm--x'])) : ''
    const param = random.chance(0.15) ? ['<param id="source">trackster</param>'] : []
    const more = random.chance(0.2) ? attribute('handler', 'h') : ''
    return element('tool', attribute('id', id) + where + more, param)
  })
  const isDefaultGiven = destinations.length > 0 && random.chance(0.6)
  const parts = [
    section('plugins', random.chance(0.5) ? attribute('workers', '4') : '', plugins),
    random.chance(0.5) ? section('handlers', '', [['<handler id="main"/>']]) : [],
    section('destinations', isDefaultGiven ? attribute('default', 'local') : '', destinations),
    section('tools', '', tools),
    random.chance(0.3) ? section('limits', '', [['<limit type="walltime">1:00:00</limit>']]) : [],
  ]
  const body = parts.flatMap((lines) => [
    ...noise(),
    ...lines.map((line) => (line === '' ? '' : step + line + blanks())),
  ])
  const lines = ['<job_conf>', `${step}<!-- ${ELSEWHERE} -->`, ...body, '</job_conf>']
  const head = random.chance(0.5) ? `<?xml version="1.0"?>${lineBreak}` : ''
  const text = isOneLine ? lines.map((line) => line.trim()).join('') : lines.join(lineBreak)
  const tail = random.pick([lineBreak, lineBreak, '', `${lineBreak}<!-- end -->`, `${lineBreak}${lineBreak}`])
  return `${random.chance(0.05) ? '\ufeff' : ''}${head}${text}${tail}`
}
