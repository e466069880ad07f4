import { probeLaunchConfig } from './launch-probe.js'

/**
 * The launch_config of a job. undefined: there is none, or none that can be read (a Python server was killed while it wrote it).
 * What it says is never quoted: there are keys in it. @throws the system error of a disk that cannot be read just now
 */
export function readLaunchConfig(directory: string): Readonly<Record<string, unknown>> | undefined {
  return probeLaunchConfig(directory).config
}
