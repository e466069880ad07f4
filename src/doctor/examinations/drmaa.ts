import { access } from 'node:fs/promises'
import { defineExamination } from '../define-examination.js'

/** Where slurm-drmaa's packages put it. */
const LIBRARIES = [
  '/usr/lib/slurm-drmaa/lib/libdrmaa.so.1',
  '/usr/lib/x86_64-linux-gnu/libdrmaa.so.1',
  '/usr/lib64/libdrmaa.so.1',
]

/** No defect: DRMAA managers use Slurm's own commands, which `slurm` looks at. */
export const drmaa = defineExamination({
  id: 'drmaa',
  title: 'DRMAA',
  group: 'Slurm',
  findings: {},
  async examine({ config, env }) {
    if (!config?.managers.some(({ type }) => type.startsWith('queued_drmaa')))
      return [{ id: 'drmaa', state: 'left-out', message: 'not used' }]
    const named = env.DRMAA_LIBRARY_PATH
    for (const file of [...(named ? [named] : []), ...LIBRARIES]) {
      const isThere = await access(file).then(
        () => true,
        () => false,
      )
      if (isThere)
        return [
          {
            id: 'drmaa',
            state: 'ok',
            message: `${file} is there, not needed: Slurm's own commands are used`,
          },
        ]
    }
    return [
      { id: 'drmaa', state: 'ok', message: "there is no library, nor a need: Slurm's own commands are used" },
    ]
  },
})
