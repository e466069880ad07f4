/**
 * Exit codes of all commands; documented in docs/running.md. `drift`: --check found differences; `verification`: the node is set up,
 * but the job sent through it did not end well. 78 is EX_CONFIG of sysexits.h.
 */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  drift: 3,
  notPermitted: 4,
  verification: 5,
  config: 78,
  interrupted: 130,
} as const
