import { quoteForShell } from '../../lib/shell.js'
import { type ArgumentNode, type CommandNode, flattenTree } from '../command-tree.js'

/**
 * The completion for bash, without the bash-completion package. It holds all words itself: asking the program would take a tenth of a
 * second at each Tab.
 */
export function renderBashCompletion(program: string, tree: CommandNode): string {
  const nodes = flattenTree(tree)
  const name = program.replace(/\W/g, '_')
  return `# Completion of ${program} for bash.
#   ${program} completion bash > /etc/bash_completion.d/${program}
# or, for one user: echo 'source <(${program} completion bash)' >> ~/.bashrc

_${name}_values() {
  case "$1" in
${nodes.flatMap(renderValues).join('\n')}
  esac
  return 1
}

_${name}_words() {
  case "$1" in
${nodes.map(renderWords).join('\n')}
  esac
}

_${name}_files() {
  local IFS=$'\\n'
  compopt -o filenames 2> /dev/null
  if [ "$1" = directory ]; then COMPREPLY=($(compgen -d -- "$2")); else COMPREPLY=($(compgen -f -- "$2")); fi
}

_${name}_offer() {
  case "$1" in
    file | directory) _${name}_files "$1" "$2" ;;
    *) COMPREPLY=($(compgen -W "$1" -- "$2")) ;;
  esac
}

_${name}() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous='' path='' word i skip=''
  COMPREPLY=()
  [ "$COMP_CWORD" -gt 0 ] && previous="\${COMP_WORDS[COMP_CWORD-1]}"
  # Readline breaks --prefix=DIR into three words.
  if [ "$current" = '=' ]; then current=''
  elif [ "$previous" = '=' ] && [ "$COMP_CWORD" -gt 1 ]; then previous="\${COMP_WORDS[COMP_CWORD-2]}"; fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    if [ -n "$skip" ]; then [ "$word" = '=' ] || skip=''; continue; fi
    case "$word" in
      -*) _${name}_values "$path $word" > /dev/null && skip=1 ;;
      *) case " $(_${name}_words "commands:$path") " in *" $word "*) path="\${path:+$path }$word" ;; esac ;;
    esac
  done
  local values
  if values="$(_${name}_values "$path $previous")"; then _${name}_offer "$values" "$current"; return; fi
  case "$current" in
    -*) COMPREPLY=($(compgen -W "$(_${name}_words "options:$path")" -- "$current")) ;;
    *)
      values="$(_${name}_words "commands:$path")"
      if [ -n "$values" ]; then COMPREPLY=($(compgen -W "$values" -- "$current"))
      else _${name}_offer "$(_${name}_words "argument:$path")" "$current"; fi
      ;;
  esac
}

complete -F _${name} ${program}
`
}

/** One pattern for all options of a command that take the same kind of value. */
function renderValues({ path, options }: CommandNode): string[] {
  return options.flatMap(({ names, value }) => {
    if (value === undefined) return []
    const patterns = names.map((name) => quoteForShell(`${path.join(' ')} ${name}`)).join(' | ')
    return [`    ${patterns}) echo ${quoteForShell(wordsOf(value))}; return 0 ;;`]
  })
}

function renderWords({ path, options, commands, arguments: values }: CommandNode): string {
  const key = path.join(' ')
  const lines = [
    ['commands', commands.map((command) => command.path.at(-1) ?? '').join(' ')],
    ['options', options.flatMap(({ names }) => names).join(' ')],
    ['argument', values[0] ? wordsOf(values[0]) : ''],
  ] as const
  return lines
    .filter(([, words]) => words !== '')
    .map(([kind, words]) => `    ${quoteForShell(`${kind}:${key}`)}) echo ${quoteForShell(words)} ;;`)
    .join('\n')
}

function wordsOf({ kind, words }: ArgumentNode): string {
  if (kind === 'words') return words.join(' ')
  return kind === 'any' ? '' : kind
}
