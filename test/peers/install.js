/**
 * npm run peers: the real programs that test/peers talks to. Slurm, munge, Supervisor, tmux, OpenSSH and rsync come from Debian (root is
 * needed for that), Environment Modules and Lmod too, but into .peers/modules; Pulsar and Conda's solver from PyPI into .peers/venv. What is there
 * already is left alone; when all is there, this ends in a moment.
 */
import { spawnSync } from 'node:child_process'
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const venv = join(root, '.peers', 'venv')
/** Written as the last act, so a venv that was cut off is made anew. */
const stamp = join(venv, 'magnetar-peers')
/** simple-job-files and tuswsgi: Galaxy's side of pull staging, as Pulsar's tests and Galaxy itself have it. */
const requirements = [
  'pulsar-app==0.16.0',
  'gunicorn',
  'pycurl',
  'simple-job-files==0.2.1',
  'tuswsgi==0.5.5',
  'py-rattler==0.28.0',
]
const modules = join(root, '.peers', 'modules')
/** Each refuses to be installed beside the other, and changes every login shell: they are unpacked, not installed. */
const modulePackages = ['environment-modules', 'lmod']
const commandTimeoutMs = 15 * 60_000
const programs = [
  { program: 'slurmctld', debian: 'slurm-wlm' },
  { program: 'slurmd', debian: 'slurm-wlm' },
  { program: 'sbatch', debian: 'slurm-wlm' },
  { program: 'munged', debian: 'munge' },
  { program: 'supervisord', debian: 'supervisor' },
  { program: 'tmux', debian: 'tmux' },
  { program: 'sshd', debian: 'openssh-server' },
  { program: 'ssh', debian: 'openssh-client' },
  { program: 'rsync', debian: 'rsync' },
  { program: 'cc', debian: 'gcc libc6-dev' },
]

try {
  const python = findPython()
  const packages = missingPackages(python)
  if (packages.length > 0) installPackages(packages)
  unpackModules()
  makeVenv(python ?? findPython())
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
}

/** Debian packages for what is missing on this machine. */
function missingPackages(python) {
  const wanted = programs.filter(({ program }) => !onPath(program)).flatMap(({ debian }) => debian.split(' '))
  if (!venvReady() && !(python && canMakeVenv(python))) wanted.push('python3', 'python3-venv')
  return [...new Set(wanted)]
}

function installPackages(packages) {
  const list = packages.join(' ')
  if (process.getuid?.() !== 0 || !onPath('apt-get')) {
    throw new Error(
      `Missing for the tests with real programs: ${list}\nInstall it as root, then run "npm run peers" again:\n` +
        `  apt-get update && apt-get install ${list}\n` +
        '(on a system that is not Debian or Ubuntu: the packages which hold slurmctld, slurmd, sbatch, munged, supervisord, tmux, sshd, ssh and rsync)',
    )
  }
  console.log(`Installing ${list} ...`)
  run('apt-get', ['update', '-qq'], 'The package lists could not be updated')
  run(
    'apt-get',
    ['install', '-y', '-qq', '--no-install-recommends', ...packages],
    `${list} could not be installed`,
  )
  if (packages.includes('openssh-server')) switchOffSshd()
}

/** The tests start their own; that of the package would let others in from now on. */
function switchOffSshd() {
  if (!existsSync('/run/systemd/system')) return
  for (const unit of ['ssh.socket', 'ssh.service', 'sshd.service'])
    spawnSync('systemctl', ['disable', '--now', unit], { stdio: 'ignore', timeout: 60_000 })
}

