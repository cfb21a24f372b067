import { CanalEncoder } from './canal.ts';
import { DebeziumEncoder } from './debezium.ts';
import { JsonEncoder } from './json.ts';
import { KeysEncoder } from './keys.ts';
import type { LineEncoder, LineEncoderOptions } from './line-encoder.ts';
import { MaxwellEncoder } from './maxwell.ts';

/** Every format of lines, by the name that `--format` takes. */
export type LineFormat = 'json' | 'keys' | 'debezium' | 'maxwell' | 'canal';

const LINE_FORMATS: Readonly<Record<LineFormat, (options: LineEncoderOptions) => LineEncoder>> = {
  json: () => new JsonEncoder(),
  keys: (options) => new KeysEncoder(options),
  debezium: (options) => new DebeziumEncoder(options),
  maxwell: (options) => new MaxwellEncoder(options),
  canal: (options) => new CanalEncoder(options),
};

export const LINE_FORMAT_NAMES: readonly string[] = Object.keys(LINE_FORMATS);

export function isLineFormat(name: string): name is LineFormat {
  return Object.hasOwn(LINE_FORMATS, name);
}

export function createLineEncoder(format: LineFormat, options: LineEncoderOptions): LineEncoder {
  return LINE_FORMATS[format](options);
}
