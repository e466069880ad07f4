import { TransferError } from './transfer-error.js'

/**
 * The address of one file at Galaxy's endpoint for the files of a job, which has the job's key in it already
 * (pulsar/client/action_mapper.py: __inject_url).
 * @throws TransferError for a path that is no text
 */
export function jobFileUrl(endpoint: string, path: string, type: string): string {
  return `${endpoint}${endpoint.includes('?') ? '&' : '?'}path=${quotePlus(path)}&file_type=${quotePlus(type)}`
}

/** A value in a query as Python's urllib.parse.quote_plus writes it. */
function quotePlus(text: string): string {
  try {
    const escaped = encodeURIComponent(text).replaceAll('%20', '+')
    return escaped.replace(/[!'()*]/g, (each) => `%${each.charCodeAt(0).toString(16).toUpperCase()}`)
  } catch (error) {
    // Half of a surrogate pair: a name that was not UTF-8 on its way through Python.
    const message = 'its name has characters that cannot be written in an address'
    throw new TransferError(message, { transient: false, cause: error })
  }
}
