/**
 * To be imported by tests that have npm fetch from the real registry. `npm test` takes NODE_EXTRA_CA_CERTS out of the tests'
 * environment: where it names the system's whole list every Node that starts reads that, which takes longer than the start itself.
 */
const kept = process.env.MAGNETAR_TEST_AUTHORITIES
if (kept !== undefined) process.env.NODE_EXTRA_CA_CERTS = kept
