import { type AddressInfo, createServer, type Server } from 'node:net';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { ChunkedDecoder } from './chunked-decoder.ts';
import { socketGet, type SocketResponse } from './socket-get.ts';

const servers: Server[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
});

/** Answers each connection with these pieces, one write each, and closes it or not. */
async function answering(pieces: readonly string[], { closes = true } = {}): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      const write = (at: number): void => {
        const piece = pieces[at];
        if (piece !== undefined) socket.write(piece, 'latin1', () => setImmediate(() => write(at + 1)));
        else if (closes) socket.end();
      };
      write(0);
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

function get(port: number): Promise<SocketResponse> {
  return socketGet({
    host: '127.0.0.1',
    port,
    path: '/',
    headers: { accept: 'text/plain' },
    signal: new AbortController().signal,
    timeoutMs: 15_000,
    onTimeout: () => new Error('too late'),
  });
}

function read({ body }: SocketResponse): Promise<{ text: string; whole: boolean }> {
  let text = '';
  return new Promise((resolve, reject) => {
    body.start({
      data: (bytes) => {
        text += Buffer.from(bytes).toString('latin1');
        return true;
      },
      end: (whole) => resolve({ text, whole }),
      fail: reject,
    });
  });
}

describe('chunks', () => {
  test('whatever the pieces they come in, the body comes out, and it ends where it ends', () => {
    const chunk = fc.string({ minLength: 1, maxLength: 40, unit: fc.constantFrom('a', '\r', '\n', '0', ';') });
    fc.assert(
      fc.property(
        fc.array(chunk, { maxLength: 6 }),
        fc.constantFrom('', ';name=value', '  '),
        fc.constantFrom('', 'Trailer: x\r\n', 'A: b\r\nC: d\r\n'),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 9 }),
        (chunks, extension, trailer, sizes) => {
          const body = [...chunks, ''].map(
            (text) => `${text.length.toString(16)}${extension}\r\n${text}${text === '' ? '' : '\r\n'}`,
          );
          const bytes = Buffer.from(`${body.join('')}${trailer}\r\n`, 'latin1');
          const decoder = new ChunkedDecoder();
          let text = '';
          for (let at = 0, i = 0; at < bytes.length; i++) {
            const size = sizes[i % sizes.length] ?? 1;
            expect(decoder.done).toBe(false);
            decoder.decode(bytes.subarray(at, at + size), (piece) => {
              text += Buffer.from(piece).toString('latin1');
            });
            at += size;
          }
          expect(decoder.done).toBe(true);
          expect(text).toBe(chunks.join(''));
        },
      ),
    );
  });

  test('what is no chunk is refused', () => {
    const refused = expect.objectContaining({ code: 'PROTOCOL_VIOLATION' });
    for (const text of [
      '\r\n\r\n',
      ';a\r\n\r\n',
      'xyz\r\n',
      '5\r\nabcdefg\r\n',
      `${'0'.repeat(9000)}1\r\n`,
      'ffffffffffffffff\r\n',
    ]) {
      expect(() => new ChunkedDecoder().decode(Buffer.from(text), () => {})).toThrow(refused);
    }
  });
});

describe('answers', () => {
  test('head and body may come in any pieces; a preliminary answer is passed over', async () => {
    const answer =
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n';
    for (const pieces of [[answer], answer.split(''), [answer.slice(0, 60), answer.slice(60)]]) {
      const response = await get(await answering(pieces, { closes: false }));
      expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/plain']);
      expect(await read(response)).toEqual({ text: 'abcde', whole: true });
    }
  });

  test('a body with a length is whole when all of it came, and cut off otherwise; one without either is never known to be whole', async () => {
    const head = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n';
    expect(await read(await get(await answering([head, 'abc', 'de'])))).toEqual({ text: 'abcde', whole: true });
    expect(await read(await get(await answering([head, 'abc'])))).toEqual({ text: 'abc', whole: false });
    expect(await read(await get(await answering(['HTTP/1.0 200 OK\r\n\r\n', 'abc'])))).toEqual({
      text: 'abc',
      whole: false,
    });
    const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n';
    expect(await read(await get(await answering([chunked])))).toEqual({ text: 'abc', whole: false });
  });

  test('what is no HTTP, and a connection that is closed without an answer, is an error', async () => {
    await expect(get(await answering(['SSH-2.0-OpenSSH\r\n\r\n']))).rejects.toMatchObject({
      code: 'PROTOCOL_VIOLATION',
    });
    await expect(get(await answering([]))).rejects.toThrow('without an answer');
    await expect(get(await answering(['HTTP/1.1 200 OK\r\n']))).rejects.toThrow('without an answer');
  });

  test('a receiver that has had enough gets no more until it resumes', async () => {
    const size = 4 * 1024 * 1024;
    const response = await get(
      await answering([`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`, 'x'.repeat(size)]),
    );
    let bytes = 0;
    let paused = false;
    const ended = new Promise<boolean>((resolve, reject) => {
      response.body.start({
        data: (piece) => {
          expect(paused).toBe(false);
          bytes += piece.length;
          paused = true;
          setTimeout(() => {
            paused = false;
            response.body.resume();
          }, 1);
          return false;
        },
        end: resolve,
        fail: reject,
      });
    });
    expect(await ended).toBe(true);
    expect(bytes).toBe(size);
  });
});
