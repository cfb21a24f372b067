import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';

const BYTES = 4_000_000;

/** A process that writes to its stdout through FdOutput, and tells stderr when it may do other work, and how the write ended. */
function writer(): ReturnType<typeof spawn> {
  const script = `
    import { FdOutput } from ${JSON.stringify(new URL('output.ts', import.meta.url).href)};
    const write = new FdOutput(1, process.stdout).write('x'.repeat(${BYTES}));
    write.then(() => process.stderr.write('written'), (error) => process.stderr.write(error.name));
    setTimeout(() => process.stderr.write('alive '), 50);
  `;
  return spawn(process.execPath, ['--input-type=module', '--eval', script], { stdio: ['ignore', 'pipe', 'pipe'] });
}

test('a reader that stalls does not stop the process, and gets every byte when it reads on', async () => {
  const child = writer();
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  await once(child.stderr ?? child, 'data');
  expect(stderr).toBe('alive ');
  let bytes = 0;
  child.stdout?.on('data', (chunk: Buffer) => (bytes += chunk.length));
  await once(child, 'close');
  expect(bytes).toBe(BYTES);
  expect(stderr).toBe('alive written');
});

test('a reader that goes away ends the write with OutputClosedError', async () => {
  const child = writer();
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  await once(child.stderr ?? child, 'data');
  child.stdout?.destroy();
  await once(child, 'close');
  expect(stderr).toBe('alive OutputClosedError');
});
