/** The options that messages name; options of app.yml. */
export const CA_OPTION = 'staging_ca_file'
export const HOSTS_OPTION = 'staging_allowed_hosts'
