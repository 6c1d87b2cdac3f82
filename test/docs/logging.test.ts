import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

const text = (path: string): string => readFileSync(join(__dirname, '../..', path), 'utf8');
const PAGE = text('docs/logging.md');

interface FluentBit {
  readonly pipeline: Readonly<Record<'inputs' | 'filters' | 'outputs', readonly Readonly<Record<string, unknown>>[]>>;
  readonly parsers: readonly Readonly<Record<string, unknown>>[];
}
const fluentBit = parse(text('deploy/logging/fluent-bit.yaml')) as FluentBit;
const named = (list: readonly Readonly<Record<string, unknown>>[], name: string) =>
  list.find((each) => each['name'] === name) ?? {};

describe('the example for Fluent Bit', () => {
  it('parses JSON, and the time as we write it', () => {
    const { parser, key_name: key } = named(fluentBit.pipeline.filters, 'parser');
    expect(key).toBe('log');
    expect(named(fluentBit.parsers, String(parser))).toMatchObject({
      format: 'json',
      time_key: 'time',
      time_format: '%Y-%m-%dT%H:%M:%S.%L%z',
    });
  });

  it('makes labels of the fields with few values, and of no others', () => {
    const labels = String(named(fluentBit.pipeline.outputs, 'loki')['labels']).split(', ');
    expect(labels).toEqual(['service=$service', 'role=$role', 'level=$level']);
    for (const label of labels) expect(PAGE).toContain(`| \`${label.split('=')[0] ?? ''}\` `);
  });

  it('sends what it reads', () => {
    const [{ tag } = {}] = fluentBit.pipeline.inputs;
    expect([...fluentBit.pipeline.filters, ...fluentBit.pipeline.outputs].map(({ match }) => match)).toEqual([
      tag,
      tag,
    ]);
  });
});

it('the example for Loki keeps 30 days, and removes what is older', () => {
  expect(parse(text('deploy/logging/loki.yaml'))).toMatchObject({
    limits_config: { retention_period: '720h' },
    compactor: { retention_enabled: true, delete_request_store: 's3' },
    schema_config: { configs: [{ store: 'tsdb', schema: 'v13', object_store: 's3' }] },
  });
});

it('the page names the fields that the logger fixes', () => {
  for (const field of [
    'service',
    'role',
    'level',
    'time',
    'msg',
    'err',
    'mqttHost',
    'mqttPort',
    'dbHost',
    'feederId',
    'deviceId',
    'workflowId',
    'runId',
    'requestId',
  ])
    expect(PAGE).toMatch(new RegExp(`^\\|[^|]*\`${field}\``, 'm'));
});
