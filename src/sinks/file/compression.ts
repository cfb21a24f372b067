import { promisify } from 'node:util';
import { deflateRaw, gzip, zstdCompress } from 'node:zlib';

export type Compress = (bytes: Buffer) => Promise<Buffer>;

const gzipped = promisify(gzip) as Compress;
const zstandard = promisify(zstdCompress) as Compress;
const deflated = promisify(deflateRaw) as Compress;

/** In another thread; each call makes something that can be read by itself, and behind others. */
export function compressorOf(compression: 'none' | 'gzip' | 'zstd' | 'deflate'): Compress {
  switch (compression) {
    case 'none':
      return (bytes) => Promise.resolve(bytes);
    case 'gzip':
      return gzipped;
    case 'zstd':
      return zstandard;
    case 'deflate':
      return deflated;
  }
}
