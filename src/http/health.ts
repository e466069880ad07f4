import type { Route } from './types.js'

/** pulsar/web/routes.py: version. Answers also when no manager is called `_default_`: what it says is about the server. */
export const healthRoutes: readonly Route[] = [
  { method: 'GET', path: '/healthz', handle: async ({ node }) => ({ json: { version: node.version } }) },
]
