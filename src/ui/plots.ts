import type { SeriesName } from '../model/history-series.ts';
import { type WriteRate, recentRate } from '../model/write-rate.ts';
import { byId, make, setShown, setText } from './dom.ts';
import { bytes, counted, duration, rate } from './format.ts';
import type { History } from './types.ts';
import uPlot from './uplot.js';

/** The colours of the lines of a plot, one after another. */
const COLOURS = ['first', 'second', 'third'] as const;

/** A line of a plot. */
interface Line {
  readonly name: SeriesName;
  /** What the legend says of it. */
  readonly words: string;
}

/** What a plot shows, the first line in the colour of the page. */
interface Plan {
  readonly id: string;
  readonly title: string;
  readonly lines: readonly Line[];
  readonly show: (value: number) => string;
  /** Between two lines of the grid. */
  readonly steps: readonly number[];
}

const HEIGHT = 170;
const AXIS_MIN = 74;
const AXIS_GAP = 10;
const EXPONENTS = Array.from({ length: 15 }, (_, i) => i);
const TENS = EXPONENTS.flatMap((i) => [1, 2, 5].map((each) => each * 10 ** (i - 1)));
const TWOS = EXPONENTS.flatMap((i) => [1, 2, 4, 8].map((each) => each * 16 ** i));
const SECONDS = [
  0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 86_400,
];

const LAG: Plan = {
  id: 'lag',
  title: 'Behind the leader',
  lines: [{ name: 'secondsBehind', words: '' }],
  show: duration,
  steps: SECONDS,
};
const FOLLOWER_LAG: Plan = {
  id: 'follower-lag',
  title: 'Slowest follower',
  lines: [{ name: 'followerTicksBehind', words: '' }],
  show: (value) => counted(Math.round(value), 'tick'),
  steps: TENS.filter((each) => each >= 1),
};
const EVENTS: Plan = {
  id: 'events',
  title: 'Events',
  lines: [
    { name: 'loggedEvents', words: 'logged' },
    { name: 'appliedEvents', words: 'applied' },
  ],
  show: rate,
  steps: TENS,
};
const BYTES: Plan = {
  id: 'bytes',
  title: 'Bytes',
  lines: [
    { name: 'loggedBytes', words: 'logged' },
    { name: 'appliedBytes', words: 'applied' },
    { name: 'syncedBytes', words: 'copied' },
  ],
  show: (value) => `${bytes(value)}/s`,
  steps: TWOS,
};

/** Seconds since 1970, and the numbers of each line. */
type Data = [number[], ...(number | null)[][]];

/** The last minutes of a database as lines. */
export class Plots {
  readonly #plots = [LAG, FOLLOWER_LAG, EVENTS, BYTES].map((plan) => new Plot(plan));
  #history: History | undefined;

