declare module '@vitest/runner' {
  interface TaskMeta {
    skipReason?: string
  }
}

/**
 * Options for describe or it: skips the tests when something this machine lacks is `missing` (a sentence with what to do about
 * it), which `npm test` prints. With MAGNETAR_REQUIRE_PEERS=1 a skip below test/peers is a failure.
 */
export function needs(missing: string | undefined): { skip: boolean; meta: { skipReason?: string } } {
  return missing === undefined ? { skip: false, meta: {} } : { skip: true, meta: { skipReason: missing } }
}
