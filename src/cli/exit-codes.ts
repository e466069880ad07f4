/**
 * Exit codes of all commands; documented in docs/running.md. `drift`: --check found differences, or adopt refuses; `verification`: the node is set up,
 * but the job sent through it did not end well. `promiseBroken`: `magnetar audit` found a history that must not be. 10 to 18: what
 * `magnetar check` found, by the kind of the failure. 78 is EX_CONFIG of sysexits.h.
 */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  drift: 3,
  notPermitted: 4,
  verification: 5,
  promiseBroken: 6,
  checkReach: 10,
  checkTls: 11,
  checkProtocol: 12,
  checkToken: 13,
  checkClock: 14,
  checkFiles: 15,
  checkJob: 16,
  checkCancel: 17,
  checkPull: 18,
  config: 78,
  interrupted: 130,
} as const
