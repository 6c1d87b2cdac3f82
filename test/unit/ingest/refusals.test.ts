import { refuse } from '../../../contracts/envelope';
import { Refusals } from '../../../ingest/refusals';

const MINUTE_MS = 60_000;
const TOO_OLD = refuse('too-old', 'ancient');

describe('refusals', () => {
  it('are all counted by reason, and counted once', () => {
    const refusals = new Refusals('der');
    for (let n = 0; n < 25; n += 1) refusals.note(TOO_OLD, 'topic', Buffer.from('{}'), 0);
    refusals.note(refuse('too-large', 'big'), 'topic', Buffer.from('{}'), 0);

    expect(refusals.takeCounts()).toEqual([
      ['too-old', 25],
      ['too-large', 1],
    ]);
    expect(refusals.takeCounts()).toEqual([]);
  });

  it('leave ten samples of each reason in a minute', () => {
    const refusals = new Refusals('der');
    for (let n = 0; n < 25; n += 1) refusals.note(TOO_OLD, 'topic', Buffer.from('{}'), 0);
    refusals.note(refuse('too-large', 'big'), 'topic', Buffer.from('{}'), MINUTE_MS - 1);
    expect(refusals.takeSamples()).toHaveLength(11);

    refusals.note(TOO_OLD, 'topic', Buffer.from('{}'), MINUTE_MS - 1);
    expect(refusals.takeSamples()).toHaveLength(0);

    refusals.note(TOO_OLD, 'topic', Buffer.from('{}'), MINUTE_MS);
    expect(refusals.takeSamples()).toHaveLength(1);
  });

  it('keep a kilobyte of the message and let go of the rest', () => {
    const refusals = new Refusals('der');
    refusals.note(TOO_OLD, 'some/topic', Buffer.alloc(1_000_000, 'x'), 0);
    const [sample] = refusals.takeSamples();

    expect(sample).toMatchObject({ reason: 'too-old', detail: 'ancient', topic: 'some/topic' });
    expect(sample?.payload.length).toBe(1_024);
    expect(sample?.payload.buffer.byteLength).toBeLessThan(100_000);
  });
});
