import type { ResolverType } from './types.js'

/** A type of Galaxy's that is accepted, finds nothing, and says so once. */
export function unsupportedResolver(type: string, why: string): ResolverType {
  return {
    type,
    create: () => ({
      type,
      prepare: async (log) => log.warn(`the dependency resolver ${type} finds nothing: ${why}`),
      resolve: async () => [],
    }),
  }
}
