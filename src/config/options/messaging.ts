import { later, type Option } from '../option.js'
import { anything } from '../option-types.js'

const QUIET = { quiet: true } as const
const SECRET = { quiet: true, secret: true } as const

/** Message queue and relay. Only the address asks for something; the rest is about how. */
export const messagingOptions = {
  message_queue_url: later(anything, 'message_queue', 'Address of the AMQP broker, or of a relay (http).', {
    secret: true,
  }),
  message_queue_consume: later(anything, 'message_queue', 'Take jobs from the queue.', QUIET),
  message_queue_publish: later(anything, 'message_queue', 'Publish the states of jobs.', QUIET),
  message_queue_publish_capabilities: later(
    anything,
    'message_queue',
    'Tell the relay what this node can do.',
    QUIET,
  ),
  message_queue_credentials_file: later(anything, 'message_queue', 'Credentials of the relay.', QUIET),
  message_queue_username: later(anything, 'message_queue', 'User of the relay.', QUIET),
  message_queue_password: later(anything, 'message_queue', 'Password of the relay.', SECRET),
  relay_topic_prefix: later(anything, 'message_queue', 'Prefix of topics.', QUIET),
  relay_long_poll_timeout: later(anything, 'message_queue', 'Seconds one poll of the relay waits.', QUIET),
  amqp_key_prefix: later(anything, 'message_queue', 'Prefix of queue names.', QUIET),
  amqp_consumer_timeout: later(anything, 'message_queue', 'Seconds to wait for messages.', QUIET),
  amqp_acknowledge: later(anything, 'message_queue', 'Ask Galaxy to acknowledge states.', QUIET),
  amqp_ack_republish_time: later(anything, 'message_queue', 'Seconds until a state is sent again.', QUIET),
  amqp_durable: later(anything, 'message_queue', 'Queues survive the broker.', QUIET),
  amqp_heartbeat: later(anything, 'message_queue', 'Seconds between heartbeats.', QUIET),
  'amqp_publish_*': later(anything, 'message_queue', 'How messages are published: retries, timeout.', QUIET),
  'amqp_connect_ssl_*': later(anything, 'message_queue', 'TLS towards the broker.', SECRET),
  status_outbox_drain_interval: later(
    anything,
    'message_queue',
    'Seconds between attempts to send kept states.',
    QUIET,
  ),
} as const satisfies Record<string, Option>
