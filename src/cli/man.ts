import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Command } from 'commander'
import { programTree } from './completion.js'
import { EXIT } from './exit-codes.js'
import type { Finish } from './program.js'

/** Registers `magnetar man`: shows the manual page in a terminal, prints its source otherwise. */
export function addManCommand(program: Command, finish: Finish): void {
  program
    .command('man')
    .description('show the manual page; into a file or a pipe: its source')
    .addHelpText(
      'before',
      `Examples:
  magnetar man
  magnetar man > /usr/local/share/man/man1/magnetar.1
`,
    )
    .action(async () => {
      const { renderManPage } = await import('./man/page.js')
      const page = renderManPage(programTree(program), program.version() ?? '')
      if (!(process.stdout.isTTY && (await showPage(page)))) process.stdout.write(page)
      finish(EXIT.ok)
    })
}

/** False when there is no man. */
async function showPage(page: string): Promise<boolean> {
  // Ends when the person who reads it ends the pager: no time limit.
  const man = spawn('man', ['-l', '-'], { stdio: ['pipe', 'inherit', 'inherit'] })
  man.stdin.on('error', () => {})
  man.stdin.end(page)
  try {
    const [code] = (await once(man, 'exit')) as [number | null]
    return code === 0
  } catch {
    return false
  }
}
