/** One process per library, however many managers use it: DRMAA allows a process one session, and the Python Pulsar shares it too. */
import { createLibrary, type DrmaaLibrary, type LibraryOptions } from './library.js'

interface Shared {
  readonly library: DrmaaLibrary
  users: number
}

const shared = new Map<string, Shared>()

/** The library of this process, made when it is first asked for; the last close() of those who asked closes it. */
export function shareLibrary(options: LibraryOptions): DrmaaLibrary {
  const { path } = options
  const mine = shared.get(path) ?? { library: createLibrary(options), users: 0 }
  shared.set(path, mine)
  mine.users += 1
  let open = true
  const { library } = mine
  return {
    open: () => library.open(),
    call: (request) => library.call(request),
    get info() {
      return library.info
    },
    get pid() {
      return library.pid
    },
    close() {
      if (!open) return
      open = false
      mine.users -= 1
      if (mine.users > 0) return
      if (shared.get(path) === mine) shared.delete(path)
      library.close()
    },
  }
}
