import { quoteForShell } from '../../lib/shell.js'
import { type ArgumentNode, type CommandNode, flattenTree, type OptionNode } from '../command-tree.js'

/** The completion for zsh: one function per command, on _arguments. */
export function renderZshCompletion(program: string, tree: CommandNode): string {
  const functions = flattenTree(tree).map((node) => renderFunction(program, node))
  const name = functionName(program, tree)
  return `#compdef ${program}
# Completion of ${program} for zsh.
#   ${program} completion zsh > "\${fpath[1]}/_${program}"
# or, for one user: echo 'source <(${program} completion zsh)' >> ~/.zshrc, after compinit

${functions.join('\n\n')}

# Read by compinit it is called at once; sourced it says what it is for.
if [ "\${funcstack[1]}" = ${name} ]; then
  ${name} "$@"
else
  compdef ${name} ${program}
fi
`
}

function renderFunction(program: string, node: CommandNode): string {
  const specs = [...node.options.flatMap(renderOption), ...renderArguments(node)]
  const lines = [`${functionName(program, node)}() {`]
  if (node.commands.length > 0) lines.push('  local context state state_descr line', '  typeset -A opt_args')
  lines.push(`  _arguments -s -S ${node.commands.length > 0 ? '-C ' : ''}\\`)
  lines.push(specs.map((spec) => `    ${quoteForShell(spec)}`).join(' \\\n'))
  if (node.commands.length > 0) lines.push(renderDispatch(program, node))
  lines.push('}')
  return lines.join('\n')
}

function renderDispatch(program: string, node: CommandNode): string {
  const names = node.commands.map(
    ({ path, description }) => `        ${quoteForShell(`${path.at(-1)}:${escapeText(description)}`)}`,
  )
  const cases = node.commands.map(
    (command) => `        ${command.path.at(-1)}) ${functionName(program, command)} ;;`,
  )
  return `  case "$state" in
    command)
      local -a commands=(
${names.join('\n')}
      )
      _describe command commands
      ;;
    arguments)
      case "\${line[1]}" in
${cases.join('\n')}
      esac
      ;;
  esac`
}

function renderOption({ names, description, value }: OptionNode): string[] {
  const text = `[${escapeText(description)}]${value ? `:${escapeText(value.name)}:${actionOf(value)}` : ''}`
  // The others of the same option are not offered again; a long one takes its value after a space or a =.
  const others = names.length > 1 ? `(${names.join(' ')})` : ''
  return names.map((name) => `${others}${name}${value && name.startsWith('--') ? '=' : ''}${text}`)
}

function renderArguments({ arguments: values, commands }: CommandNode): string[] {
  if (commands.length > 0) return ['1: :->command', '*:: :->arguments']
  return values.map((value, index) => `${index + 1}:${escapeText(value.name)}:${actionOf(value)}`)
}

function actionOf({ kind, words }: ArgumentNode): string {
  if (kind === 'words') return `(${words.map((word) => word.replace(/[^\w.-]/g, '\\$&')).join(' ')})`
  return { file: '_files', directory: '_files -/', any: ' ' }[kind]
}

/** What ends a description in a specification. */
function escapeText(text: string): string {
  return text.replace(/[[\]:\\]/g, '\\$&')
}

function functionName(program: string, { path }: CommandNode): string {
  return `_${[program, ...path].join('_').replace(/\W/g, '_')}`
}
