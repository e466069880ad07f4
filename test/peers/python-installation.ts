import type { PulsarVenv } from './pulsar-venv.js'

/** Where its parts are, below /srv/pulsar. */
export interface Layout {
  readonly virtualenv: string
  readonly config: string
}

const SCRIPT = `
set -e
peer=$1 environment=$2 config=$3
# Where the peers' Python is root's own, another user has to get there; this root is private.
case $(readlink -f "$peer/python") in /root/*) chmod a+x /root ;; esac
useradd -d /home/pulsar -m -r -s /bin/bash pulsar
mkdir -p "$config" /srv/pulsar/var
"$peer/python" -m venv --without-pip "$environment"
packages=$("$peer/python" -c 'import pulsar, os; print(os.path.dirname(os.path.dirname(pulsar.__file__)))')
own=$(echo "$environment"/lib/python*/site-packages)
echo "$packages" > "$own/peers.pth"
cp -r "$packages"/pulsar_app-*-info "$own"
cp "$peer/pulsar" "$environment/bin/"
for name in pulsar-serve pulsar-main pulsar-check gunicorn; do
  { echo "#!$environment/bin/python"; tail -n +2 "$peer/$name"; } > "$environment/bin/$name"
  chmod 755 "$environment/bin/$name"
done
cat > "$config/app.yml" <<'YML'
---
private_token: foo
manager:
  type: queued_python
  num_concurrent_jobs: 4
staging_directory: /srv/pulsar/var/jobs
persistence_directory: /srv/pulsar/var/active
tool_dependency_dir: /srv/pulsar/var/deps
conda_auto_init: false
conda_auto_install: false
YML
cat > "$config/server.ini" <<'INI'
[server:main]
host = 127.0.0.1
port = 8913
[app:main]
app_config = %(here)s/app.yml
INI
touch "$config/local_env.sh"
chown -R pulsar:pulsar /srv/pulsar
`

/**
 * The command that installs a Python Pulsar of the user pulsar, as `pip install pulsar-app` and an admin leave it: port 8913, token foo, jobs
 * on this machine. Its virtualenv has the packages of the peers' one, and programs of its own. For a private root.
 */
export function installPythonPulsar(venv: PulsarVenv | undefined, { virtualenv, config }: Layout): string[] {
  return ['sh', '-c', SCRIPT, 'install', venv?.bin ?? '', virtualenv, config]
}
