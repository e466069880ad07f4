import type { ResolverContext, ResolverSpec } from './types.js'

/** Exactly `true` in any case, as the Python resolvers compare: yes, 1 and on as text are false. */
export function isTrue(value: unknown): boolean {
  return String(value).toLowerCase() === 'true'
}

/** Text of an option that is set to something; undefined otherwise. Numbers are text here. */
export function textOption(spec: ResolverSpec, name: string): string | undefined {
  const value = ownOption(spec, name)
  return value === undefined || value === null || value === '' ? undefined : String(value)
}

/** Galaxy's get_resolver_option: the resolver's own value, null too, else the node's `TYPE_NAME`; undefined: not set. */
export function resolverOption(spec: ResolverSpec, context: ResolverContext, name: string): unknown {
  return Object.hasOwn(spec.options, name) ? spec.options[name] : context.nodeOption(`${spec.type}_${name}`)
}

function ownOption(spec: ResolverSpec, name: string): unknown {
  return Object.hasOwn(spec.options, name) ? spec.options[name] : undefined
}
