/** Which way imports may point; the table is in docs/architecture.md. */
const FOLDERS = [
  'domain',
  'contracts',
  'workflows',
  'activities',
  'ingest',
  'api',
  'db',
  'broker',
  'temporal',
  'storage',
  'backups',
  'jobs',
  'config',
  'observability',
  'tls',
  'worker',
  'simulator',
  'servers',
  'local',
  'cli',
  'bench',
  'test',
];
const MAY_IMPORT = {
  domain: [],
  contracts: ['domain'],
  config: ['tls'],
  observability: [],
  tls: ['observability'],
  workflows: ['domain'],
  activities: ['domain', 'contracts', 'jobs'],
  jobs: ['domain', 'contracts', 'storage', 'backups'],
  storage: ['domain', 'config'],
  backups: ['domain', 'contracts', 'servers', 'storage', 'config', 'observability', 'tls'],
  ingest: ['domain', 'contracts', 'observability'],
  db: ['domain', 'contracts', 'observability', 'config', 'tls'],
  broker: ['domain', 'contracts', 'observability', 'tls'],
  temporal: ['workflows', 'observability', 'domain', 'tls'],
  api: ['domain', 'contracts', 'workflows', 'db', 'config', 'observability', 'temporal', 'jobs', 'tls'],
  simulator: ['domain', 'contracts', 'config', 'observability', 'tls'],
  cli: ['contracts', 'config', 'domain', 'storage', 'backups', 'tls', 'temporal'],
  servers: [],
  local: ['config', 'servers'],
};

const arrows = Object.entries(MAY_IMPORT).map(([folder, allowed]) => ({
  name: `${folder}-imports`,
  severity: 'error',
  comment: `${folder}/ may import ${allowed.length > 0 ? allowed.join(', ') : 'nothing of ours'}; main programs join the parts.`,
  from: {
    path: `^${folder}/`,
    pathNot: ['main\\.ts$', 'workflows/.*'].filter((p) => folder !== 'workflows' || p === 'main\\.ts$'),
  },
  to: { path: `^(${FOLDERS.filter((name) => name !== folder && !allowed.includes(name)).join('|')})/` },
}));

module.exports = {
  forbidden: [
    ...arrows.filter(({ name }) => name !== 'workflows-imports'),
    {
      name: 'workflows-imports',
      severity: 'error',
      comment:
        'workflows/ may import domain, activities as types, and the two Temporal packages that run in the sandbox.',
      from: { path: '^workflows/' },
      to: {
        path: '^(contracts|ingest|api|db|broker|temporal|jobs|storage|backups|config|observability|tls|worker|simulator|servers|local|cli|bench|test)/',
      },
    },
    {
      name: 'activities-as-types',
      severity: 'error',
      comment: 'A value import pulls adapters into the workflow bundle.',
      from: { path: '^workflows/' },
      to: { path: '^activities/', preCompilationOnly: false },
    },
    {
      name: 'workflow-packages',
      severity: 'error',
      comment: 'Only what runs in the workflow sandbox.',
      from: { path: '^workflows/' },
      to: { path: 'node_modules/', pathNot: 'node_modules/@temporalio/(workflow|common)/' },
    },
    {
      name: 'api-sees-messages-only',
      severity: 'error',
      comment: 'The API knows the workflows by their public face.',
      from: { path: '^(api|temporal)/' },
      to: { path: '^workflows/', pathNot: '^workflows/messages' },
    },
    {
      name: 'nothing-imports-tests',
      severity: 'error',
      from: { pathNot: '^(test|bench)/' },
      to: { path: '^(test|bench)/' },
    },
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(node_modules|dist|\\.local)/' },
    includeOnly: undefined,
    tsPreCompilationDeps: 'specify',
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { extensions: ['.ts', '.js', '.mjs', '.cjs', '.json'] },
  },
};
