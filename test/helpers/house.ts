import ts from 'typescript'

/**
 * The house rules of DESIGN.md that can be read from a source file alone. `checkSource` is pure: test/house.test.ts runs it on all of
 * src/ and, to show that it can fail, on sources that break each rule.
 */
export interface SourceFile {
  /** Relative to the checkout, with slashes: "src/http/jobs.ts". */
  readonly path: string
  readonly text: string
}

const maxLines = 300
const adapters = ['schedulers', 'staging', 'dependencies', 'store']

/** Which rooms a room may import from, besides itself, lib, and the types of the configuration. */
const arrows: Readonly<Record<string, readonly string[]>> = {
  cli: ['node', 'control', 'setup', 'galaxy', 'check', 'doctor', 'config'],
  node: ['http', 'control', 'jobs', 'config', ...adapters],
  control: ['jobs'],
  setup: ['config', 'galaxy', 'check', 'control'],
  doctor: ['config', 'setup', 'check', 'control'],
  http: ['jobs'],
  jobs: ['schedulers', 'staging', 'dependencies', 'store'],
  galaxy: [],
  check: [],
  config: [],
  schedulers: [],
  staging: [],
  dependencies: [],
  store: [],
  lib: [],
}

/** The one place that makes signals which abort by themselves. */
const timeLimits = 'src/lib/time-limit.ts'

const configTypes = 'src/config/types.ts'

/** What setup and doctor may use of the rooms that they ask about the machine: src/schedulers/…probe….ts. */
const probe = /^src\/(schedulers|dependencies|jobs)\/(.*\/)?[^/]*probe[^/]*\.ts$/

interface Import {
  readonly target: string
  readonly typeOnly: boolean
  readonly line: number
}

/** Every rule that the file breaks, as "path:line: sentence"; empty when it is as the house wants it. */
export function checkSource(file: SourceFile): string[] {
  const source = ts.createSourceFile(file.path, file.text, ts.ScriptTarget.Latest, true)
  const imports = readImports(source)
  return [
    ...imports.flatMap((found) => checkArrow(file.path, found)),
    ...checkSyntax(source, file.path),
    ...checkText(file),
  ]
}

function checkArrow(path: string, found: Import): string[] {
  if (!found.target.startsWith('.')) return []
  const target = resolveTarget(path, found.target)
  const from = roomOf(path)
  const to = roomOf(target)
  if (from === to || isAllowed(from, to, target, found.typeOnly)) return []
  return [`${path}:${found.line}: ${from} may not import ${target}`]
}

function isAllowed(from: string, to: string, target: string, typeOnly: boolean): boolean {
  const allowed = arrows[from]
  if (!allowed) return false
  if (to === 'lib') return true
  if (target === configTypes) return typeOnly && from !== 'lib'
  if (['setup', 'doctor'].includes(from) && probe.test(target)) return true
  return allowed.includes(to)
}

/** The folder below src; for src/node.ts, the only file there, "node". */
function roomOf(path: string): string {
  return path.replace(/^src\//, '').replace(/(\/.*|\.ts)$/, '')
}

function resolveTarget(path: string, specifier: string): string {
  const { pathname } = new URL(specifier, `file:///${path}`)
  return pathname.slice(1).replace(/\.js$/, '.ts')
}

/** Static and dynamic imports, re-exports, and `import('…')` types. */
function readImports(source: ts.SourceFile): Import[] {
  const found: Import[] = []
  const add = (node: ts.Node, specifier: ts.Node | undefined, typeOnly: boolean): void => {
    if (specifier && ts.isStringLiteralLike(specifier)) {
      found.push({ target: specifier.text, typeOnly, line: lineOf(source, node) })
    }
  }
  visit(source, (node) => {
    if (ts.isImportDeclaration(node)) add(node, node.moduleSpecifier, isTypeOnlyImport(node.importClause))
    else if (ts.isExportDeclaration(node)) add(node, node.moduleSpecifier, node.isTypeOnly)
    else if (ts.isImportTypeNode(node)) {
      add(node, ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined, true)
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node, node.arguments[0], false)
    }
  })
  return found
}