function unpackModules() {
  const done = join(modules, 'magnetar-peers')
  if (existsSync(done)) return
  if (!onPath('apt-get')) {
    console.log(`Without apt-get there is no ${modulePackages.join(', no ')}: their tests will be skipped.`)
    return
  }
  console.log(`Unpacking ${modulePackages.join(', ')} into .peers/modules ...`)
  rmSync(modules, { recursive: true, force: true })
  mkdirSync(modules, { recursive: true })
  const failure = `${modulePackages.join(', ')} could not be fetched`
  const download = ['-qq', 'download', ...modulePackages]
  // The package lists may be old, or none.
  if (
    spawnSync('apt-get', download, { cwd: modules, stdio: 'ignore', timeout: commandTimeoutMs }).status !== 0
  ) {
    if (process.getuid?.() === 0) run('apt-get', ['update', '-qq'], 'The package lists could not be updated')
    run('apt-get', download, failure, modules)
  }
  for (const archive of readdirSync(modules).filter((name) => name.endsWith('.deb'))) {
    const missing = dependsOf(join(modules, archive)).filter((name) => !isInstalled(name))
    if (missing.length > 0) installPackages(missing)
    const [name] = archive.split('_')
    run('dpkg-deb', ['-x', join(modules, archive), join(modules, name)], `${archive} could not be unpacked`)
  }
  writeFileSync(done, '')
}

/** The names in "lua5.3, tcl8.6 (>= 8.6.0), a | b". */
function dependsOf(archive) {
  const { stdout } = spawnSync('dpkg-deb', ['-f', archive, 'Depends'], { encoding: 'utf8', timeout: 30_000 })
  return stdout
    .split(',')
    .map((each) => each.trim().split(/[ |(:]/)[0])
    .filter((name) => name !== '')
}

function isInstalled(name) {
  const query = ['-W', '-f', '${db:Status-Status}', name]
  return spawnSync('dpkg-query', query, { encoding: 'utf8', timeout: 30_000 }).stdout === 'installed'
}

function makeVenv(python) {
  if (venvReady()) {
    console.log('All programs for test/peers are there.')
    return
  }
  if (!python) throw new Error('No Python of version 3.9 or newer is on PATH; the Python Pulsar needs one.')
  console.log(`Installing ${requirements.join(', ')} into .peers/venv ...`)
  rmSync(venv, { recursive: true, force: true })
  mkdirSync(dirname(venv), { recursive: true })
  run(python, ['-m', 'venv', venv], 'The Python virtual environment could not be made')
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...requirements]
  run(
    join(venv, 'bin', 'python'),
    pip,
    'pip could not install Pulsar. Check that the Python package index can be reached; where pip has to build pycurl, ' +
      'install libcurl4-openssl-dev and gcc',
  )
  writeFileSync(stamp, requirements.join('\n'))
  console.log('All programs for test/peers are there.')
}

/** The interpreter is asked too: a venv breaks when the Python it was made from is removed. */
function venvReady() {
  try {
    if (readFileSync(stamp, 'utf8') !== requirements.join('\n')) return false
  } catch {
    return false
  }
  return spawnSync(join(venv, 'bin', 'python'), ['-c', ''], { timeout: 30_000 }).status === 0
}

/** python3 of PATH when it is 3.9 or newer. */
function findPython() {
  const check = 'import sys; sys.exit(sys.version_info < (3, 9))'
  return spawnSync('python3', ['-c', check], { timeout: 30_000 }).status === 0 ? 'python3' : undefined
}

/** Debian's Python lacks ensurepip until python3-venv is installed. */
function canMakeVenv(python) {
  return spawnSync(python, ['-c', 'import venv, ensurepip'], { timeout: 30_000 }).status === 0
}

/** Daemons live in sbin, which is not on every user's PATH. */
function onPath(program) {
  const directories = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin']
  return directories.some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** Shows what the command wrote only when it fails. */
function run(command, args, failure, cwd = root) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const result = spawnSync(command, args, {
    cwd,
    env,
    encoding: 'utf8',
    timeout: commandTimeoutMs,
    maxBuffer: 64 * 1024 * 1024,
  })
  if (result.status === 0) return
  const said = `${result.stdout ?? ''}${result.stderr ?? ''}`.trim().split('\n').slice(-20).join('\n')
  const how = result.error?.message ?? `exit code ${result.status ?? result.signal}`
  throw new Error(`${said}\n${failure} (${command} ${args[0]}: ${how}).`)
}
