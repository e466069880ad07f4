import { quoteYaml, quoteYamlAs } from '../../../lib/edit/quote-yaml.js'

export interface AppYml {
  /** undefined or empty: none, and everybody who reaches the server may use it. */
  readonly privateToken?: string | undefined
  /** Conda is installed, and packages are, when a tool first needs them. */
  readonly autoConda: boolean
  /** Jobs go to a cluster through the DRMAA library that local_env.sh names. */
  readonly drmaa: boolean
  /** Jobs come over a message queue; `credentialsFile` is for a relay (an http URL). */
  readonly messageQueue?: { readonly url: string; readonly credentialsFile?: string | undefined } | undefined
}

/**
 * app.yml as pulsar-config 0.16.0 writes it (pulsar/scripts/config.py `_handle_app_yaml`), key for key; but the token is
 * quoted where YAML would take it for something else, or cut it.
 */
export function renderAppYml({ privateToken, autoConda, drmaa, messageQueue }: AppYml): string {
  const lines = ['---']
  if (privateToken) lines.push(`private_token: ${quoteYaml(privateToken)}`)
  if (messageQueue) lines.push(`message_queue_url: ${quoteYamlAs(messageQueue.url, '"')}`)
  if (messageQueue?.credentialsFile !== undefined) {
    lines.push(
      `message_queue_credentials_file: ${quoteYamlAs(messageQueue.credentialsFile, '"')}`,
      '## Instead of that file, a name and a password:',
      '#message_queue_username: admin',
      '#message_queue_password: changeme',
    )
  }
  lines.push(`conda_auto_init: ${autoConda}`, `conda_auto_install: ${autoConda}`)
  if (drmaa) lines.push('manager:', '  type: queued_drmaa')
  return `${lines.join('\n')}\n`
}
