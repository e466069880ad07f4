import { OTHER_VARIABLES } from '../../setup/answers/environment.js'
import { fileKeyOf, type SetupOption, variableOf } from '../../setup/answers/option.js'
import { SETUP_OPTION_GROUPS } from '../../setup/answers/options/index.js'
import { type CommandNode, flattenTree, type OptionNode } from '../command-tree.js'
import { EXIT } from '../exit-codes.js'
import { entry, escapeRoff, example, paragraph, section, subsection } from './roff.js'

/** What each exit code says; the same words in the help and in the docs. */
export const EXIT_MEANINGS: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: 'done, or nothing to do; for setup --check: all is as wanted',
  failed: 'failed; the message says what was undone and what is left; doctor: something is wrong',
  usage: 'the command line or the answers are wrong or not complete; nothing was changed',
  drift: 'setup --check: something is not as wanted; setup: done, but a conflict was left alone',
  notPermitted: 'this user may not do it',
  verification: 'the node is set up, but a job sent through it did not end well',
  promiseBroken: 'audit: a history of the journal breaks a promise',
  checkReach: 'check: the node does not answer at its address',
  checkTls: 'check: the certificate or TLS is wrong',
  checkProtocol: 'check: what answers is no Pulsar, or has no such manager',
  checkToken: 'check: the token is wrong or missing',
  checkClock: 'check: the clock of the node is wrong',
  checkFiles: 'check: job directories, uploads or downloads do not work',
  checkJob: 'check: the job did not run, or not well',
  checkCancel: 'check: a job could not be cancelled',
  checkPull: 'check: the node could not fetch or deliver files',
  config: 'the configuration is wrong; nothing was started or changed',
  interrupted: 'interrupted; the message says what was done and how to go on',
}

/** The man page magnetar(1), made from the tree of commands and the option table of setup. */
export function renderManPage(tree: CommandNode, version: string): string {
  const commands = flattenTree(tree).filter(({ path }) => path.length > 0)
  return `${[
    '.\\" Made from the option tables by magnetar man.',
    `.TH MAGNETAR 1 "" "Magnetar ${version}" "User Commands"`,
    section('Name', `magnetar \\- ${escapeRoff('sets up and runs a Pulsar node')}`),
    section('Synopsis', synopsis(tree)),
    section(
      'Description',
      paragraph(
        'Magnetar sets up and runs a Pulsar node: the server on a remote machine or cluster that runs jobs for a Galaxy server. One command, magnetar setup, turns a bare host into a working node; magnetar serve is the server itself.',
      ),
    ),
    section('Examples', ...EXAMPLES.flatMap(([text, ...lines]) => [paragraph(text), example(lines)])),
    section('Commands', ...commands.map(renderCommand)),
    section(
      'Exit status',
      ...Object.entries(EXIT).map(([name, code]) =>
        entry(String(code), undefined, EXIT_MEANINGS[name as keyof typeof EXIT]),
      ),
    ),
    section('Environment', ...renderEnvironment()),
    section('Files', ...FILES.map(([file, text]) => entry(file, undefined, text))),
    section(
      'Answers file',
      paragraph(
        'YAML with one value for each key; what the wizard saves is an example. Relative paths are taken from the directory of the file.',
      ),
      ...SETUP_OPTION_GROUPS.flatMap(({ options }) =>
        options.map(({ name, type }) => entry(fileKeyOf(name), undefined, type.expected)),
      ),
    ),
    section('See also', '.BR sbatch (1),\n.BR supervisord (1),\n.BR systemd.service (5)'),
  ].join('\n')}\n`
}

const EXAMPLES = [
  ['Set a node up, with questions, in a terminal:', 'magnetar setup'],
  [
    'The same in a script; what is not said is found out:',
    'magnetar setup --yes --manager slurm --partition galaxy',
  ],
  [
    'A node that other machines reach:',
    'magnetar setup --yes --host 0.0.0.0 --tls-cert chain.pem --tls-key key.pem',
  ],
  ['Whether all is still as wanted (exit status 3 when not):', 'magnetar setup --check'],
  [
    'Whether a node works, from any machine:',
    'magnetar check https://node.example.org:8913 --token-file FILE',
  ],
  ['What is wrong with the node of this machine, and mending what is safe:', 'magnetar doctor --fix'],
  [
    'On the Galaxy server, send the jobs of a tool to a node:',
    'magnetar galaxy connect --job-conf job_conf.yml --url https://node:8913/ --token-file token --tool multi',
  ],
  ['Serve a node in the foreground:', 'magnetar serve --config /srv/pulsar/etc'],
] as const

const FILES = [
  [
    '/srv/pulsar',
    'the prefix of the first node of a machine, unless --prefix names another; ~/pulsar without root',
  ],
  ['PREFIX/bin', 'magnetar, pulsar, pulsar-config, node, activate'],
  ['PREFIX/etc/app.yml', 'configuration, with the private token: only the user of the node may read it'],
  ['PREFIX/etc/server.ini', 'address, port and log of the server'],
  ['PREFIX/var/jobs', 'directories of the jobs'],
  ['PREFIX/var/active', 'the record of every job'],
  ['PREFIX/lib/setup.json', 'what the last setup did, without secrets'],
] as const

function synopsis(tree: CommandNode): string {
  return tree.commands
    .map(({ path, arguments: values, commands }) => {
      const words = values.map(({ name }) => `\\fI${escapeRoff(name)}\\fR `).join('')
      const more = commands.length > 0 ? '\\fIcommand\\fR ' : ''
      return `.B magnetar ${escapeRoff(path.join(' '))}\n${more}${words}[\\fIoptions\\fR]`
    })
    .join('\n.br\n')
}

function renderCommand({ path, description, options, arguments: values }: CommandNode): string {
  const words = values.map(({ name }) => name.toUpperCase()).join(' ')
  const title = `magnetar ${path.join(' ')}${words === '' ? '' : ` ${words}`}`
  const groups = [...new Set(options.map(({ group }) => group))]
  return subsection(
    title,
    ...(description === '' ? [] : [escapeRoff(sentence(description))]),
    ...groups.flatMap((group) => [
      ...(group === undefined ? [] : [`.P\n.I ${escapeRoff(group)}`]),
      ...options.filter((option) => option.group === group).map(renderOption),
    ]),
  )
}

function renderOption({ names, value, description }: OptionNode): string {
  return entry(names.join(', '), value?.name, description)
}

function renderEnvironment(): string[] {
  const own = SETUP_OPTION_GROUPS.flatMap(({ options }) => options.map(describeVariable))
  const others = Object.entries(OTHER_VARIABLES)
  return [
    paragraph('Each option of setup; a flag goes before its variable, a variable before the answers file.'),
    ...[...own, ...others].map(([name, text]) => entry(name, undefined, text)),
    entry('MAGNETAR_CHECK_TOKEN_FILE', undefined, 'check: as --token-file'),
    entry('MAGNETAR_GALAXY_TOKEN_FILE', undefined, 'for galaxy connect: as --token-file'),
    entry('NO_COLOR', undefined, 'when it is set and not empty: no colours and no redrawing'),
  ]
}

function describeVariable({ name, flags }: SetupOption): [string, string] {
  return [variableOf(name), `as ${flags.map(({ flag }) => flag).join(', ')}`]
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.:]$/.test(text) ? '' : '.'}`
}
