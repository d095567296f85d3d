import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseEventStream, type ServerSentEvent } from './event-stream.ts';

async function parse(chunks: Uint8Array[]): Promise<ServerSentEvent[]> {
  const events: ServerSentEvent[] = [];
  for await (const event of parseEventStream(toAsync(chunks))) events.push(event);
  return events;
}

async function* toAsync(chunks: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

it('reads events, comments and ids as the standard has them', async () => {
  const text =
    'retry: 1000\n\n: still here\n\nid: 7\nevent: task\ndata: {"a":\ndata: 1}\n\ndata:x\r\n\r\nevent: end\ndata\n\n';
  expect(await parse([new TextEncoder().encode(text)])).toEqual([
    { event: 'task', data: '{"a":\n1}', id: '7' },
    { event: 'message', data: 'x', id: '7' },
    { event: 'end', data: '', id: '7' },
  ]);
});

it('does not care where the network cuts', async () => {
  const bytes = new TextEncoder().encode('id: 1\nevent: task\ndata: ä日\r\n\r\nid: 2\r\ndata: b\n\n');
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: bytes.length - 1 })), async (cuts) => {
      const places = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
      const chunks = places.slice(1).map((end, index) => bytes.subarray(places[index], end));
      expect(await parse(chunks)).toEqual([
        { event: 'task', data: 'ä日', id: '1' },
        { event: 'message', data: 'b', id: '2' },
      ]);
    }),
  );
});
