import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readlinkSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { type CommandResult, runCommand } from '../../src/lib/exec.js'
import { waitFor } from '../helpers/wait-for.js'

/**
 * The machine once more, private: a mount namespace whose root is an overlay over the real one. What is written there stands in
 * memory and is gone with it; programs, ports and processes are the machine's.
 */
export interface PrivateRoot {
  /** Where its files are seen from outside: `${path}/etc/passwd`. */
  readonly path: string
  /** The command line that runs `argv` in it. */
  enter(argv: readonly string[]): string[]
  /** Runs a command in it to its end; a non-zero exit is no error. */
  run(argv: readonly string[], options?: RunOptions): Promise<CommandResult>
  /** Ends every process in it, and it. */
  stop(): Promise<void>
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly cwd?: string
  readonly timeoutMs?: number
  readonly input?: string
}

/** /run is empty, as after a boot: no socket of the machine's own services can be reached by its usual name. */
const SCRIPT = `
set -e
# An address that is not loopback's: without one, glibc (AI_ADDRCONFIG) finds no host, not even localhost.
[ "$MAGNETAR_OWN_NETWORK" = no ] || { ip link set lo up; ip addr add 198.51.100.1/32 dev lo; }
mount -t tmpfs -o mode=755 tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work overlay /mnt/root
for directory in proc sys dev; do mount --rbind "/$directory" "/mnt/root/$directory"; done
mount -t tmpfs -o mode=755 tmpfs /mnt/root/run
mount -t tmpfs -o mode=1777 tmpfs /mnt/root/tmp
for directory in "$@"; do mkdir -p "/mnt/root$directory"; mount --rbind "$directory" "/mnt/root$directory"; done
# Without this every look-up of a name waits for a server that cannot be reached.
[ "$MAGNETAR_OWN_NETWORK" = no ] || { rm -f /mnt/root/etc/resolv.conf; sed -i 's/^hosts:.*/hosts: files/' /mnt/root/etc/nsswitch.conf; }
echo ready
exec chroot /mnt/root cat
`

/** Why no private root can be made here, as a sentence for `needs`; undefined: it can. */
export function missingForPrivateRoot(): string | undefined {
  if (process.getuid?.() !== 0) return 'not root: a private view of the machine needs root'
  const tried = spawnSync(
    'unshare',
    [
      '-m',
      'sh',
      '-c',
      'mount -t tmpfs tmpfs /mnt && mkdir /mnt/a /mnt/b /mnt/c && mount -t overlay -o lowerdir=/,upperdir=/mnt/a,workdir=/mnt/b overlay /mnt/c',
    ],
    { timeout: 10_000 },
  )
  return tried.status === 0
    ? undefined
    : 'no overlay can be mounted in a mount namespace here (unshare -m, mount -t overlay)'
}

export interface PrivateRootOptions {
  /** Directories that are to be the real ones in it. */
  readonly shared?: readonly string[]
  /** A network of its own, with nothing but loopback: every port is free, and none is reached from outside. */
  readonly ownNetwork?: boolean
}

export async function startPrivateRoot(options: PrivateRootOptions = {}): Promise<PrivateRoot> {
  const { shared = [], ownNetwork = false } = options
  // What lies on another file system is not seen through the overlay.
  const checkout = resolve('.')
  const elsewhere = [checkout, dirname(process.execPath)].filter(
    (path) => statSync(path).dev !== statSync('/').dev,
  )
  const needed = [...new Set([...elsewhere, ...shared, ...(checkout.startsWith('/tmp/') ? [checkout] : [])])]
  const holder = spawn(
    'unshare',
    [
      ...(ownNetwork ? ['-n'] : []),
      '-m',
      '--propagation',
      'private',
      'sh',
      '-c',
      SCRIPT,
      'private-root',
      ...needed,
    ],
    {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, MAGNETAR_OWN_NETWORK: ownNetwork ? 'yes' : 'no' },
    },
  )
  let said = ''
  for (const stream of [holder.stdout, holder.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
  await waitFor(
    () => {
      if (holder.exitCode !== null) throw new Error(`no private root: ${said}`)
      return said.includes('ready\n')
    },
    { what: 'private root' },
  )
  const path = `/proc/${holder.pid}/root`
  // `ready` comes just before chroot.
  await waitFor(() => readlinkSync(path) !== '/', { what: 'chroot' })
  const enter = (argv: readonly string[]): string[] => [
    'nsenter',
    ...(ownNetwork ? [`--net=/proc/${holder.pid}/ns/net`] : []),
    `--mount=/proc/${holder.pid}/ns/mnt`,
    `--root=${path}`,
    '--',
    ...argv,
  ]
  return {
    path,
    enter,
    run(argv, { env, cwd = '/', timeoutMs = 60_000, input } = {}) {
      const [command = '', ...args] = enter(['env', '-C', cwd, ...argv])
      return runCommand(command, args, {
        timeoutMs,
        // The tests' own temporary directory is not there.
        env: { ...process.env, TMPDIR: '/tmp', ...env },
        ...(input === undefined ? {} : { input }),
      })
    },
    stop: () => stop(holder),
  }
}

async function stop(holder: ChildProcess): Promise<void> {
  if (holder.exitCode !== null || holder.pid === undefined) return
  const root = readlinkSync(`/proc/${holder.pid}/ns/mnt`)
  await waitFor(
    () => {
      const inside = processesIn(root).filter((pid) => pid !== holder.pid)
      for (const pid of inside) {
        try {
          process.kill(pid, 'SIGKILL')
        } catch {
          // Ended by itself meanwhile.
        }
      }
      return inside.length === 0
    },
    { what: 'end of the processes in the private root' },
  )
  holder.stdin?.end()
  await once(holder, 'exit')
}

/** The processes of a mount namespace, zombies not counted: they have none. */
function processesIn(namespace: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        return readlinkSync(`/proc/${name}/ns/mnt`) === namespace
      } catch {
        return false
      }
    })
    .map(Number)
}
