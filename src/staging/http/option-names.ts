/** The options that messages name; options of app.yml. */
export const CA_OPTION = 'transfer_ca_file'
export const HOSTS_OPTION = 'transfer_hosts'
