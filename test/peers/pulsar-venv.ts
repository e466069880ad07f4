import { accessSync, constants } from 'node:fs'
import { delimiter, join, resolve } from 'node:path'

export interface PulsarVenv {
  readonly bin: string
}

/**
 * The virtual environment with the Python Pulsar: the one PULSAR_VENV names, else the one `npm run peers` made.
 * Without one: why, as a sentence for `needs`.
 */
export function findPulsarVenv():
  | { venv: PulsarVenv; missing: undefined }
  | { venv: undefined; missing: string } {
  const given = process.env.PULSAR_VENV
  const directory = resolve(given ?? join('.peers', 'venv'))
  try {
    for (const program of ['pulsar-serve', 'pulsar-check', 'gunicorn', 'python']) {
      accessSync(join(directory, 'bin', program), constants.X_OK)
    }
    return { venv: { bin: join(directory, 'bin') }, missing: undefined }
  } catch {
    const place = given === undefined ? '.peers/venv' : `PULSAR_VENV (${given})`
    return { venv: undefined, missing: `no Python Pulsar in ${place}; run "npm run peers"` }
  }
}

/** An environment in which `python` is the one of the virtual environment: pulsar-check's job calls it by that name. */
export function withPython(
  venv: PulsarVenv,
  env: Readonly<Record<string, string | undefined>> = {},
): Record<string, string | undefined> {
  return { ...env, PATH: [venv.bin, env.PATH ?? process.env.PATH].join(delimiter) }
}
