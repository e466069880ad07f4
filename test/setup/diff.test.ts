import { describe, expect, it } from 'vitest'
import { listPlan, renderDiff, summarizePlan } from '../../src/setup/diff.js'
import { hideSecrets } from '../../src/setup/files/hide-secrets.js'
import type { Change, FileChange, Plan } from '../../src/setup/types.js'

const owner = { user: 'pulsar', group: 'pulsar' }

function planOf(changes: readonly Change[], more: Partial<Plan> = {}): Plan {
  const manifest = { version: 1, answers: {}, files: {}, madeUser: false } as const
  return { changes, conflicts: [], notes: [], manifest, ...more }
}

function counted(counts: Change['counts'], step: string): Change {
  return { kind: 'remove', step, title: 'x', counts, path: '/x' }
}

function aDirectory(path: string): Change {
  return {
    kind: 'directory',
    step: 'd',
    title: `create ${path}`,
    counts: 'directory',
    path,
    mode: 0o755,
    owner,
  }
}

function aFile(more: Partial<FileChange>): FileChange {
  const path = '/srv/pulsar/etc/app.yml'
  const title = `create ${path}`
  const base = {
    kind: 'file',
    step: 'f',
    counts: 'file',
    path,
    title,
    mode: 0o600,
    owner,
    backup: false,
  } as const
  return { ...base, before: undefined, after: 'a: 1\n', secretKeys: ['private_token'], ...more }
}

describe('summarizePlan', () => {
  it('counts each kind of thing, and what takes several changes once', () => {
    const changes = [
      counted('user', 'user'),
      counted('user', 'user'),
      ...Array.from({ length: 9 }, () => counted('directory', 'directories')),
      ...Array.from({ length: 6 }, (_, index) => counted('file', `file-${index % 2}`)),
      counted('service', 'supervisor-program'),
      counted('service', 'supervisor-program'),
    ]
    expect(summarizePlan(planOf(changes))).toBe('1 user · 9 directories · 6 files · 1 service')
    const others = [
      counted('other', 'a'),
      counted('release', 'r'),
      counted('runtime', 'n'),
      counted('other', 'a'),
    ]
    expect(summarizePlan(planOf(others))).toBe('1 runtime · 1 release · 2 other changes')
  })

  it('says when there is nothing to do, and what is left alone', () => {
    expect(summarizePlan(planOf([]))).toBe('nothing to do')
    const conflicts = [{ path: '/x', key: undefined, message: 'no' }]
    expect(summarizePlan(planOf([], { conflicts }))).toBe('nothing to do · 1 conflict')
    expect(summarizePlan(planOf([counted('file', 'f')], { conflicts }))).toBe('1 file · 1 conflict')
  })
})

describe('listPlan', () => {
  it('has a line for each change, with directories below the one that holds them', () => {
    const paths = ['/srv/pulsar', '/srv/pulsar/etc', '/srv/pulsar/var', '/srv/pulsar/var/jobs', '/opt/x']
    const link: Change = {
      kind: 'link',
      step: 'l',
      title: 'point /a',
      counts: 'other',
      path: '/a',
      target: 'b',
      owner,
    }
    expect(listPlan(planOf([counted('user', 'u'), ...paths.map(aDirectory), aFile({}), link]))).toEqual([
      'x',
      'create /srv/pulsar (0755 pulsar:pulsar)',
      '  create etc (0755 pulsar:pulsar)',
      '  create var (0755 pulsar:pulsar)',
      '  create var/jobs (0755 pulsar:pulsar)',
      'create /opt/x (0755 pulsar:pulsar)',
      'create /srv/pulsar/etc/app.yml (0600 pulsar:pulsar)',
      'point /a -> b',
    ])
  })
})

