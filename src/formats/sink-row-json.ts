import type { Row } from '../core/change.ts';
import type { NestedPatch, SinkRow, SinkTarget } from '../core/sink.ts';
import { embeddedJson, jsonString } from './json-text.ts';
import { TableEncoders } from './row-encoder.ts';
import { rowEncoding } from './row-lines.ts';

const encoders = new TableEncoders(rowEncoding);

/**
 * A sink's row as one JSON object, in the form of `tidings preview`: docs/reference/cli.md.
 *
 * @throws TidingsError FORMAT_VALUE when a value is not of its column's type
 */
export function sinkRowJson({ target, kind, key, before, after, patches = [] }: SinkRow): string {
  const encoder = encoders.of(target.table);
  const row = (image: Row | null): string => (image === null ? 'null' : encoder.object(image));
  return (
    `{${targetMembers(target)},"op":"${kind}","key":${row(key)},"before":${row(before)},"after":${row(after)}` +
    (patches.length === 0 ? '' : `,"patches":[${patches.map(patchJson).join(',')}]`) +
    `,"options":${JSON.stringify(target.options)}}`
  );
}

/** `"db":"copies","table":"orders"` */
export function targetMembers({ table: { database, name } }: SinkTarget): string {
  return `"db":${jsonString(database)},"table":${jsonString(name)}`;
}

/** Values, keys and elements are JSON text already. */
function patchJson(patch: NestedPatch): string {
  const path = `{"patch":"${patch.kind}","path":${JSON.stringify(patch.path)}`;
  if (patch.kind === 'set') return `${path}${patch.value === null ? '' : `,"value":${embeddedJson(patch.value)}`}}`;
  const members = Object.entries(patch.key).map(([name, value]) => `${jsonString(name)}:${embeddedJson(value)}`);
  const element = patch.kind === 'put' ? `,"element":${embeddedJson(patch.element)}` : '';
  return `${path},"key":{${members.join(',')}}${element}}`;
}
