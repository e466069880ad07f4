import { stat } from 'node:fs/promises'
import { runCommand } from '../../lib/exec.js'
import type { Facts } from '../types.js'

/** systemd's version, and whether it runs this system (man sd_booted: /run/systemd/system is there). undefined: no systemctl. */
export async function probeSystemd(signal: AbortSignal): Promise<Facts['systemd']> {
  const [result, running] = await Promise.all([
    runCommand('systemctl', ['--version'], { timeoutMs: 5000, signal }).catch(() => undefined),
    stat('/run/systemd/system').then(
      (found) => found.isDirectory(),
      () => false,
    ),
  ])
  const version = result?.code === 0 ? readSystemdVersion(result.stdout) : undefined
  return version === undefined ? undefined : { version, running }
}

/** "252" of `systemd 252 (252.39-1~deb12u1)`. */
export function readSystemdVersion(stdout: string): string | undefined {
  return /^systemd (\d+)/.exec(stdout)?.[1]
}
