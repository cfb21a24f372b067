import { ConfiguredServer } from './configured-server.ts';
import { prepareTemplate } from './data-folder.ts';
import { configuredUrl, type ServerFlavour } from './flavour.ts';
import { findInstallation } from './installation.ts';
import { OwnServer, type OwnServerOptions } from './own-server.ts';
import { serverNotOwned } from './server-unavailable.ts';
import type { TestServer } from './test-server.ts';

export interface StartServerOptions extends OwnServerOptions {
  /** The caller wants to restart, kill or configure it: a server that the user named in the environment will not do. */
  readonly owned?: boolean;
}

/**
 * Starts a server of its own: fresh data (unless `dataDir` has some), a free loopback port, row-format binlog, root without a
 * password over TCP, MySQL with GTIDs on. `options` are further server options and win over ours. Names are not resolved: create
 * users at '%' or '127.0.0.1', not at 'localhost'.
 *
 * It lives at most as long as this process, however that ends. A server that the user named in the environment is used instead.
 *
 * @throws ServerUnavailableError when there is none and none can be had, or when it is not ours to configure.
 */
export async function startServer(flavour: ServerFlavour, options: StartServerOptions = {}): Promise<TestServer> {
  const { owned: _, ...ownOptions } = options;
  const url = configuredUrl(flavour);
  if (url === null) return await OwnServer.create(await findInstallation(flavour), ownOptions);
  if (!canBeConfigured(options)) throw serverNotOwned(flavour, 'starting one with options');
  return await ConfiguredServer.connect(flavour, url);
}

/** Whether a server that the user named in the environment will do. */
export function canBeConfigured({ owned, ...ownOptions }: StartServerOptions): boolean {
  return owned !== true && Object.keys(ownOptions).length === 0;
}

/**
 * Does beforehand what takes long: finds or downloads the server and initialises the template. Returns what was found.
 *
 * @throws ServerUnavailableError when there is none and none can be had.
 */
export async function prepareServer(flavour: ServerFlavour): Promise<{ version: string }> {
  const url = configuredUrl(flavour);
  if (url !== null) {
    await using server = await ConfiguredServer.connect(flavour, url);
    return { version: server.version };
  }
  const installation = await findInstallation(flavour);
  await prepareTemplate(installation);
  return { version: installation.version };
}
