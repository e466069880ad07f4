import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { appYmlStep } from '../../src/setup/steps/app-yml.js'
import { directoriesStep } from '../../src/setup/steps/directories.js'
import { localEnvStep } from '../../src/setup/steps/local-env.js'
import { serverIniStep } from '../../src/setup/steps/server-ini.js'
import { supervisorConfStep } from '../../src/setup/steps/supervisor-conf.js'
import type { Answers, Facts, SetupContext, Step } from '../../src/setup/types.js'
import { type ContextCase, contextFor } from '../setup/context-fixture.js'

/** What makes the configuration of a node, without its program. */
export const configurationSteps: readonly Step[] = [
  directoriesStep,
  appYmlStep,
  serverIniStep,
  localEnvStep,
  supervisorConfStep,
]

/** A node of the current user in `prefix`, whose launcher starts the server of this checkout. */
export async function serviceNode(
  prefix: string,
  given: Omit<ContextCase, 'prefix' | 'facts'> & { readonly facts: Partial<Facts> },
): Promise<SetupContext> {
  const { uid, username, homedir } = userInfo()
  const account = { uid, user: username, group: username, home: homedir, isRoot: false }
  const answers: Partial<Answers> = {
    user: username,
    group: username,
    manager: 'local',
    dependencies: 'none',
    start: true,
    ...given.answers,
  }
  const context = contextFor({ ...given, prefix, answers, facts: { account, ...given.facts } })
  await writeLauncher(join(prefix, 'bin', 'pulsar'))
  return { ...context, source: { root: resolve('.'), version: '0.0.0' } }
}

/** As the one of an installed prefix: it executes, so that signals reach the server. */
export async function writeLauncher(file: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, `#!/bin/sh\nexec '${process.execPath}' '${resolve('bin', 'pulsar.js')}' "$@"\n`)
  await chmod(file, 0o755)
}
