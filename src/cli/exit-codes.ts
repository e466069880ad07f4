/** Exit codes of all commands; documented in docs/errors.md. 78 is EX_CONFIG of sysexits.h. */
export const EXIT = { ok: 0, failed: 1, usage: 2, config: 78, interrupted: 130 } as const
