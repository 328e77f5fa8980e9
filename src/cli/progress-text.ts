import { nounFor } from '../base/words.ts';
import type { CollectionProgress, ProgressFigures, ResumedFrom } from './progress.ts';
import {
  byteRateText,
  bytesText,
  durationText,
  exactCount,
  exactCounted,
  percentText,
  rateText,
  roughCount,
} from './units.ts';

/** How much is done, from 0 to 1; undefined when it cannot be known. Bytes say more than documents. */
export function fractionOf(amount: Omit<CollectionProgress, 'name'>): number | undefined {
  const { documentsDone, documentsExpected, bytesDone, bytesExpected } = amount;
  if (bytesExpected !== undefined && bytesExpected > 0)
    return Math.min(1, bytesDone / bytesExpected);
  if (documentsExpected === undefined || documentsExpected === 0) return undefined;
  return Math.min(1, documentsDone / documentsExpected);
}

/** The same of the whole: what is not complete never rounds to that. */
export function wholeFraction(figures: ProgressFigures): number | undefined {
  const { collectionsDone, collectionsExpected = 0 } = figures;
  const fraction = fractionOf(figures);
  if (fraction === undefined || collectionsDone >= collectionsExpected) return fraction;
  return Math.min(NEARLY, fraction);
}

/**
 * `copying (24 %): 42 s left, 25.1 MiB/s, 1.20 k/s, 3 of 10 collections, 1.20 M of 5.00 M documents, 340 MiB of
 * 1.40 GiB; in work: orders (45 %)`; what is not known is left out.
 */
export function progressLine(figures: ProgressFigures): string {
  const { phase, collectionsDone, collectionsExpected } = figures;
  const parts = [
    ...speedParts(figures),
    ...(collectionsExpected === undefined
      ? []
      : [`${exactCount(collectionsDone)} of ${exactCounted(collectionsExpected, 'collection')}`]),
    ...amountParts(figures),
  ];
  const working = figures.inWork.map(workText).slice(0, IN_WORK_NAMED).join(', ');
  return (
    `${phase}${inBrackets([percentOf(wholeFraction(figures))])}: ${parts.join(', ')}` +
    (working === '' ? '' : `; in work: ${working}`)
  );
}

/** `orders (45 %)`; `orders, indexes (46 %, 141 k of 300 k documents, 12 s left, 13.3 k/s)`. */
function workText(each: CollectionProgress): string {
  const { name, indexing } = each;
  const percent = percentOf(fractionOf(each));
  if (indexing === undefined) return name + inBrackets([percent]);
  const title = `${name}, ${indexing}`;
  return title + inBrackets([percent, ...amountParts(each), ...speedParts(each)]);
}

/** `1.20 M of 5.00 M documents`, `340 MiB of 1.40 GiB`; documents where any are counted. */
export function amountParts(amount: Omit<CollectionProgress, 'name'>): string[] {
  const { documentsDone, documentsExpected, bytesDone, bytesExpected } = amount;
  const noun = nounFor(documentsExpected ?? documentsDone, 'document');
  const documents = `${roughCount(documentsDone)}${ofText(documentsExpected, roughCount)} ${noun}`;
  if (bytesDone === 0 && bytesExpected === undefined) return [documents];
  return [documents, `${bytesText(bytesDone)}${ofText(bytesExpected, bytesText)}`];
}

/** `resumed from what was copied before: 3 collections, 1.20 M documents, 340 MiB`. */
export function resumedText({ collections, documents, bytes }: ResumedFrom): string {
  return (
    `resumed from what was copied before: ${exactCounted(collections, 'collection')}, ` +
    `${roughCount(documents)} ${nounFor(documents, 'document')}, ${bytesText(bytes)}`
  );
}

/**
 * `42 s left`, `25.1 MiB/s`, `1.20 k/s`: what is known of it. While all that is in work is being indexed nothing comes,
 * and how fast it came says nothing.
 */
export function speedParts(figures: Speeds): string[] {
  const { documentsPerSecond = 0, bytesPerSecond = 0, secondsLeft, inWork } = figures;
  const isComing = inWork === undefined || !isIndexing(inWork);
  return [
    ...(secondsLeft === undefined ? [] : [`${durationText(secondsLeft)} left`]),
    ...(bytesPerSecond === 0 || !isComing ? [] : [byteRateText(bytesPerSecond)]),
    ...(documentsPerSecond === 0 || !isComing ? [] : [rateText(documentsPerSecond)]),
  ];
}

type Speeds = Pick<CollectionProgress, 'documentsPerSecond' | 'secondsLeft'> &
  Partial<Pick<ProgressFigures, 'bytesPerSecond' | 'inWork'>>;

/** Whether all that is in work is being indexed. */
export function isIndexing(inWork: readonly CollectionProgress[]): boolean {
  return inWork.length > 0 && inWork.every(({ indexing }) => indexing !== undefined);
}

/** Of the whole, as long as a collection is not done. */
const NEARLY = 0.99;
const IN_WORK_NAMED = 4;

function ofText(expected: number | undefined, print: (value: number) => string): string {
  return expected === undefined ? '' : ` of ${print(expected)}`;
}

function percentOf(fraction: number | undefined): string {
  return fraction === undefined ? '' : percentText(fraction, 1);
}

function inBrackets(parts: readonly string[]): string {
  const said = parts.filter((part) => part !== '').join(', ');
  return said === '' ? '' : ` (${said})`;
}
