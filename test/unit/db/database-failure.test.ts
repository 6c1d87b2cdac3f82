import { databaseFailureOf } from '../../../db/database-failure';

const withCode = (code: string): Error => Object.assign(new Error('said the server'), { code });

describe('a failed query', () => {
  it.each([
    ['the server is shut down', withCode('57P01')],
    ['the server is starting', withCode('57P03')],
    ['all connections are taken', withCode('53300')],
    ['a connection failure of any kind', withCode('08006')],
    ['nobody listens', withCode('ECONNREFUSED')],
    ['the name is not known', withCode('ENOTFOUND')],
    ['migrations have not run', withCode('42P01')],
    ['no connection became free in time', new Error('timeout exceeded when trying to connect')],
    ['the connection broke', new Error('Connection terminated unexpectedly')],
    ['every address of the host refused', new AggregateError([withCode('ECONNREFUSED')])],
  ])('means that Postgres is away: %s', (_what, error) => {
    expect(databaseFailureOf(error)).toBe('unavailable');
  });

  it.each([
    ['the statement timeout', withCode('57014')],
    ['the lock timeout', withCode('55P03')],
    ['a deadlock', withCode('40P01')],
    ['the client gave up', new Error('Query read timeout')],
  ])('means that it took too long: %s', (_what, error) => {
    expect(databaseFailureOf(error)).toBe('timed-out');
  });

  it.each([
    ['a wrong statement', withCode('42601')],
    ['a broken constraint', withCode('23505')],
    ['something else of ours', new Error('undefined is not a function')],
    ['no error at all', 'text'],
  ])('is a bug: %s', (_what, error) => {
    expect(databaseFailureOf(error)).toBeNull();
  });
});
