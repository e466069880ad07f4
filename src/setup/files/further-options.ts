import type { Option } from '../../config/option.js'
import { appOptions, managerOptions } from '../../config/options/index.js'
import { quoteYaml } from '../../lib/edit/quote-yaml.js'
import type { Answers, NodePaths } from '../types.js'

/** An option to offer in a new app.yml, with what to show where the default is nothing or is computed. */
type Offer<K extends string> = readonly [key: K, example?: string]

const WIDTH = 100

/** Commented lines with what else app.yml could say at its top, from the option tables. */
export function furtherOptions(paths: Pick<NodePaths, 'var'>): string[] {
  const offers: readonly Offer<keyof typeof appOptions>[] = [
    ['assign_ids'],
    ['debug'],
    ['maximum_stream_size'],
    ['job_directory_mode', '"0755"'],
    ['job_metrics_config_file'],
    ['file_cache_dir', quoteYaml(`${paths.var}/cache`)],
    ['galaxy_home', '/srv/galaxy/server'],
  ]
  const lines = offers.flatMap(([key, example]) => ['', ...offer(key, appOptions[key], example, '')])
  return [
    '',
    '# What else can be set, with its default or an example; "magnetar config docs" tells of all.',
    ...lines,
  ]
}

/** The same of the manager, to stand in its mapping. */
export function furtherManagerOptions({
  manager,
  nativeSpecification,
}: Pick<Answers, 'manager' | 'nativeSpecification'>): string[] {
  const ofSlurm: readonly Offer<string>[] = [
    ...(nativeSpecification === undefined
      ? [['native_specification', '--time=24:00:00 --mem=4G'] as const]
      : []),
    ['job_ncpus', '1'],
    ['min_polling_interval'],
    ['return_code_wait'],
    ['job_name_template'],
  ]
  const offers: readonly Offer<string>[] = [
    ...(manager === 'slurm' ? ofSlurm : []),
    ['env_NAME', '"value"'],
    ['tmp_dir', '/tmp'],
  ]
  const table: Readonly<Record<string, Option>> = managerOptions
  return offers.flatMap(([key, example]) => {
    const option = table[key] ?? table[`${key.split('_')[0]}_*`]
    return option === undefined ? [] : offer(key, option, example, '  ')
  })
}

function offer(key: string, option: Option, example: string | undefined, indent: string): string[] {
  const words = option.description.replaceAll('`', '')
  const { default: preset } = option
  const value = example ?? (typeof preset === 'string' ? quoteYaml(preset) : String(preset))
  return [
    ...wrap(words, WIDTH - indent.length - 2).map((line) => `${indent}# ${line}`),
    `${indent}#${key}: ${value}`,
  ]
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + word.length < width) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}
