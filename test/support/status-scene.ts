import { expect } from 'vitest';
import { runCli } from './cli-run.ts';
import { command, type Script, startScriptedServer } from './scripted-server.ts';

/** What a scripted server tells of itself. */
export interface Scene {
  readonly logger?: object;
  readonly clients?: readonly object[];
  readonly applier?: object;
  readonly applierConfig?: object;
  readonly version?: object;
  /** What goes over collections. */
  readonly works?: readonly object[];
  readonly counts?: Readonly<Record<string, number>>;
  /** Events that are logged between two looks. */
  readonly written?: number;
}

/** The script of a server of which a status is read. */
export function scriptOf(scene: Scene): Script {
  const { logger, clients = [], applier = {}, applierConfig = {}, counts = {} } = scene;
  const { version = { server: 'arango', version: '1.4.3' } } = scene;
  const names = Object.keys(counts);
  let totalEvents = 44;
  return {
    [`GET ${command('logger-state')}`]: () => ({
      body: {
        state: {
          running: true,
          lastLogTick: '9223372036854775800',
          totalEvents: (totalEvents += scene.written ?? 0),
          firstTick: '1000',
          holeAt: '0',
          ...logger,
        },
        server: { version: '1.4.3', serverId: '41200000000017' },
        clients,
      },
    }),
    [`GET ${command('applier-state')}`]: () => ({
      body: { state: { running: false, lastError: { errorNum: 0 } }, ...applier },
    }),
    [`GET ${command('applier-config')}`]: () => ({ body: applierConfig }),
    'GET /_db/_system/_api/version': ({ query }) => {
      expect(query.get('details')).toBe('true');
      return { body: version };
    },
    'GET /_db/_system/_admin/overview': () => ({ body: { works: scene.works ?? [] } }),
    'GET /_db/_system/_admin/statistics': () => ({ body: { server: { uptime: 7800 } } }),
    'GET /_db/_system/_api/collection': ({ query }) => {
      expect(query.get('excludeSystem')).toBe('true');
      const collections = names.map((name, i) => ({ name, type: i % 2 === 0 ? 2 : 3 }));
      return { body: { collections, result: collections } };
    },
    ...Object.fromEntries(
      names.map((name) => [
        `GET /_db/_system/_api/collection/${name}/count`,
        () => ({ body: { count: counts[name] } }),
      ]),
    ),
  };
}

/** What `ticklog status` prints of it, with ENDPOINT in place of its endpoint. */
export async function status(scene: Scene): Promise<string> {
  await using server = await startScriptedServer(scriptOf(scene));
  const { code, stdout, stderr } = await runCli(['status', '--server.endpoint', server.endpoint]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout.replace(server.endpoint, 'ENDPOINT');
}
