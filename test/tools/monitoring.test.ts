import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { makeTempDir } from '../support/temp-dir.ts';

const PLACES = [process.env['TICKLOG_PROMTOOL'] ?? '', '/usr/bin/promtool'];
const promtool = PLACES.find((path) => path !== '' && existsSync(path));
if (promtool === undefined) {
  console.warn(
    '\nSKIPPED: no promtool is installed (looked for $TICKLOG_PROMTOOL and in /usr/bin): ALERT RULES AND EXPRESSIONS ' +
      'OF THE DASHBOARD ARE NOT TESTED. .ci/run gets it; by hand: apt-get install prometheus\n',
  );
}

const ALERTS = pathOf('../../docs/monitoring/alerts.yml');
const CASES = pathOf('./alerts-cases.yml');

interface Place {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly datasource: { readonly type: string; readonly uid: string };
  readonly gridPos: Place;
  readonly targets: readonly { readonly refId: string; readonly expr: string }[];
}

interface Dashboard {
  readonly panels: readonly Panel[];
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly type: string }[];
  };
}

const dashboardText = readFileSync(pathOf('../../docs/monitoring/grafana-dashboard.json'), 'utf8');
const { panels, templating } = JSON.parse(dashboardText) as Dashboard;

function pathOf(relative: string): string {
  return fileURLToPath(new URL(relative, import.meta.url));
}

/** Fails with all that promtool has to say, unless it finds everything in order. */
function expectGood(...args: readonly string[]): void {
  const { status, stdout, stderr } = spawnSync(promtool ?? '', args, { encoding: 'utf8' });
  expect(status, stdout + stderr).toBe(0);
}

describe('the alert rules', () => {
  test.skipIf(promtool === undefined)('are such that Prometheus takes them', () => {
    expectGood('check', 'rules', ALERTS);
  });

  test.skipIf(promtool === undefined)(
    'fire when they are to, in these words, and at no other time',
    () => {
      expectGood('test', 'rules', CASES);
    },
  );

  test('are all tried in a case where they fire, and in one where they do not', () => {
    const { groups } = parse(readFileSync(ALERTS, 'utf8')) as {
      groups: { rules: { alert: string }[] }[];
    };
    const { tests } = parse(readFileSync(CASES, 'utf8')) as {
      tests: { alert_rule_test: { alertname: string; exp_alerts: unknown[] }[] }[];
    };
    const cases = tests.flatMap((each) => each.alert_rule_test);
    const tried = (fires: boolean): Set<string> => {
      const these = cases.filter(({ exp_alerts }) => exp_alerts.length > 0 === fires);
      return new Set(these.map(({ alertname }) => alertname));
    };
    const alerts = groups.flatMap(({ rules }) => rules.map(({ alert }) => alert));
    expect(alerts.length).toBeGreaterThan(10);
    expect(tried(true)).toEqual(new Set(alerts));
    expect(tried(false)).toEqual(new Set(alerts));
  });
});

describe('the dashboard', () => {
  test.skipIf(promtool === undefined)('has expressions that Prometheus can parse', async () => {
    await using dir = await makeTempDir();
    const rules = panels.flatMap(({ id, targets }) =>
      targets.map(({ refId, expr }) => ({
        record: `panel:${id}:${refId}`,
        expr: expr.replaceAll('$__rate_interval', '1m'),
      })),
    );
    expect(rules.length).toBeGreaterThan(20);
    const file = join(dir.path, 'rules.yml');
    // YAML takes JSON.
    await writeFile(file, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }));
    expectGood('check', 'rules', file);
  });

  test('has panels with ids of their own, which ask its data source for something', () => {
    const ids = panels.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { title, datasource, targets } of panels) {
      expect(datasource, title).toEqual({ type: 'prometheus', uid: '${datasource}' });
      const refIds = targets.map(({ refId }) => refId);
      expect(refIds.length, title).toBeGreaterThan(0);
      expect(new Set(refIds).size, title).toBe(refIds.length);
    }
  });

  test('has panels that lie beside and below each other, within its 24 columns', () => {
    const meets = (a: Place, b: Place): boolean =>
      a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
    for (const [i, { title, gridPos }] of panels.entries()) {
      expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24);
      const met = panels.slice(i + 1).filter((other) => meets(gridPos, other.gridPos));
      expect(
        met.map((other) => other.title),
        `over ${title}`,
      ).toEqual([]);
    }
  });

  test('uses variables that it has, or that Grafana has', () => {
    const used = [...dashboardText.matchAll(/\$(?:\{(\w+)|(\w+))/g)].map(([, a, b]) => a ?? b);
    const own = templating.list.map(({ name }) => name);
    expect(new Set(used)).toEqual(new Set([...own, '__rate_interval']));
    expect(templating.list.find(({ type }) => type === 'datasource')?.name).toBe('datasource');
  });
});