describe('renderDiff', () => {
  it('shows files as unified diffs, other changes as lines, then conflicts and notes', () => {
    const useradd: Change = {
      kind: 'command',
      step: 'user',
      title: 'create the user pulsar',
      counts: 'user',
      argv: ['useradd', '-c', 'Pulsar node', 'pulsar'],
      timeoutMs: 1,
      undo: undefined,
      touches: [],
    }
    const ini = aFile({
      path: '/srv/pulsar/etc/server.ini',
      title: 'change /srv/pulsar/etc/server.ini',
      mode: 0o644,
      owner: undefined,
      before: 'a = 1\nb = 2\nc = 3\nd = 4\ne = 5\n',
      after: 'a = 1\nb = 2\nc = 3\nd = 4\ne = 6',
      secretKeys: [],
    })
    const conflicts = [{ path: '/srv/pulsar/etc/app.yml', key: 'port', message: 'it has 9000' }]
    const plan = planOf(
      [useradd, aFile({}), ini, aFile({ before: 'a: 1\n', title: 'give mode 0600 to it' })],
      {
        conflicts,
        notes: ['kept: x'],
      },
    )
    expect(renderDiff(plan).split('\n')).toEqual([
      "* create the user pulsar: useradd -c 'Pulsar node' pulsar",
      '* create /srv/pulsar/etc/app.yml (0600 pulsar:pulsar)',
      '--- /dev/null',
      '+++ /srv/pulsar/etc/app.yml',
      '@@ -0,0 +1,1 @@',
      '+a: 1',
      '* change /srv/pulsar/etc/server.ini (0644)',
      '--- /srv/pulsar/etc/server.ini',
      '+++ /srv/pulsar/etc/server.ini',
      '@@ -2,4 +2,4 @@',
      ' b = 2',
      ' c = 3',
      ' d = 4',
      '-e = 5',
      '+e = 6',
      '\\ No newline at end of file',
      '* give mode 0600 to it (0600 pulsar:pulsar)',
      '! /srv/pulsar/etc/app.yml (port): it has 9000',
      '# kept: x',
      '',
    ])
    expect(renderDiff(planOf([]))).toBe('')
  })

  it('lets no file move the cursor', () => {
    const shown = renderDiff(planOf([aFile({ before: '\u001b[2Jold\r\n', after: 'new\u009b1m\t\n' })]))
    expect(shown).toContain('-\\x1b[2Jold\\x0d\n')
    expect(shown).toContain('+new\\x9b1m\t\n')
  })

  it('shows that a secret changes, and neither the old nor the new', () => {
    const shown = renderDiff(
      planOf([
        aFile({
          before: '# first\nprivate_token: "old-one"\n',
          after: '# first\nprivate_token: new-one  # mine\n',
        }),
      ]),
    )
    expect(shown).toContain(' # first\n-private_token: (hidden)\n+private_token: (hidden, another one)\n')
    expect(shown).not.toMatch(/old-one|new-one/)
  })
})

describe('hideSecrets', () => {
  const SECRET = 'Qx7-secret-value'
  const syntaxes: [string, string][] = [
    ['plain YAML', `private_token: ${SECRET}\n`],
    ['quoted YAML', `private_token: "${SECRET}" # of 2016\n`],
    ['single quotes', `'private_token' : '${SECRET}'\n`],
    ['a flow mapping', `{a: 1, private_token: ${SECRET}}\n`],
    ['a nested key', `app:\n  private_token: ${SECRET}\nx: 1\n`],
    ['a block scalar', `private_token: |\n  first line\n  ${SECRET}\nx: 1\n`],
    ['a folded value', `private_token:\n  ${SECRET}\nx: 1\n`],
    ['CRLF', `a: 1\r\nprivate_token: ${SECRET}\r\nb: 2\r\n`],
    ['INI', `[app:main]\nprivate_token = ${SECRET}\nx = 1\n`],
    ['a continued INI value', `private_token = first\n    ${SECRET}\nx = 1\n`],
    ['a comment', `#private_token: ${SECRET}\n`],
    ['an indented comment', `x: 1\n  # private_token = ${SECRET}\n`],
    ['a shell', `export private_token=${SECRET}\n`],
    ['the value elsewhere', `url: http://x:${SECRET}@host\nprivate_token: ${SECRET}\n`],
    ['a line separator in it', `private_token: "first\u2028${SECRET}"\n`],
    [
      'a key in a file',
      `private_token: x\n-----BEGIN PRIVATE KEY-----\n${SECRET}\n-----END PRIVATE KEY-----\n`,
    ],
  ]

  it.each(syntaxes)('hides it in %s', (_what, text) => {
    expect(text).toContain(SECRET)
    for (const shown of [
      hideSecrets('', text, ['private_token']).after,
      hideSecrets(text, text, ['private_token']).before,
    ]) {
      expect(shown).not.toContain(SECRET)
      expect(shown).toContain('(hidden)')
      expect(shown.split('\n')).toHaveLength(text.split('\n').length)
    }
  })

  it('leaves everything else as it is', () => {
    const text = `a: 1\nprivate_token: ${SECRET}\nmy_private_token_file: /x\nprivate_tokens: 2\n  deep: 3\n`
    const { before, after } = hideSecrets(text, text, ['private_token'])
    expect(after).toBe(text.replace(SECRET, '(hidden)'))
    expect(before).toBe(after)
    expect(hideSecrets(text, text, []).after).toBe(text)
  })

  it('takes the same value in other quotes for the same', () => {
    const { after } = hideSecrets(`private_token: ${SECRET}\n`, `private_token: "${SECRET}"\n`, [
      'private_token',
    ])
    expect(after).toBe('private_token: (hidden)\n')
  })

  it('shows nothing of a file that is secret as a whole but its length', () => {
    const pem = `-----BEGIN CERTIFICATE-----\n${SECRET}\n\n`
    expect(hideSecrets('', pem, ['*'])).toEqual({ before: '', after: '(hidden)\n(hidden)\n\n' })
    expect(hideSecrets(pem, pem, ['*']).after).toBe('(hidden)\n(hidden)\n\n')
    expect(hideSecrets(pem, 'other\n', ['*']).after).toBe('(hidden, another one)\n')
  })
})
