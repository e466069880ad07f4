import { existsSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import type { NodeConfig } from '../../config/types.js'
import { renderJobConfXml, renderJobConfYaml, urlForGalaxy } from '../../galaxy/snippet.js'
import { quoteForShell } from '../../lib/shell.js'
import { condaOf } from '../../node/conda.js'
import { isLoopback } from '../../setup/answers/answer-rules.js'
import type { PreparedSetup } from '../../setup/run.js'
import { serviceControl } from '../../setup/services/service-control.js'
import { readNodeAccess } from '../../setup/verify/node-access.js'
import type { Output } from './output.js'

/** What is left to people: starting a node without a service, the firewall, and the Galaxy server. */
export async function showNextSteps({ context }: PreparedSetup, output: Output): Promise<void> {
  const { answers, facts, paths, signal } = context
  const { palette } = output
  // As the server reads it: hand edits go before answers.
  const { config } = await readNodeAccess(paths, signal)
  const { host, port, sslPem } = config.server
  if (answers.service === 'none') {
    const as = facts.account.isRoot ? `su -s /bin/sh ${answers.user} -c ` : ''
    const command = `${quoteForShell(`${paths.bin}/pulsar`)} --mode uwsgi --config ${quoteForShell(paths.etc)}`
    output.print(`\n${palette.bold('Start it with')}\n  ${as === '' ? command : as + quoteForShell(command)}`)
  } else if (!answers.start) {
    const command = serviceControl(answers.service, paths, facts).commandFor('start')
    output.print(`\n${palette.bold('Not started')}, as --no-start says. Start it with\n  ${command}`)
  }
  if (answers.dependencies === 'conda') await showConda(config, context, output)
  if (!isLoopback(host)) {
    output.say(
      `\n${palette.bold('Firewall:')} let only the Galaxy server reach TCP port ${port}, for example`,
    )
    output.print(`  ufw allow from GALAXY_ADDRESS to any port ${port} proto tcp`)
  }
  const magnetar = quoteForShell(`${paths.bin}/magnetar`)
  const destination = {
    id: paths.serviceName,
    url: urlForGalaxy({ host, port, tls: sslPem !== undefined, hostname: hostname() }),
    showToken: config.privateToken === undefined ? undefined : `${magnetar} token show`,
    jobsDirectory: config.stagingDirectory,
  }
  const heading = palette.bold('Next, on the Galaxy server:')
  output.say(`\n${heading} into job_conf.yml, then restart Galaxy`, '')
  output.print(indent(renderJobConfYaml(destination)))
  if (output.isVerbose) {
    output.print('The same for job_conf.xml:')
    output.print(indent(renderJobConfXml(destination)))
  }
  output.say('"magnetar galaxy connect" there writes it into the file; "magnetar check URL" tries the node.')
  output.print(`\n${palette.bold('Later, on this machine:')}`)
  for (const [words, does] of LATER)
    output.print(`  ${`${magnetar} ${words}`.padEnd(magnetar.length + 10)}${does}`)
}

const LATER = [
  ['status', 'one screen'],
  ['jobs', 'the jobs, with --watch'],
  ['logs -f', 'what the server says'],
  ['doctor', 'what is wrong, and what mends it'],
] as const

/** The node installs it after setup has ended, and needs the network for that: nobody is to learn from the first job that it could not. */
async function showConda(
  { dependencies }: NodeConfig,
  { answers, facts, paths }: PreparedSetup['context'],
  output: Output,
): Promise<void> {
  // A resolver file that was edited may have none, or one that is there.
  if (!dependencies?.resolvers.some(({ type, options }) => type === 'conda' && options.exec === undefined))
    return
  if (dependencies.options.conda_exec !== undefined) return
  const { prefix } = await condaOf(dependencies, { cwd: paths.etc, env: {} })
  if (existsSync(join(prefix, 'bin', 'conda'))) return
  output.say(
    `\n${output.palette.bold('Conda')} is installed by the node when it starts, into ${prefix}; that needs github.com, and packages need conda.anaconda.org. See whether it works with`,
    '',
  )
  const command = `${quoteForShell(`${paths.bin}/magnetar`)} deps install zlib`
  output.print(
    `  ${facts.account.isRoot ? `su -s /bin/sh ${answers.user} -c ${quoteForShell(command)}` : command}`,
  )
  output.say(
    'Without a network: "magnetar config set conda_installer FILE", and conda_ensure_channels to a mirror.',
    '',
  )
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '  ')
}
