import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { renderCompatibilityPage } from '../config/render-compatibility.js'
import { renderErrorsPage, renderOptionsPage } from '../config/render-docs.js'
import { withFindingsTable } from '../doctor/render-findings.js'
import { renderSetupOptionsPage } from '../setup/answers/render-options.js'

/** `npm run docs`: writes the pages that are made from tables. Run from the checkout, after the build. */
async function writePages(): Promise<void> {
  const directory = new URL('../../docs/', import.meta.url)
  await mkdir(directory, { recursive: true })
  const doctor = await readFile(new URL('doctor.md', directory), 'utf8')
  const compatibility = await readFile(new URL('compatibility.md', directory), 'utf8')
  for (const [name, page] of [
    ['options.md', renderOptionsPage()],
    ['errors.md', renderErrorsPage()],
    ['setup-options.md', renderSetupOptionsPage()],
    // Only its table is made.
    ['doctor.md', withFindingsTable(doctor)],
    ['compatibility.md', renderCompatibilityPage(compatibility)],
  ] as const) {
    const file = fileURLToPath(new URL(name, directory))
    await writeFile(file, page)
    process.stdout.write(`${file}\n`)
  }
}

await writePages()
