import { Argument, type Command } from 'commander'
import { SETUP_OPTIONS } from '../setup/answers/options/index.js'
import { type ArgumentNode, type CommandNode, readCommandTree } from './command-tree.js'
import { EXIT } from './exit-codes.js'
import type { Finish } from './program.js'

const SHELLS = ['bash', 'zsh', 'fish'] as const

/** Registers `magnetar completion SHELL`, which prints the script that completes this program there. */
export function addCompletionCommand(program: Command, finish: Finish): void {
  program
    .command('completion')
    .description('print the completion script of a shell')
    .addArgument(new Argument('<shell>', 'the shell').choices(SHELLS))
    .addHelpText(
      'before',
      `Examples:
  magnetar completion bash > /etc/bash_completion.d/magnetar
  magnetar completion zsh > "\${fpath[1]}/_magnetar"
  magnetar completion fish > ~/.config/fish/completions/magnetar.fish
`,
    )
    .action(async (shell: (typeof SHELLS)[number]) => {
      process.stdout.write(await renderCompletion(shell, program))
      finish(EXIT.ok)
    })
}

/** The script for a shell, from the tree of commands. */
export async function renderCompletion(shell: (typeof SHELLS)[number], program: Command): Promise<string> {
  const tree = programTree(program)
  if (shell === 'zsh') {
    const { renderZshCompletion } = await import('./completion/zsh.js')
    return renderZshCompletion(program.name(), tree)
  }
  if (shell === 'fish') {
    const { renderFishCompletion } = await import('./completion/fish.js')
    return renderFishCompletion(program.name(), tree)
  }
  const { renderBashCompletion } = await import('./completion/bash.js')
  return renderBashCompletion(program.name(), tree)
}

/** The tree of commands, with what the option table of setup knows about values. */
export function programTree(program: Command): CommandNode {
  const known = new Map<string, ArgumentNode['kind'] | readonly string[]>()
  for (const { flags, type } of SETUP_OPTIONS) {
    for (const { flag } of flags) known.set(flag, type.completes === 'nothing' ? 'any' : type.completes)
  }
  return readCommandTree(program, (name) => known.get(name))
}
