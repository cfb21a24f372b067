import { env } from 'node:process';

const given = env['TIDINGS_SEED'] ?? '';

// Loaded for each file: only when there is something to say.
if (given !== '') {
  const { default: fc } = await import('fast-check');
  fc.configureGlobal({ seed: Number(given) });
}
