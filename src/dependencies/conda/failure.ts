import { MagnetarError } from '../../lib/errors.js'
import type { CondaCause, CondaFailure } from './explain-conda.js'
import type { CondaSettings } from './settings.js'
import { type CondaTarget, describeTarget } from './targets.js'

interface Failed {
  readonly settings: CondaSettings
  readonly name: string
  readonly targets: readonly CondaTarget[]
}

const WHY: Readonly<Record<CondaCause, string>> = {
  'unknown-package': 'no channel has the package in that version',
  conflict: 'the packages do not go together',
  unreachable: 'a channel cannot be reached',
  'disk-full': 'the disk is full',
  damaged: 'a package is damaged, also when it is fetched again',
  'not-permitted': 'the user of the server may not write there',
  timeout: 'conda did not end',
  killed: 'conda was killed',
  other: 'conda failed',
}

/** The reason of a job whose environment could not be made: the package, the cause, conda's own words. */
export function failureOf({ cause, text }: CondaFailure, { settings, name, targets }: Failed): MagnetarError {
  const packages = targets.map(describeTarget).join(', ')
  const message = `conda could not install ${packages} (environment ${name}): ${WHY[cause]}\n${text}`
  return new MagnetarError('CONDA_FAILED', message, { fix: fixOf(cause, settings) })
}

function fixOf(cause: CondaCause, { prefix, channels, condarc }: CondaSettings): string {
  const named = channels.length > 0 ? channels.join(', ') : `those of ${condarc}`
  switch (cause) {
    case 'unknown-package':
    case 'conflict':
      return `Channels asked: ${named} (ensure_channels). Name the channel that has it there, or correct the requirement of the tool.`
    case 'unreachable':
      return `Check that this host reaches the channels (${named}); a proxy is told to conda in ${condarc} or with https_proxy in local_env.sh.`
    case 'disk-full':
      return `Free space on the disk of ${prefix}: "magnetar deps prune" removes environments that are no longer used.`
    case 'not-permitted':
      return `Make ${prefix} writable for the user of the server, or set read_only="true" if environments are made elsewhere.`
    case 'damaged':
      return `Remove the directory pkgs of ${prefix} while no job is being prepared, and run the job again.`
    default:
      return 'Run the job again; if it fails again, debug="true" in the resolver file makes conda tell more.'
  }
}
