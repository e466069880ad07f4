import type { DependenciesConfig } from '../../config/types.js'
import { examineConda } from '../../dependencies/conda/probe.js'
import { quoteForShell } from '../../lib/shell.js'
import { asNodeUser } from '../as-user.js'
import { defineExamination } from '../define-examination.js'
import type { Finding } from '../types.js'

/** Conda and the environments of tools. */
export const conda = defineExamination({
  id: 'conda',
  title: 'Conda',
  group: 'Tools',
  timeoutMs: 10_000,
  findings: {
    'conda-missing': {
      state: 'fail',
      meaning:
        'tools are to get their packages from Conda, which is not there and may not be installed by itself',
      fix: '`magnetar config set conda_auto_init true` and a restart: the first job that needs it installs it. Or install it where the message says',
    },
    'conda-broken': {
      state: 'fail',
      meaning: 'Conda is there and does not run',
      fix: 'look at what it says; moved away, it is installed again where `conda_auto_init` is true',
    },
    'environment-half-made': {
      state: 'warn',
      meaning:
        'an environment was cut off while it was made. No job uses it; the next that needs it makes it again',
      fix: '`magnetar deps prune --yes`; `--fix` removes it',
    },
  },
  async examine(facts, signal) {
    const { config, env, configDirectory } = facts
    if (!config)
      return [{ id: 'conda', state: 'left-out', message: 'the configuration has to be right first' }]
    const as = (argv: readonly string[]): readonly string[] | undefined => asNodeUser(facts, argv)
    const found = await examineConda(config.dependencies, { cwd: configDirectory, env, as, signal })
    if (found === undefined) return [{ id: 'conda', state: 'left-out', message: 'not used' }]
    const { state, exec, detail, autoInit, prefix, halfMade, isAutoInitItsOwn } = found
    const at = quoteForShell(configDirectory)
    const findings: Finding<Id>[] = []
    if (state === 'missing' && !autoInit && !isWanted(config.dependencies))
      return [{ id: 'conda', state: 'left-out', message: 'not there, and nothing asks for it' }]
    if (state === 'missing' && !autoInit)
      findings.push({
        id: 'conda-missing',
        state: 'fail',
        message: `${detail}, and it may not be installed (conda_auto_init is false)`,
        fix: {
          text: 'Let the first job that needs it install it (then restart the server), or install Conda there yourself:',
          command: isAutoInitItsOwn
            ? allowInResolver(config.dependencies)
            : `magnetar config set conda_auto_init true --config ${at}`,
        },
      })
    if (state === 'broken')
      findings.push({
        id: 'conda-broken',
        state: 'fail',
        message: `${exec} does not run: ${detail}`,
        fix: {
          text: autoInit
            ? 'Moved away, it is installed again by the first job that needs it:'
            : 'See what it says:',
          command: autoInit
            ? `mv ${quoteForShell(prefix)} ${quoteForShell(`${prefix}.broken`)}`
            : `${quoteForShell(exec)} info`,
        },
      })
    if (halfMade.length > 0) {
      const argv = as([
        process.execPath,
        ...process.execArgv,
        process.argv[1] ?? '',
        'deps',
        'prune',
        '--yes',
        '--config',
        configDirectory,
      ])
      findings.push({
        id: 'environment-half-made',
        state: 'warn',
        message: `cut off while they were made: ${halfMade.slice(0, 3).join(', ')}${halfMade.length > 3 ? ' …' : ''}`,
        fix: {
          command: `magnetar deps prune --yes --config ${at}`,
          ...(argv
            ? { mends: [{ title: `remove half-made environments in ${prefix}`, argv: [...argv] }] }
            : {}),
        },
      })
    }
    if (findings.length > 0) return findings
    const message =
      state === 'works' ? `${detail} at ${prefix}` : 'not there yet; the first job that needs it installs it'
    return [{ id: 'conda', state: 'ok', message }]
  },
})

type Id = 'conda' | 'conda-missing' | 'conda-broken' | 'environment-half-made'

/** Without a list of resolvers Conda is one of them anyway, as in Galaxy: that alone does not mean that anybody wants it. */
function isWanted(dependencies: DependenciesConfig | undefined): boolean {
  if (dependencies === undefined) return false
  const { resolvers, options } = dependencies
  const isWritten = resolvers.some(({ type, place }) => type === 'conda' && place !== 'defaults')
  const { conda_prefix: prefix, conda_exec: exec, conda_auto_install: install } = options
  return isWritten || Boolean(prefix) || Boolean(exec) || String(install).toLowerCase() === 'true'
}

/** The line of the resolver file; XML, as setup and Galaxy write it. */
function allowInResolver(dependencies: DependenciesConfig | undefined): string {
  const place = dependencies?.resolvers.find(({ type }) => type === 'conda')?.place ?? ''
  const [, file = place, line = ''] = /^(.*):(\d+)$/.exec(place) ?? []
  return `sed -i '${line}s/auto_init="[^"]*"/auto_init="true"/' ${quoteForShell(file)}`
}
