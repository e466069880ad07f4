import { isMap, isNode, isScalar, LineCounter, parseDocument, Scalar, stringify } from 'yaml'
import { findNearest } from '../../config/nearest.js'
import { MagnetarError } from '../../lib/errors.js'
import { isLoopback } from './answer-rules.js'
import type { Resolved } from './answers.js'
import type { AnswerProblem, Given } from './given.js'
import { fileKeyOf, type OptionName, type SetupOption } from './option.js'
import { SETUP_OPTION_GROUPS, SETUP_OPTIONS } from './options/index.js'

/**
 * The answers of a file: a mapping of one key per option, each with one value. Texts are taken as they are written, so that `007` and
 * `no` need no quotes. `name` is how messages call the file.
 * @throws MagnetarError ANSWER_INVALID when it is no YAML or no mapping
 */
export function readAnswersFile(
  text: string,
  name: string,
  directory: string,
): { given: Map<OptionName, Given>; problems: AnswerProblem[] } {
  const lines = new LineCounter()
  const document = parseDocument(text, { schema: 'failsafe', lineCounter: lines, prettyErrors: false })
  const [error] = document.errors
  if (error) {
    const { line } = lines.linePos(error.pos[0])
    if (error.code === 'MULTIPLE_DOCS')
      throw new MagnetarError('ANSWER_INVALID', `${name}:${line}: a second document begins here`, {
        fix: 'An answers file is one document: take out the line ---, or make two files.',
      })
    throw new MagnetarError('ANSWER_INVALID', `${name}:${line}: this is no YAML: ${error.message}`, {
      fix: 'One "key: value" a line; what the wizard saves is an example.',
    })
  }
  const given = new Map<OptionName, Given>()
  const problems: AnswerProblem[] = []
  const { contents } = document
  if (isTagged(contents)) {
    const { line } = lines.linePos(contents?.range?.[0] ?? 0)
    throw new MagnetarError('ANSWER_INVALID', `${name}:${line}: ${NO_TAGS}`, { fix: 'Take the tag out.' })
  }
  const nothing = document.contents === null || (isScalar(document.contents) && !document.contents.value)
  if (nothing) return { given, problems }
  if (!isMap(document.contents))
    throw new MagnetarError('ANSWER_INVALID', `${name}: expected a mapping of one "key: value" a line`)
  const names = new Map(SETUP_OPTIONS.map((option) => [fileKeyOf(option.name), option.name]))
  for (const { key, value } of document.contents.items) {
    const place = isNode(key) && key.range ? `${name}:${lines.linePos(key.range[0]).line}` : name
    const word = isScalar(key) ? String(key.value) : ''
    const spelled = word === '' ? place : `${place}: ${word}`
    const complain = (message: string, option?: OptionName): void => {
      problems.push({ name: option, kind: 'invalid', spelled, message })
    }
    const option = names.get(word)
    if (word === '' || isTagged(key)) complain('expected the name of an option before the colon')
    else if (option === undefined) complain(explainUnknown(word, [...names.keys()]))
    else if (isTagged(value)) complain(NO_TAGS, option)
    else if (value !== null && !isScalar(value)) complain('expected one value', option)
    else given.set(option, { text: scalarText(value), spelled, directory })
  }
  return { given, problems }
}

/** The tag is not shown: it may be a token that somebody forgot to quote. */
const NO_TAGS = 'tags (!…) have no meaning here; put a value that begins with ! into quotes'

function isTagged(node: unknown): boolean {
  return isNode(node) && node.tag !== undefined && !PLAIN_TAGS.has(node.tag)
}

const PLAIN_TAGS = new Set(['tag:yaml.org,2002:str', 'tag:yaml.org,2002:map'])

/** `key:` and `key: ~` say: none. */
function scalarText(value: Scalar | null): string {
  if (value === null) return ''
  const text = String(value.value ?? '')
  const plain = value.type === undefined || value.type === Scalar.PLAIN
  return plain && (text === '~' || text === 'null') ? '' : text
}

function explainUnknown(word: string, known: readonly string[]): string {
  if (word === 'token')
    return 'an answers file holds no token; put it into a file of its own and name that in token_file'
  const nearest = findNearest(word, known)
  return nearest ? `there is no such key; is ${nearest} meant?` : 'there is no such key'
}

/**
 * The answers as a file that gives the same plan with --answers. Every option stands in it with its description; those that have no
 * value, or that are about one run only, as a comment. Never the token.
 */
export function renderAnswersFile({ answers, tokenFile }: Pick<Resolved, 'answers' | 'tokenFile'>): string {
  const valueFor = (option: SetupOption): unknown => {
    // Standard input is not there again.
    if (option.name === 'tokenFile') return tokenFile === '-' ? undefined : tokenFile
    // Not an answer of its own: an address that others reach, without TLS, has been allowed.
    if (option.name === 'noTls') return answers.tlsCert === undefined && !isLoopback(answers.host)
    if (option.name === 'concurrentJobs' && answers.manager !== 'local') return undefined
    return option.onlyThisRun ? undefined : answers[option.name]
  }
  const groups = SETUP_OPTION_GROUPS.map(({ title, options }) => {
    const entries = options.map((option) => renderEntry(option, valueFor(option)))
    return `# ${title}\n\n${entries.join('\n')}`
  })
  return `${INTRODUCTION}\n${groups.join('\n')}`
}

const INTRODUCTION = `# Answers of magnetar setup. Use them with
#     magnetar setup --answers FILE
# A flag or a variable MAGNETAR_SETUP_… goes before what stands here.
`

function renderEntry({ name, type, description }: SetupOption, value: unknown): string {
  const key = fileKeyOf(name)
  const comment = `# ${description}; ${type.expected}\n`
  if (value === undefined || value === '' || (name === 'noTls' && value === false))
    return `${comment}# ${key}:\n`
  const word = typeof value === 'boolean' ? (value ? 'yes' : 'no') : value
  return `${comment}${stringify({ [key]: word }, { lineWidth: 0 })}`
}
