import { type Check, error, ok, type Verdict, warning } from './check.ts';
import { configure, cures, list, setVariable } from './cures.ts';
import { isOn, type ServerFacts, setting } from './facts.ts';

// Whether the server writes a binlog, and what it writes into it.

export const binlog: Check = {
  code: 'BINLOG',
  atStart: 'stop',
  look: ({ server }) =>
    server.binlogEnabled
      ? [ok('the server writes a binary log')]
      : [
          error(
            'the server writes no binary log (log_bin is OFF): there is nothing to read',
            configure('log_bin = binlog'),
          ),
        ],
};

export const binlogStorage: Check = {
  code: 'BINLOG_STORAGE',
  atStart: 'stop',
  look({ server }) {
    const engine = setting(server, 'binlog_storage_engine');
    if (engine === '') return [];
    return [
      error(
        `the binlog is kept in ${engine} (binlog_storage_engine), where the files and offsets that positions are made of do not exist`,
        configure("binlog_storage_engine = ''"),
      ),
    ];
  },
};

/**
 * Not a reason to stop at the start: the source stops by itself at the first statement that changes a watched table, and a binlog
 * that is read from an earlier position may have been written with another setting.
 */
export const binlogFormat: Check = {
  code: 'BINLOG_FORMAT',
  atStart: 'warn',
  look({ server }) {
    const format = setting(server, 'binlog_format');
    // Servers that have no other format have no variable.
    if (format === '' || format === 'ROW') return [ok('binlog_format is ROW')];
    return [
      error(
        `binlog_format is ${format}: the server logs statements instead of the rows they change, and reading stops at the first one ` +
          'that changes a watched table. Sessions that are open keep the old format: let them connect again',
        setVariable(server, 'binlog_format', 'ROW'),
      ),
    ];
  },
};

/** MySQL alone shows what sessions have chosen for themselves. */
export const binlogSessions: Check = {
  code: 'BINLOG_SESSIONS',
  atStart: null,
  look({ sessions, server }) {
    if (sessions === null) return [];
    const image = setting(server, 'binlog_row_image');
    const verdict = (found: typeof sessions, what: string): Verdict[] =>
      found.length === 0
        ? []
        : [
            warning(
              `open sessions ${list(found.map(({ id }) => String(id)))} ${what}`,
              cures(found.map(({ id }) => `KILL ${id};`)),
            ),
          ];
    const verdicts = [
      ...verdict(
        sessions.filter(({ logged }) => !logged),
        'have sql_log_bin = OFF: nothing that they change is ever in the binlog',
      ),
      ...verdict(
        sessions.filter(({ logged, binlogFormat: format }) => logged && format !== 'ROW'),
        'have a binlog_format of their own that is not ROW: reading stops at the first statement of theirs that changes a watched table',
      ),
      ...verdict(
        sessions.filter(
          ({ logged, binlogRowImage }) => logged && binlogRowImage !== 'FULL' && binlogRowImage !== image,
        ),
        'have a binlog_row_image of their own that is not FULL: columns are absent from the rows that they change',
      ),
    ];
    return verdicts.length > 0 ? verdicts : [ok('no open session has a binlog format or row image of its own')];
  },
};

export const rowImage: Check = {
  code: 'ROW_IMAGE',
  atStart: 'warn',
  look({ server }) {
    const image = setting(server, 'binlog_row_image');
    if (image === '' || image === 'FULL') return [ok(`binlog_row_image is ${image || 'FULL'}`)];
    const absent =
      image === 'NOBLOB' ? 'BLOB and TEXT columns that did not change are' : 'columns that did not change are';
    // MariaDB 11.4: the row before an update is whole.
    const where = image === 'FULL_NODUP' ? 'what rows are after an update' : 'the rows';
    return [
      warning(
        `binlog_row_image is ${image}: ${absent} absent from ${where}`,
        setVariable(server, 'binlog_row_image', 'FULL'),
      ),
    ];
  },
};

/** MariaDB's FULL_NODUP has the unchanged columns once, in the row before an update. */
function logsWholeRows(image: string): boolean {
  return image === '' || image.startsWith('FULL');
}

