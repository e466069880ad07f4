import { type ArgumentNode, type CommandNode, flattenTree, type OptionNode } from '../command-tree.js'

/** The completion for fish. */
export function renderFishCompletion(program: string, tree: CommandNode): string {
  const name = program.replace(/\W/g, '_')
  const nodes = flattenTree(tree)
  const takers = nodes
    .flatMap(({ options }) => options)
    .filter(({ value }) => value !== undefined)
    .flatMap(({ names }) => names)
  return `# Completion of ${program} for fish.
#   ${program} completion fish > ~/.config/fish/completions/${program}.fish

# The commands in the line so far, without options and their values.
function __${name}_words
    set -l skip 0
    for word in (commandline -opc)[2..-1]
        if test $skip = 1
            set skip 0
        else if string match -q -- '-*' $word
            contains -- $word ${[...new Set(takers)].join(' ')}; and set skip 1
        else
            echo $word
        end
    end
end

# Whether they begin with these.
function __${name}_at
    set -l words (__${name}_words)
    set -l last (count $argv)
    test $last -eq 0; and return 0
    test (count $words) -ge $last; and test "$words[1..$last]" = "$argv"
end

# Whether they are these.
function __${name}_ends
    set -l words (__${name}_words)
    test "$words" = "$argv"
end

complete -c ${program} -f
${nodes.flatMap((node) => renderNode(program, name, node)).join('\n')}
`
}

function renderNode(program: string, name: string, node: CommandNode): string[] {
  const words = node.path.join(' ')
  const at = `-n ${quote(`__${name}_at ${words}`.trim())}`
  const ends = `-n ${quote(`__${name}_ends ${words}`.trim())}`
  const commands = node.commands.map(
    ({ path, description }) =>
      `complete -c ${program} ${ends} -a ${quote(path.at(-1) ?? '')} -d ${quote(description)}`,
  )
  const options = node.options.map(
    (option) => `complete -c ${program} ${node.path.length === 0 ? ends : at} ${renderOption(option)}`,
  )
  const values = node.arguments
    .slice(0, 1)
    .filter(({ kind }) => kind !== 'any')
    .map((value) => `complete -c ${program} ${ends} ${renderValue(value).replace(/^-[rx] /, '')}`)
  return [...commands, ...options, ...values]
}

function renderOption({ names, description, value }: OptionNode): string {
  const flags = names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`))
  return [...flags, ...(value ? [renderValue(value)] : []), '-d', quote(description)].join(' ')
}

/** -x: a value, and no file unless said otherwise. */
function renderValue({ kind, words }: ArgumentNode): string {
  if (kind === 'file') return '-r -F'
  if (kind === 'directory') return `-x -a '(__fish_complete_directories)'`
  return kind === 'words' ? `-x -a ${quote(words.join(' '))}` : '-x'
}

/** fish: only the quote itself and the backslash mean something between single quotes. */
function quote(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`
}
