/**
 * How long a job takes from its submit to its tool's first line, with a requirement and without, in turn, one at a time (docs/benchmarks.md):
 *
 *   node test/peers/measure-job-start.js URL JOBS NAME=VERSION [URL …]
 *
 * The servers run here, with environments that are there already; with several URLs they take turns. Prints milliseconds.
 */
const [first, count, requirement, ...others] = process.argv.slice(2)
const servers = [first, ...others]
const [name, version] = requirement.split('=')
const description = JSON.stringify({
  requirements: [{ name, type: 'package', version, specs: [] }],
  installed_tool_dependencies: [],
})
/** Builtins of bash: no process is started to tell the time. */
const command = 'echo "$EPOCHREALTIME $CONDA_DEFAULT_ENV"'
const results = servers.map(() => ({ without: [], with: [] }))

for (let index = -2; index < Number(count); index++) {
  for (const [at, url] of servers.entries()) {
    for (const kind of ['without', 'with']) {
      const took = await run(url, `m${index + 2}${kind}`, kind === 'with')
      // The first two warm up.
      if (index >= 0) results[at][kind].push(took)
    }
  }
}
for (const [at, url] of servers.entries()) {
  const differences = results[at].with.map((took, index) => took - results[at].without[index])
  console.log(url, {
    without: summary(results[at].without),
    with: summary(results[at].with),
    added: summary(differences),
  })
}

async function run(url, id, isRequired) {
  await call(url, 'POST', 'jobs', { job_id: id })
  const begunMs = performance.timeOrigin + performance.now()
  await call(url, 'POST', `jobs/${id}/submit`, {
    job_id: id,
    command_line: command,
    ...(isRequired ? { dependencies_description: description } : {}),
  })
  for (;;) {
    const status = JSON.parse(await call(url, 'GET', `jobs/${id}/status`, { job_id: id }))
    if (status.complete === 'true') {
      const [seconds, environment = ''] = status.job_stdout.trim().split(' ')
      if (isRequired !== environment.endsWith(`__${name}@${version}`)) throw new Error(JSON.stringify(status))
      await call(url, 'DELETE', `jobs/${id}`, { job_id: id })
      return Number(seconds) * 1000 - begunMs
    }
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}

async function call(url, method, route, query) {
  const response = await fetch(new URL(`${route}?${new URLSearchParams(query)}`, url), { method })
  const text = await response.text()
  if (!response.ok) throw new Error(`${method} ${route}: ${response.status} ${text}`)
  return text
}

function summary(values) {
  const sorted = values.toSorted((one, other) => one - other)
  const at = (part) => Number(sorted[Math.floor((sorted.length - 1) * part)].toFixed(1))
  return { p10: at(0.1), p50: at(0.5), p90: at(0.9) }
}