/** A JSON diff means nothing without the document that it is applied to. */
export const jsonDiffs: Check = {
  code: 'JSON_DIFFS',
  atStart: 'stop',
  look({ server, tables }) {
    if (!logsJsonDiffs({ server })) return [];
    const image = setting(server, 'binlog_row_image');
    const cure = setVariable(server, 'binlog_row_image', 'FULL');
    const message = `binlog_row_value_options is PARTIAL_JSON and binlog_row_image is ${image}: updates of JSON columns log a difference without the document that it belongs to`;
    const affected = tables?.watched.filter(({ hasJson }) => hasJson) ?? [];
    if (tables !== null && affected.length === 0) {
      return [warning(`${message}. No watched table has a JSON column now`, cure)];
    }
    const names = affected.map(({ database, name }) => `${database}.${name}`);
    return [
      error(
        `${message}, and reading stops there${names.length === 0 ? '' : `. Watched tables with JSON columns: ${list(names)}`}`,
        cure,
      ),
    ];
  },
};

export function logsJsonDiffs({ server }: Pick<ServerFacts, 'server'>): boolean {
  return (
    setting(server, 'binlog_row_value_options').includes('PARTIAL_JSON') &&
    !logsWholeRows(setting(server, 'binlog_row_image'))
  );
}

/** Both servers' default is not FULL, and the schema history is made for that: worth a word, not an alarm, at every start. */
export const rowMetadata: Check = {
  code: 'ROW_METADATA',
  atStart: 'info',
  look({ server }) {
    const metadata = setting(server, 'binlog_row_metadata');
    if (metadata === 'FULL') return [ok('binlog_row_metadata is FULL')];
    const reason =
      'the binlog does not describe the columns of its rows, so table definitions are read from the server and followed through its DDL; reading stops where that is not provably right';
    if (metadata === '') return [warning(`the server has no binlog_row_metadata: ${reason}`, null)];
    return [
      warning(`binlog_row_metadata is ${metadata}: ${reason}`, setVariable(server, 'binlog_row_metadata', 'FULL')),
    ];
  },
};

export const binlogChecksum: Check = {
  code: 'BINLOG_CHECKSUM',
  atStart: 'warn',
  look({ server }) {
    if (server.checksum === 'CRC32') return [ok('binlog_checksum is CRC32, and verified')];
    return [
      warning(
        'binlog_checksum is NONE: damage on the disk or on the way may go unnoticed',
        setVariable(server, 'binlog_checksum', 'CRC32'),
      ),
    ];
  },
};

export const binlogEncryption: Check = {
  code: 'BINLOG_ENCRYPTION',
  atStart: null,
  look: ({ server }) =>
    isOn(setting(server, 'binlog_encryption', 'encrypt_binlog'))
      ? [ok('the binlog files are encrypted on the server; it sends them decrypted')]
      : [],
};

export const binlogCompression: Check = {
  code: 'BINLOG_COMPRESSION',
  atStart: null,
  look({ server }) {
    const name = ['binlog_transaction_compression', 'log_bin_compress'].find((variable) =>
      isOn(setting(server, variable)),
    );
    return name === undefined ? [] : [ok(`${name} is ON, which is supported`)];
  },
};

/**
 * The servers split nothing that is too large for a packet of 1 GiB, so no event can be larger. An update logs a row twice, and a row
 * has at most the size of the packet that wrote it.
 */
export const packetSize: Check = {
  code: 'PACKET_SIZE',
  atStart: null,
  look({ server, eventBytesMax }) {
    const packet = Number(setting(server, 'max_allowed_packet') || '0');
    const needed = Math.min(2 * packet, 1024 ** 3);
    if (packet === 0) return [];
    if (eventBytesMax >= needed) {
      return [ok(`max_allowed_packet is ${packet}, and events of ${eventBytesMax} bytes are accepted`)];
    }
    return [
      warning(
        `max_allowed_packet is ${packet}, so that an update of one row may take ${needed} bytes, and events of ${eventBytesMax} bytes at most are accepted: reading stops at a larger one`,
        `eventBytesMax: ${needed}`,
      ),
    ];
  },
};
