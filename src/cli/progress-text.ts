import { counted, nounFor } from '../base/words.ts';
import type { CollectionProgress, ProgressFigures, ResumedFrom } from './progress.ts';
import {
  byteRateText,
  bytesText,
  durationText,
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

/**
 * `copying (24 %): 42 s left, 25.1 MiB/s, 1.20 k/s, 3 of 10 collections, 1.20 M of 5.00 M documents, 340 MiB of
 * 1.40 GiB; in work: orders (45 %)`; what is not known is left out.
 */
export function progressLine(figures: ProgressFigures): string {
  const { phase, collectionsDone, collectionsExpected } = figures;
  const collections =
    collectionsExpected === undefined
      ? ''
      : `${collectionsDone} of ${counted(collectionsExpected, 'collection')}, `;
  const working = figures.inWork
    .map((each) => `${each.name}${percentOf(each)}`)
    .slice(0, IN_WORK_NAMED)
    .join(', ');
  return (
    `${phase}${percentOf(figures)}: ${speedText(figures)}${collections}${amountText(figures)}` +
    (working === '' ? '' : `; in work: ${working}`)
  );
}

/** `1.20 M of 5.00 M documents, 340 MiB of 1.40 GiB`; documents where any are counted. */
export function amountText(amount: Omit<CollectionProgress, 'name'>): string {
  const { documentsDone, documentsExpected, bytesDone, bytesExpected } = amount;
  const noun = nounFor(documentsExpected ?? documentsDone, 'document');
  const documents = `${roughCount(documentsDone)}${ofText(documentsExpected, roughCount)} ${noun}`;
  if (bytesDone === 0 && bytesExpected === undefined) return documents;
  return `${documents}, ${bytesText(bytesDone)}${ofText(bytesExpected, bytesText)}`;
}

/** `resumed from what was copied before: 3 collections, 1.20 M documents, 340 MiB`. */
export function resumedText({ collections, documents, bytes }: ResumedFrom): string {
  return (
    `resumed from what was copied before: ${counted(collections, 'collection')}, ` +
    `${roughCount(documents)} ${nounFor(documents, 'document')}, ${bytesText(bytes)}`
  );
}

/** `42 s left, 25.1 MiB/s, 1.20 k/s, `: what is known of it. */
export function speedText(figures: ProgressFigures): string {
  const { documentsPerSecond: documents = 0, bytesPerSecond: bytes = 0, secondsLeft } = figures;
  return [
    ...(secondsLeft === undefined ? [] : [`${durationText(secondsLeft)} left`]),
    ...(bytes === 0 ? [] : [byteRateText(bytes)]),
    ...(documents === 0 ? [] : [rateText(documents)]),
  ]
    .map((part) => `${part}, `)
    .join('');
}

const IN_WORK_NAMED = 4;

function ofText(expected: number | undefined, print: (value: number) => string): string {
  return expected === undefined ? '' : ` of ${print(expected)}`;
}

function percentOf(amount: Omit<CollectionProgress, 'name'>): string {
  const fraction = fractionOf(amount);
  return fraction === undefined ? '' : ` (${percentText(fraction, 1)})`;
}