  constructor() {
    for (const plot of this.#plots) byId('plots').append(plot.figure);
    const redraw = (): void => {
      for (const plot of this.#plots) plot.renew();
    };
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
    const observer = new ResizeObserver(() => this.#plots.forEach((plot) => plot.fit()));
    for (const plot of this.#plots) observer.observe(plot.figure);
  }

  /** When the newest sample was taken that is known, in seconds since 1970; 0 for none. */
  get newest(): number {
    return this.#history?.times.at(-1) ?? 0;
  }

  /** How fast the log grows, in events; undefined while that is not known. */
  get writeRate(): WriteRate | undefined {
    if (!this.#history) return undefined;
    const { times, series, interval } = this.#history;
    return recentRate(times, series.loggedEvents, interval);
  }

  /** Forgets everything: another database is looked at. */
  clear(): void {
    this.#history = undefined;
  }

  /** Adds what came since `newest`. @param isFollower whether the database follows a leader */
  add(history: History, isFollower: boolean): void {
    this.#history = joined(this.#history, history);
    const { times, interval, capacity } = this.#history;
    const end = times.at(-1) ?? Date.now() / 1000;
    const range = { min: end - interval * capacity, max: end };
    setText(
      byId('plots-note'),
      times.length < 2 ? 'the first numbers are on their way' : `a point every ${interval} s`,
    );
    for (const plot of this.#plots) {
      const { id } = plot.plan;
      const hasFollowers = this.#history.series.followerTicksBehind.some((each) => each !== null);
      const isShown = id === LAG.id ? isFollower : id !== FOLLOWER_LAG.id || hasFollowers;
      if (plot.figure.hidden === isShown) {
        setShown(plot.figure, isShown);
        plot.renew();
      }
      plot.show(this.#history, range);
    }
  }
}

/** What is older than the server keeps goes. */
function joined(known: History | undefined, added: History): History {
  if (!known) return added;
  const { capacity } = added;
  const names = Object.keys(added.series) as SeriesName[];
  const series = Object.fromEntries(
    names.map((name) => [name, [...known.series[name], ...added.series[name]].slice(-capacity)]),
  ) as Record<SeriesName, (number | null)[]>;
  return { ...added, times: [...known.times, ...added.times].slice(-capacity), series };
}

class Plot {
  readonly plan: Plan;
  readonly figure = make('figure', '');
  readonly #values: HTMLElement[];
  readonly #box = make('div', '');
  #plot: uPlot | undefined;
  #data: Data = [[]];
  #range = { min: 0, max: 1 };

  constructor(plan: Plan) {
    this.plan = plan;
    this.#values = plan.lines.map(() => make('span', ''));
    const legends = plan.lines.map(({ words }, i) => {
      const swatch = make('span', `swatch ${COLOURS[i] ?? ''}`);
      const value = this.#values[i] ?? '';
      return make('span', 'legend', ...(words === '' ? [value] : [swatch, words, value]));
    });
    const caption = make('figcaption', '', make('span', 'title', plan.title), ...legends);
    this.figure.append(caption, this.#box);
    this.#box.setAttribute('aria-hidden', 'true');
  }

  show({ times, series }: History, range: { min: number; max: number }): void {
    this.#data = [[...times], ...this.plan.lines.map(({ name }) => [...series[name]])];
    this.#range = range;
    if (this.#plot) {
      this.#plot.setData(this.#data, false);
      this.#plot.setScale('x', range);
    } else this.renew();
    this.#showValues();
  }

  /** Draws anew, in the colours of now. */
  renew(): void {
    this.#plot?.destroy();
    this.#plot = undefined;
    if (this.figure.hidden || this.#data.length < 2) return;
    this.#plot = new uPlot(this.#options(), this.#data, this.#box);
    this.#plot.setScale('x', this.#range);
  }

  fit(): void {
    if (this.figure.hidden) return;
    if (this.#plot) this.#plot.setSize({ width: this.#box.clientWidth, height: HEIGHT });
    else this.renew();
  }

  /** Those below the pointer, or else the newest. */
  #showValues(): void {
    const pointed = this.#plot?.cursor.idx ?? undefined;
    for (const [i, place] of this.#values.entries()) {
      const column = this.#data[i + 1] as (number | null)[] | undefined;
      const value = column?.[pointed ?? column.length - 1] ?? null;
      setText(place, value === null ? '–' : this.plan.show(value));
    }
  }

  #options(): uPlot.Options {
    const { lines, show, steps } = this.plan;
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string): string => style.getPropertyValue(`--${name}`).trim();
    const font = `12px ${style.fontFamily}`;
    const axis: uPlot.Axis = {
      stroke: colour('quiet'),
      font,
      grid: { stroke: colour('grid'), width: 1 },
      ticks: { show: false },
    };
    return {
      width: Math.max(120, this.#box.clientWidth),
      height: HEIGHT,
      padding: [10, 16, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false } },
      hooks: { setCursor: [() => this.#showValues()] },
      scales: {
        x: { auto: false },
        // A line of nothing lies at the bottom, and not in the middle.
        y: { range: (_, __, max) => [0, max > 0 ? max * 1.1 : 1] },
      },
      axes: [
        {
          ...axis,
          space: 70,
          size: 30,
          values: [[1, '{HH}:{mm}', null, null, null, null, null, null, 1]],
        },
        {
          ...axis,
          // There are none yet when it is asked first.
          size: ({ ctx }, labels: readonly string[] | null) => widthOf(ctx, font, labels ?? []),
          space: 28,
          incrs: [...steps],
          values: (_, splits) => splits.map((each) => show(each)),
        },
      ],
      series: [
        {},
        ...lines.map((_, i): uPlot.Series => {
          const stroke = colour(COLOURS[i] ?? 'first');
          return {
            stroke,
            width: 2,
            points: { show: false },
            ...(i === 0 ? { fill: `${stroke}1f` } : {}),
          };
        }),
      ],
    };
  }
}

/** What labels take beside a plot, in pixels; no less than most of them need, so that plots stand below one another. */
function widthOf(ctx: CanvasRenderingContext2D, font: string, labels: readonly string[]): number {
  ctx.save();
  ctx.font = font;
  const widths = labels.map((each) => ctx.measureText(each).width);
  ctx.restore();
  return Math.max(AXIS_MIN, Math.ceil(Math.max(0, ...widths)) + AXIS_GAP);
}
