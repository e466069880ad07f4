import type { Step } from '../types.js'
import { appYmlStep } from './app-yml.js'
import { directoriesStep } from './directories.js'
import { formerServiceStep } from './former-service.js'
import { launchersStep } from './launchers.js'
import { localEnvStep } from './local-env.js'
import { releaseStep } from './release.js'
import { resolversStep } from './resolvers.js'
import { runtimeStep } from './runtime.js'
import { serverIniStep } from './server-ini.js'
import { supervisorConfStep } from './supervisor-conf.js'
import { supervisorProgramStep } from './supervisor-program.js'
import { systemdUnitStep } from './systemd-unit.js'
import { tlsPemStep } from './tls-pem.js'
import { userStep } from './user.js'

/** Everything that is set up, in this order; services come last, when all that they read is there. */
export const steps: readonly Step[] = [
  userStep,
  directoriesStep,
  runtimeStep,
  releaseStep,
  launchersStep,
  appYmlStep,
  serverIniStep,
  localEnvStep,
  resolversStep,
  supervisorConfStep,
  tlsPemStep,
  formerServiceStep,
  supervisorProgramStep,
  systemdUnitStep,
]