function isTypeOnlyImport(clause: ts.ImportClause | undefined): boolean {
  if (!clause) return false
  if (clause.isTypeOnly) return true
  const named = clause.namedBindings
  const onlyTypes = named && ts.isNamedImports(named) && named.elements.every((element) => element.isTypeOnly)
  return clause.name === undefined && onlyTypes === true
}

function checkSyntax(source: ts.SourceFile, path: string): string[] {
  const problems: string[] = []
  const complain = (node: ts.Node, sentence: string): void => {
    problems.push(`${path}:${lineOf(source, node)}: ${sentence}`)
  }
  const room = roomOf(path)
  const statements = source.statements
  // A registry lists interchangeable things: an adapter room's, or those of a folder within a room (jobs/metrics).
  const inAdapters = adapters.includes(room)
  const inSet = path.split('/').length > 3
  if (path.endsWith('/index.ts') && !inAdapters && !inSet) complain(source, 'index.ts is for registries')
  else if (
    statements.length > 0 &&
    statements.every(isReExport) &&
    !(inAdapters && path.endsWith('/index.ts'))
  ) {
    complain(source, 'a barrel: it only exports again')
  }
  visit(source, (node) => {
    if (ts.isExportAssignment(node) || hasDefaultModifier(node)) complain(node, 'exports have names')
    if (ts.isExportDeclaration(node) && !node.exportClause) complain(node, 'export * hides what is exported')
    if (ts.isEnumDeclaration(node)) complain(node, 'use a union of literals for an enum')
    if (path !== timeLimits && ts.isPropertyAccessExpression(node) && isOf(node, 'AbortSignal', 'timeout'))
      complain(node, `AbortSignal.timeout may never abort in Node 20; ${timeLimits} has what does`)
    if (room === 'cli') return
    const text = ts.isPropertyAccessExpression(node) ? node.getText(source) : ''
    if (/^(console\.\w+|process\.exit(Code)?)$/.test(text)) complain(node, `${text} belongs to cli`)
  })
  return problems
}

function isOf(node: ts.PropertyAccessExpression, object: string, name: string): boolean {
  return ts.isIdentifier(node.expression) && node.expression.text === object && node.name.text === name
}

function isReExport(node: ts.Statement): boolean {
  return ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined
}

function hasDefaultModifier(node: ts.Node): boolean {
  const modifiers = ts.canHaveModifiers(node) ? ts.getModifiers(node) : undefined
  return modifiers?.some((modifier) => modifier.kind === ts.SyntaxKind.DefaultKeyword) ?? false
}

function checkText({ path, text }: SourceFile): string[] {
  const problems: string[] = []
  const lines = text.split('\n')
  // The last line ends with a newline too.
  if (lines.length - 1 > maxLines) problems.push(`${path}: ${lines.length - 1} lines, more than ${maxLines}`)
  if (!isKebabCase(path)) problems.push(`${path}: names are kebab-case`)
  for (const [index, line] of lines.entries()) {
    if (/@ts-(ignore|nocheck)/.test(line))
      problems.push(`${path}:${index + 1}: the type checker is switched off`)
    const machine = machinePathIn(line)
    if (machine) problems.push(`${path}:${index + 1}: ${machine} is a path of one machine`)
  }
  return problems
}

/** Whether every part of the path is kebab-case, with at most one more suffix (.test, .d) before the extension. */
export function isKebabCase(path: string): boolean {
  return path.split('/').every((part) => /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z]+){0,2}$/.test(part))
}

/** A home directory of somebody; /home/pulsar is the documented default of a node. */
export function machinePathIn(line: string): string | undefined {
  return /(?<![\w.-])\/(?:home\/(?!pulsar\b)\w+|Users\/\w+|root\/\w+)/.exec(line)?.[0]
}

function lineOf(source: ts.SourceFile, node: ts.Node): number {
  return source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1
}

function visit(node: ts.Node, each: (node: ts.Node) => void): void {
  each(node)
  ts.forEachChild(node, (child) => visit(child, each))
}
