/**
 * Why a regular expression cannot be used. `invalid`: Python refuses it too, with this message and position; `unsupported`:
 * Python takes it, but it cannot be done here so that it means the same.
 */
export class PythonRegexError extends Error {
  readonly reason: 'invalid' | 'unsupported'
  constructor(reason: 'invalid' | 'unsupported', message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'PythonRegexError'
    this.reason = reason
  }
}
