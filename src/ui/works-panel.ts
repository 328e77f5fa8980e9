import { byId, make, setList, setShown, setText } from './dom.ts';
import { counted, number, share } from './format.ts';
import type { WorkProgress } from './types.ts';
import { paceWords, workWords } from './words.ts';

/** Shows what goes over whole collections, whoever asked for it; nothing while nothing does. */
export function showWorks(works: readonly WorkProgress[]): void {
  setShown(byId('works'), works.length > 0);
  setList(
    byId('works-rows'),
    works.map((work, i) => ({ ...work, key: `${i}:${workWords(work)}` })),
    {
      keyOf: ({ key }) => key,
      create: (work) => {
        const bar = make('progress', '');
        bar.max = 1;
        bar.setAttribute('aria-label', workWords(work));
        return make('div', 'work', make('span', '', workWords(work)), bar, make('span', 'num'));
      },
      update: (row, work) => {
        const { documentsDone, documentsExpected } = work;
        const [, bar, text] = row.children;
        if (bar instanceof HTMLProgressElement)
          bar.value = share(documentsDone, documentsExpected) ?? 0;
        const words = `${number(documentsDone)} of ${counted(documentsExpected, 'document')}`;
        if (text) setText(text, `${words}${paceWords(work)}`);
      },
    },
  );
}
