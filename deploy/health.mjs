// The container's own health check: exit code 0 while the process of this container is ready. A worker is asked at its
// roles' ports, whatever else answers; the API at its own.
const { WORKER_ROLES, METRICS_PORT = '9464', API_PORT = '8080', TLS_ENABLED } = process.env;
const [given] = process.argv.slice(2);

/** As worker/main.ts hands them out: its own port first, then those of the roles. */
const ROLES = ['control', 'jobs', 'ingest', 'broker-agent'];
const ofWorker = (roles) =>
  roles.split(',').map((role) => `http://127.0.0.1:${Number(METRICS_PORT) + ROLES.indexOf(role.trim()) + 1}/ready`);
const ofApi = () => [`${TLS_ENABLED === 'true' ? 'https' : 'http'}://127.0.0.1:${API_PORT}/api/ready`];

// The certificate of the API is for its callers' name, not for this address; nothing secret is sent.
if (TLS_ENABLED === 'true') process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';

const urls = given ? [given] : WORKER_ROLES ? ofWorker(WORKER_ROLES) : ofApi();
for (const url of urls) {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(4_000) });
    if (answer.ok) continue;
    console.error(`${url} answers ${answer.status}: ${(await answer.text()).trim().slice(0, 200)}`);
  } catch (error) {
    console.error(`${url} does not answer: ${error.cause?.message ?? error.message}`);
  }
  process.exitCode = 1;
}
