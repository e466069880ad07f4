import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, rmdirSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type CommandResult, runCommand } from '../../src/lib/exec.js'
import { waitFor } from '../helpers/wait-for.js'

/**
 * A systemd that is init, of its own processes: namespaces for mounts, processes, cgroups and network (loopback only), with an overlay over
 * the machine's files as root. What is written there stands in memory and is gone with it.
 */
export interface PrivateSystemd {
  /** Where its files are seen from outside. */
  readonly path: string
  /** Runs a command in it to its end; a non-zero exit is no error. */
  run(argv: readonly string[], options?: { readonly timeoutMs?: number }): Promise<CommandResult>
  /** Ends every process in it, and it. */
  stop(): Promise<void>
}

const SYSTEMD = '/lib/systemd/systemd'

/**
 * Only what is wanted is started: nothing of the machine's own units, no generators. The kernel's settings cannot be changed from inside,
 * as they are not private.
 */
const SCRIPT = `
set -e
ip link set lo up
mount -t tmpfs -o mode=755 tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work overlay /mnt/root
root=/mnt/root
mount -t proc proc $root/proc
mount --bind $root/proc/sys $root/proc/sys
mount -o remount,bind,ro $root/proc/sys
mount -t sysfs -o ro sysfs $root/sys
mount -t cgroup2 cgroup2 $root/sys/fs/cgroup
mount --rbind /dev $root/dev
mount -t tmpfs -o mode=755 tmpfs $root/run
mount -t tmpfs -o mode=1777 tmpfs $root/tmp
for directory in "$@"; do mkdir -p "$root$directory"; mount --rbind "$directory" "$root$directory"; done
rm -rf $root/etc/systemd/system $root/lib/systemd/system-generators $root/lib/systemd/system/*.target.wants
mkdir -p $root/etc/systemd/system $root/etc/systemd/journald.conf.d
# A Slurm that is configured and does not run would be asked, and waited for.
rm -rf $root/var/log/journal $root/etc/slurm
ln -s /dev/null $root/etc/systemd/system/systemd-journald-audit.socket
printf '[Journal]\\nAudit=\\nStorage=volatile\\n' > $root/etc/systemd/journald.conf.d/private.conf
cat > $root/etc/systemd/system/only.target <<'UNIT'
[Unit]
DefaultDependencies=no
Wants=systemd-journald.socket systemd-journald.service
AllowIsolate=yes
UNIT
exec env -i container=other PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  chroot $root ${SYSTEMD} --system --unit=only.target --log-target=console --show-status=false
`

/** Why there can be no systemd of one's own here, as a sentence for `needs`; undefined: there can. */
export function missingPrivateSystemd(): string | undefined {
  if (process.getuid?.() !== 0) return 'not root: a private systemd needs namespaces'
  if (!existsSync(SYSTEMD)) return 'no systemd on this machine; run "npm run peers" as root'
  const cgroups = findCgroups()
  if (cgroups === undefined) return 'no cgroup2 file system is mounted here'
  const made = spawnSync('sh', ['-c', 'mkdir "$1" && rmdir "$1"', 'sh', join(cgroups, `mt-${process.pid}`)])
  if (made.status !== 0) return 'no cgroup can be made here'
  const tried = spawnSync('unshare', [
    '-m',
    '-u',
    '-i',
    '-p',
    '-n',
    '-C',
    '-f',
    'ip',
    'link',
    'set',
    'lo',
    'up',
  ])
  return tried.status === 0 ? undefined : 'no namespaces can be made here (unshare -m -u -i -p -n -C, ip)'
}

export async function startPrivateSystemd(): Promise<PrivateSystemd> {
  const cgroup = join(findCgroups() ?? '', `mt-systemd-${process.pid}-${Date.now()}`)
  // What lies on another file system is not seen through the overlay.
  const shared = [resolve('.')].filter(
    (path) => path.startsWith('/tmp/') || statSync(path).dev !== statSync('/').dev,
  )
  const unshare = [
    'unshare',
    '-m',
    '-u',
    '-i',
    '-p',
    '-n',
    '-C',
    '-f',
    '--kill-child=KILL',
    '--propagation',
    'private',
  ]
  const holder = spawn(
    'sh',
    [
      '-c',
      // The cgroup namespace begins at the cgroup that the process is in.
      'mkdir "$1" && echo $$ > "$1/cgroup.procs" && shift && exec "$@"',
      ...['sh', cgroup, ...unshare, 'sh', '-c', SCRIPT, 'private-systemd', ...shared],
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  let said = ''
  for (const stream of [holder.stdout, holder.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
  /** The first process in it: unshare's child, which becomes systemd. */
  const init = (): number | undefined => {
    const children = readFileSync(`/proc/${holder.pid}/task/${holder.pid}/children`, 'utf8')
    const pid = Number(children.trim().split(' ')[0])
    return pid > 0 && readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'systemd' ? pid : undefined
  }
  const ask = (pid: number, argv: readonly string[], timeoutMs: number): Promise<CommandResult> => {
    const namespaces = ['-t', String(pid), '-m', '-u', '-i', '-p', '-n', '-C', '-r', '-w']
    // The tests' own temporary directory is not there.
    return runCommand('nsenter', [...namespaces, '--', ...argv], {
      timeoutMs,
      env: { ...process.env, TMPDIR: '/tmp' },
    })
  }
  try {
    const pid = await waitFor(
      () => {
        if (holder.exitCode !== null) throw new Error('it ended')
        return init()
      },
      { what: 'systemd', timeoutMs: 30_000 },
    )
    await waitFor(
      async () => (await ask(pid, ['systemctl', 'is-active', 'only.target'], 10_000)).stdout === 'active\n',
      { what: 'systemd that has started', timeoutMs: 60_000 },
    )
    return {
      path: `/proc/${pid}/root`,
      run: (argv, { timeoutMs = 60_000 } = {}) => ask(pid, argv, timeoutMs),
      stop: () => stop(holder, cgroup),
    }
  } catch (error) {
    await stop(holder, cgroup)
    throw new Error(`no private systemd: ${String(error)}\n${said}`)
  }
}

async function stop(holder: ReturnType<typeof spawn>, cgroup: string): Promise<void> {
  if (holder.exitCode === null && holder.signalCode === null) {
    // With its init every process of the namespace is gone.
    const children = readFileSync(`/proc/${holder.pid}/task/${holder.pid}/children`, 'utf8').trim()
    if (children) process.kill(Number(children.split(' ')[0]), 'SIGKILL')
    else holder.kill('SIGKILL')
    await once(holder, 'exit')
  }
  await waitFor(() => removeCgroup(cgroup), { what: 'end of the cgroup' })
}

function removeCgroup(cgroup: string): boolean {
  if (!existsSync(cgroup)) return true
  for (const entry of readdirSync(cgroup, { withFileTypes: true }))
    if (entry.isDirectory()) removeCgroup(join(cgroup, entry.name))
  try {
    rmdirSync(cgroup)
    return true
  } catch {
    // A process in it is still ending.
    return false
  }
}

/** Where the unified hierarchy is mounted. */
function findCgroups(): string | undefined {
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const [before = '', after = ''] = line.split(' - ')
    if (after.startsWith('cgroup2 ')) return before.split(' ')[4]
  }
  return undefined
}
