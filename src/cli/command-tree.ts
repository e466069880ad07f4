import type { Argument, Command, Option } from 'commander'

/** The command line as completions and the man page see it; made from commander's own tree. */
export interface CommandNode {
  /** Without the program's name: `config set`; empty for the program itself. */
  readonly path: readonly string[]
  readonly description: string
  readonly options: readonly OptionNode[]
  /** What its arguments are, in their order. */
  readonly arguments: readonly ArgumentNode[]
  readonly commands: readonly CommandNode[]
}

export interface OptionNode {
  /** `-c`, `--config` */
  readonly names: readonly string[]
  readonly description: string
  /** undefined: it takes none. */
  readonly value: ArgumentNode | undefined
  /** Of the help: "Jobs". */
  readonly group: string | undefined
}

export interface ArgumentNode {
  /** FILE, DIR … */
  readonly name: string
  readonly kind: 'file' | 'directory' | 'words' | 'any'
  /** With `words`. */
  readonly words: readonly string[]
}

/** Reads the tree of commands; hidden ones are left out. `wordsOf` knows more about an option than its name says. */
export function readCommandTree(
  command: Command,
  wordsOf: (name: string) => ArgumentNode['kind'] | readonly string[] | undefined = () => undefined,
  path: readonly string[] = [],
): CommandNode {
  const help = command.createHelp()
  return {
    path,
    description: command.description(),
    options: help.visibleOptions(command).map((option) => readOption(option, wordsOf)),
    arguments: command.registeredArguments.map(readArgument),
    commands: command.commands
      .filter((each) => help.visibleCommands(command).includes(each))
      .map((each) => readCommandTree(each, wordsOf, [...path, each.name()])),
  }
}

/** All commands of the tree, itself first. */
export function flattenTree(node: CommandNode): CommandNode[] {
  return [node, ...node.commands.flatMap(flattenTree)]
}

function readOption(
  option: Option,
  wordsOf: (name: string) => ArgumentNode['kind'] | readonly string[] | undefined,
): OptionNode {
  const names = [option.short, option.long].filter((name) => name !== undefined)
  const placeholder = /[<[]([^>\]]+)[>\]]/.exec(option.flags)?.[1]
  const known = wordsOf(option.long ?? '')
  const value =
    placeholder === undefined
      ? undefined
      : typeof known === 'string'
        ? { name: placeholder, kind: known, words: [] }
        : guessKind(placeholder, known ?? option.argChoices)
  return { names, description: option.description, value, group: option.helpGroupHeading?.replace(/:$/, '') }
}

function readArgument(argument: Argument): ArgumentNode {
  return guessKind(argument.name(), argument.argChoices)
}

/** What a value is by the name that help gives it. */
function guessKind(name: string, choices: readonly string[] | undefined): ArgumentNode {
  if (choices !== undefined && choices.length > 0) return { name, kind: 'words', words: choices }
  if (name.includes('|')) return { name, kind: 'words', words: name.split('|') }
  if (/^(dir|directory|prefix)$/i.test(name)) return { name, kind: 'directory', words: [] }
  if (/(dir|file|tarball|program|path)/i.test(name)) return { name, kind: 'file', words: [] }
  return { name, kind: 'any', words: [] }
}
