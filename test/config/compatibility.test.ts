import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { OPTION_GROUPS } from '../../src/config/options/index.js'
import { renderCompatibilityPage } from '../../src/config/render-compatibility.js'

const page = readFileSync(new URL('../../docs/compatibility.md', import.meta.url), 'utf8')

/** Of pulsar-app 0.16.0: its sample files and its code; the peers' test compares with the code itself. */
const PULSAR_OPTIONS = `
  staging_directory private_token persistence_directory tool_config_files tool_config_file managers manager job_managers_config assign_ids
  galaxy_home debug maximum_stream_size job_directory_mode send_stdout_update stdout_update_interval stdout_update_timeout
  stdout_update_chunk_size tool_dependency_dir dependency_resolution dependency_resolvers dependency_resolvers_config_file
  use_tool_dependencies use_cached_dependency_manager tool_dependency_cache_dir precache_dependencies conda_prefix conda_exec conda_debug
  conda_ensure_channels conda_auto_init conda_auto_install conda_copy_dependencies conda_use_local conda_use_path_exec
  conda_condarc_override conda_mapping_files job_metrics_config_file job_metrics object_store_config_file object_store_config
  object_store_* file_cache_dir user_auth sentry_dsn sentry_event_level ensure_cleanup logging log_level container_resolvers
  container_image_cache_path message_queue_url message_queue_consume message_queue_publish amqp_key_prefix amqp_consumer_timeout
  amqp_publish_* amqp_acknowledge amqp_ack_republish_time amqp_durable amqp_heartbeat amqp_connect_ssl_* status_outbox_drain_interval
  message_queue_credentials_file message_queue_username message_queue_password relay_topic_prefix relay_long_poll_timeout
  message_queue_publish_capabilities type name galaxy_virtual_env galaxy_config_file galaxy_dataset_files_path
  galaxy_datatypes_config_file tmp_dir env_* cvmfsexec min_polling_interval preprocess_action_max_retries
  preprocess_action_interval_start preprocess_action_interval_step preprocess_action_interval_max postprocess_action_max_retries
  postprocess_action_interval_start postprocess_action_interval_step postprocess_action_interval_max num_concurrent_jobs
  native_specification job_name_template monitor production chown_working_directory_script drmaa_launch_script drmaa_kill_script
  user_mapping_script user_mapping_timeout job_plugin shell_plugin shell_* job_* submit_* host port ssl_pem http socket logto
  buffer-size level`
  .trim()
  .split(/\s+/)

const rows = page.split('\n').flatMap((line) => {
  const [, name, status = '', why = ''] = /^\| `([^`]+)` \| ([^|]*) \| ?(.*?) ?\|$/.exec(line) ?? []
  return name === undefined ? [] : [{ name, status, why }]
})

describe('docs/compatibility.md', () => {
  it('has the table that the options give', () => {
    expect(page, 'run: npm run build && npm run docs').toBe(renderCompatibilityPage(page))
  })

  it('names every option of the Python Pulsar', () => {
    const named = new Set(rows.map(({ name }) => name))
    expect(PULSAR_OPTIONS.filter((name) => !named.has(name))).toEqual([])
  })

  it('names none of our own', () => {
    const own = OPTION_GROUPS.flatMap(({ options }) =>
      Object.entries(options).flatMap(([name, option]) => (option.own ? [name] : [])),
    )
    expect(own).toContain('transfers_at_once')
    expect(rows.filter(({ name }) => own.includes(name))).toEqual([])
  })

  it('says why of everything that has no effect or is not yet there', () => {
    const silent = rows.filter(({ status, why }) => status !== 'honoured' && why.length < 10)
    expect(silent).toEqual([])
    for (const { status } of rows) expect(status).toMatch(/^(honoured|accepted, no effect|not yet)$/)
  })
})
