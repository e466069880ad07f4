/** The options that messages name; options of app.yml. */
export const CA_OPTION = 'transfer_ca_file'
export const ANSWER_OPTION = 'transfer_answer_timeout'
export const HOSTS_OPTION = 'transfer_hosts'
