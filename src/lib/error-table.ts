/**
 * Errors a person reads. Every failure that reaches a user, a client or a log line as "what went wrong" is a
 * MagnetarError with a code from ERRORS; codes are stable, docs/errors.md is generated from this table.
 * Status codes (http) and exit codes (cli) are not known here: those rooms map the codes themselves.
 */

interface ErrorEntry {
  /** What the code means, in one sentence. */
  readonly meaning: string
  /** What to do about it, in one sentence. */
  readonly fix: string
}

export const ERRORS = {
  // Requests
  BAD_REQUEST: {
    meaning: 'A request parameter is missing or cannot be understood.',
    fix: 'The message names the parameter; the REST protocol of Pulsar 0.16.0 says what it must be.',
  },
  JOB_ID_INVALID: {
    meaning: 'A job id is empty, ".", "..", longer than 255 bytes, or contains "/", a backslash or NUL.',
    fix: 'Send an id which is a plain file name.',
  },
  FILE_NAME_INVALID: {
    meaning: 'A file name is empty, contains NUL, has a component longer than 255 bytes, or is only dots.',
    fix: 'Send a relative name below the directory of its type.',
  },
  FILE_TYPE_INVALID: {
    meaning: 'The type of a file is not one that this call knows.',
    fix: 'Use input, config, tool, workdir, metadata, unstructured, jobdir, output, output_workdir, output_metadata or output_jobdir.',
  },
  FILE_OUTSIDE_JOB: {
    meaning: 'A name leads outside the job directory, itself or through a symbolic link.',
    fix: 'Only files below the job directory can be read or written.',
  },
  FILE_NOT_FOUND: {
    meaning: 'The file does not exist.',
    fix: 'Check the name and type; the final status lists what is there.',
  },
  NOT_A_FILE: {
    meaning: 'The name is a directory, a pipe, a socket or a device.',
    fix: 'Only regular files can be sent and received.',
  },
  UPLOAD_INCOMPLETE: {
    meaning: 'The body was shorter or longer than its Content-Length; nothing was stored.',
    fix: 'Send the file again; a file that was there before is untouched.',
  },
  JOB_NOT_SET_UP: {
    meaning: 'The job was submitted before it was set up, and the request has no setup_params.',
    fix: 'Call POST /jobs first, or send setup_params with the submit.',
  },
  JOB_STOPPING: {
    meaning: 'A job of this id was cleaned while it ran, and its processes have not ended yet.',
    fix: 'Send the submit again in a moment; if it stays so, look at the scheduler.',
  },
  JOB_UNKNOWN: {
    meaning: 'There is no record of a job of that id.',
    fix: 'Look at "magnetar jobs --state all"; the message has ids that were perhaps meant.',
  },
  JOB_NOT_RETRIED: {
    meaning: 'The outputs of a job cannot be delivered again.',
    fix: 'The message says why; only a failed job whose directory is still there, and whose outputs this node was to deliver, can be retried.',
  },
  NODE_NOT_RUNNING: {
    meaning: 'The command needs the running server, and there is none behind its control socket.',
    fix: 'Start the service of the node; "magnetar status" says what its records say meanwhile.',
  },
  NODE_SILENT: {
    meaning:
      'Something listens on the control socket of the node, but does not answer in time, or not as a server of this version: the server hangs or was stopped, or another program has its place.',
    fix: 'Run "magnetar doctor"; then restart the server, whose jobs go on. "magnetar status" says what its records say meanwhile.',
  },
  LOG_NOT_FOUND: {
    meaning: 'The log of the server cannot be found or read.',
    fix: 'Set logto in [uwsgi] of server.ini; the message has the file that was looked for.',
  },
  MANAGER_UNKNOWN: {
    meaning: 'No manager of that name is configured.',
    fix: 'Use a name from the managers section of app.yml, or leave /managers/NAME out.',
  },
  TOKEN_REQUIRED: {
    meaning: 'The private token is missing or wrong.',
    fix: 'Send private_token in the query or Authorization: Bearer with the token of app.yml.',
  },
  CACHE_DISABLED: {
    meaning: 'This node has no file cache.',
    fix: 'Set file_cache_dir in app.yml to an existing directory.',
  },
  REQUEST_TIMEOUT: {
    meaning: 'The request stopped arriving before it was complete.',
    fix: 'Send the request again; check the network if it happens often.',
  },
  REQUEST_TOO_LARGE: {
    meaning: 'The request line and headers are longer than 17 MiB together.',
    fix: 'Send files as uploads, not inside the parameters of a submit.',
  },
  UPLOAD_TOO_LARGE: {
    meaning: 'The body of an upload is larger than maximum_upload_size allows.',
    fix: 'Raise maximum_upload_size in app.yml, or take it out: then only the disk is a limit.',
  },
  TOO_MANY_REQUESTS: {
    meaning: 'One address has more requests under way than requests_per_client allows.',
    fix: 'Send the request again after the seconds of Retry-After; raise requests_per_client in app.yml where one address stands for many.',
  },
  OVERLOADED: {
    meaning: 'The server, or one connection, has more requests open than it takes at once.',
    fix: 'Send the request again in a moment, over fewer connections.',
  },
  ROUTE_UNKNOWN: { meaning: 'There is no such path or method.', fix: 'See docs/rest.md for the routes.' },
  // Schedulers
  SCHEDULER_UNSUPPORTED: {
    meaning: 'The manager has a type, job plugin or shell plugin that this release cannot run jobs with.',
    fix: 'Use queued_python, unqueued, slurm, queued_drmaa, or queued_cli with job_plugin Slurm and shell_plugin LocalShell.',
  },
  DRMAA_UNUSABLE: {
    meaning:
      "The DRMAA library of a queued_drmaa manager is missing, cannot be loaded, or ends its process, and Slurm's own commands cannot, or may not, take its place.",
    fix: 'Name the library in drmaa_library_path of the manager, or in DRMAA_LIBRARY_PATH (local_env.sh); "ldd LIBRARY" shows what it lacks itself. On a host with Slurm, type: slurm needs none.',
  },
  // Conda
  CONDA_FAILED: {
    meaning:
      'Conda could not make the environment that a tool requires, or the requirement cannot be a Conda package.',
    fix: 'The message names the package and has what conda said; "magnetar deps install" tries it again at once.',
  },
  CONDA_UNAVAILABLE: {
    meaning: 'There is no Conda that works, or it could not be installed.',
    fix: 'Name one with exec in the resolver file (conda_exec in app.yml), or let the node install one with auto_init.',
  },
  // The node itself
  DISK_FAILED: {
    meaning: 'The operating system could not read or write a file: the disk, or the way to it, is at fault.',
    fix: 'Look at the kernel log (dmesg) and at the mount; the message has what the system said. The same request may be sent again.',
  },
  TOO_MANY_FILES: {
    meaning: 'The server, or the whole host, has as many files open as it may.',
    fix: 'Raise the limit for the service (LimitNOFILE for systemd, minfds for Supervisor). The same request may be sent again.',
  },
  DISK_FULL: {
    meaning: 'The file system has no room or no inodes left, or a quota is used up.',
    fix: 'Free space below the staging directory.',
  },
  STAGING_AWAY: {
    meaning:
      'The staging directory is empty, and the jobs of this node were in it: its file system is not mounted.',
    fix: 'Mount it: the node then goes on by itself. The message has the command for a directory that was emptied on purpose.',
  },
  DIRECTORY_UNUSABLE: {
    meaning: 'A directory of the configuration cannot be made or used.',
    fix: 'Name a directory that the user who runs the server may write to, or make it and give it to that user.',
  },
  CERTIFICATE_UNREADABLE: {
    meaning: 'The file named by ssl_pem cannot be read or used.',
    fix: 'It must hold certificate and key as PEM and be readable by the user that runs the server.',
  },
  TOKEN_MISSING: {
    meaning:
      'The server would listen where other machines reach it, and there is no private token: everybody could run commands.',
    fix: 'Run "magnetar token rotate", or write private_token into app.yml; or listen on localhost.',
  },
  ROOT_REFUSED: {
    meaning: 'The server was started as root: jobs, which are programs of other people, would run as root.',
    fix: 'Start it as a user of its own; in a container that has no other, say so with allow_root.',
  },
  ADDRESS_UNAVAILABLE: {
    meaning: 'The server cannot listen on its address.',
    fix: 'Stop the program that uses the port, or choose another with --port or in server.ini.',
  },
  STORE_LOCKED: {
    meaning: 'Another server already uses this persistence directory.',
    fix: 'Stop the other server, or give this one its own persistence_directory.',
  },
  STORE_BROKEN: {
    meaning: 'The job records in the persistence directory cannot be opened.',
    fix: 'Check the rights of the directory and the disk; the message has the reason.',
  },
  COPY_FAILED: {
    meaning: 'The job records of a stopped server could not be copied to TMPDIR, where they are read.',
    fix: 'Free space there, or name a directory with room for them in TMPDIR.',
  },
  SHUTTING_DOWN: { meaning: 'The server is stopping.', fix: 'Send the request again in a moment.' },
  INTERNAL: {
    meaning: 'The server failed in a way it does not expect.',
    fix: 'The log has the details; please report it.',
  },
  // Configuration
  CONFIG_INVALID: {
    meaning:
      'The configuration has values that cannot be used; the message has file, line, key and what was expected.',
    fix: 'Correct the lines named above. Nothing was started or changed.',
  },
  CONFIG_UNREADABLE: {
    meaning: 'A configuration file that is named somewhere is missing or cannot be read.',
    fix: 'Create the file, correct its name, or make it readable for the user of the server.',
  },
  LOG_UNWRITABLE: {
    meaning: 'The file that the server is to write its log to cannot be opened.',
    fix: 'Make it writable for the user of the server, or name another one as logto in server.ini.',
  },
  LOCAL_ENV_FAILED: {
    meaning: 'local_env.sh ended with an error, did not end, or printed more than it may.',
    fix: 'Run "bash local_env.sh" in the configuration directory and correct what it reports.',
  },
  EDIT_REFUSED: {
    meaning:
      'A configuration file is written in a way that cannot be edited without risk to what stands in it.',
    fix: 'The message says which line; change the file by hand, or simplify that line and repeat the command.',
  },
  // Tool dependencies
  REQUIREMENTS_INVALID: {
    meaning: 'The requirements that came with a job (dependencies_description) cannot be understood.',
    fix: 'The message says which entry and what was expected; they are made by Galaxy from the requirements of the tool.',
  },
  REQUIREMENTS_FAILED: {
    meaning: 'A resolver was to provide what a tool requires, and failed.',
    fix: 'The message has what the resolver said; dependency_failure: ignore in app.yml runs such jobs without.',
  },
  // Setup
  ANSWER_INVALID: {
    meaning: 'A flag, an environment variable or a key of the answers file has a value that cannot be used.',
    fix: 'The message names each of them and what was expected. Nothing was changed.',
  },
  ANSWERS_MISSING: {
    meaning: 'Without a terminal nothing is asked, and something that has no default was not given.',
    fix: 'The message names all that is missing with its flags.',
  },
  SETUP_BUSY: {
    meaning: 'Another setup, upgrade or uninstall of the same node is running.',
    fix: 'Wait until it ends; the message has its process id.',
  },
  SETUP_CONFLICT: {
    meaning:
      'Something on the disk is in the way or was edited by hand, and setup does not replace it by itself.',
    fix: 'Change the answers to what is there, or repeat with --force, which keeps a backup of every file it replaces.',
  },
  SETUP_FAILED: {
    meaning: 'A step of setup failed. The message says what was undone and what is left.',
    fix: 'Correct what the message names and run the same command again: it goes on from what is there.',
  },
  NOT_PERMITTED: {
    meaning: 'The command needs rights that this user does not have.',
    fix: 'Run it as root, or name a prefix that this user may write to.',
  },
  RUNTIME_UNAVAILABLE: {
    meaning: 'The Node.js runtime of the node could not be fetched, copied or started.',
    fix: 'Give one that is there: --node "$(command -v node)", or a tarball fetched elsewhere: --runtime-tarball FILE.',
  },
  SERVICE_FAILED: {
    meaning: 'Supervisor or systemd did not start or stop the node, or the node did not answer in time.',
    fix: 'The message has the last lines of its log.',
  },
  VERIFY_FAILED: {
    meaning: 'The node is set up, but a job sent through it did not end well.',
    fix: 'The message says at which stage; correct that and run setup again.',
  },
  ADOPT_NOT_FOUND: {
    meaning: 'There is no Python Pulsar in the directory that adopt was given, or no service that runs it.',
    fix: 'The message says what was looked for; name another directory, or the service with --service.',
  },
  ADOPT_REFUSED: {
    meaning:
      'The Python Pulsar cannot be taken over, or the site would lose something by it. Nothing was changed.',
    fix: 'The message names all of it.',
  },
  ADOPT_FAILED: {
    meaning: 'The service was given another program, which did not work. The message says what runs now.',
    fix: 'Correct what the last lines of the log say, then run the same command again.',
  },
  NODE_NOT_FOUND: {
    meaning: 'There is no node that setup made at this prefix.',
    fix: 'Name the right one with --prefix or --instance.',
  },
  RELEASE_UNKNOWN: {
    meaning: 'The release is not installed beside the others, or there is none to go back to.',
    fix: 'The message lists what is there.',
  },
} as const satisfies Record<string, ErrorEntry>

export type ErrorCode = keyof typeof ERRORS
