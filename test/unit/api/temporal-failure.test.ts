import { Client, ServiceError, WorkflowNotFoundError } from '@temporalio/client';
import { connectLazily } from '../../../temporal/client-connection';
import { temporalFailureOf } from '../../../api/temporal/temporal-failure';
import {
  createWorkflowGateway,
  type JobRunStarterPort,
  type WorkflowStarterPort,
} from '../../../api/temporal/workflow-gateway';
import { DermsError } from '../../../domain/errors';

/** What gRPC throws, as far as the client's own tests of it look. */
const grpc = (code: number, details = 'said the server'): Error =>
  Object.assign(new Error(details), { code, details, metadata: {} });
const service = (code: number): Error => new ServiceError('failed', { cause: grpc(code) });
const BUSY = 8;

describe('a failed call to Temporal', () => {
  it.each([
    ['no such workflow', new WorkflowNotFoundError('gone', 'control-loop/a', undefined), 'CONTROL_LOOP_NOT_RUNNING'],
    ['no worker to answer', service(9), 'CONTROL_LOOP_NOT_RUNNING'],
    ['the server cannot be reached', service(14), 'TEMPORAL_UNAVAILABLE'],
    ['the deadline is over', service(4), 'TEMPORAL_UNAVAILABLE'],
    ['it was given up', service(1), 'TEMPORAL_UNAVAILABLE'],
    ['anything else', new Error('odd'), 'TEMPORAL_UNAVAILABLE'],
    ['our own bound', new DermsError('TIMED_OUT', 'late'), 'TEMPORAL_UNAVAILABLE'],
    ['a failure that has a name already', new DermsError('FORBIDDEN', 'no'), 'FORBIDDEN'],
  ])('has a name of ours: %s', (_what, error, code) => {
    expect(temporalFailureOf(error).code).toBe(code);
  });
});

describe('a message to a workflow', () => {
  const connection = connectLazily({ address: '127.0.0.1:1', tls: null, apiKey: null }); // lazy, and no message of these goes through it
  const client = new Client({ connection });
  afterAll(() => connection.close());
  const unexpected = () => Promise.reject(new Error('unexpected'));
  const others: WorkflowStarterPort & JobRunStarterPort = {
    startJobRun: unexpected,
    cancelJobRun: unexpected,
    terminateJobRun: unexpected,
    startControlLoop: unexpected,
    startDispatch: unexpected,
    wakeControlLoop: unexpected,
    stopControlLoop: unexpected,
    tellDispatch: unexpected,
  };
  const gatewayFor = (wakeControlLoop: () => Promise<void>) =>
    createWorkflowGateway(connection, client, { ...others, wakeControlLoop });

  it('is sent again while its run goes over into the next', async () => {
    const answers = [service(BUSY), service(BUSY), null];
    await gatewayFor(() => {
      const answer = answers.shift();
      return answer ? Promise.reject(answer) : Promise.resolve();
    }).wakeControlLoop('a');
    expect(answers).toEqual([]);
  });

  it('is given up when that does not end', async () => {
    let sent = 0;
    const gateway = gatewayFor(() => {
      sent += 1;
      return Promise.reject(service(BUSY));
    });
    await expect(gateway.wakeControlLoop('a')).rejects.toMatchObject({ code: 'TEMPORAL_UNAVAILABLE' });
    expect(sent).toBe(4);
  });

  it('is not repeated when it failed otherwise', async () => {
    let sent = 0;
    const gateway = gatewayFor(() => {
      sent += 1;
      return Promise.reject(service(14));
    });
    await expect(gateway.wakeControlLoop('a')).rejects.toMatchObject({ code: 'TEMPORAL_UNAVAILABLE' });
    expect(sent).toBe(1);
  });
});
