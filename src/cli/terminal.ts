import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import type { Ask } from './io.ts';

/** Asks on a terminal; what is typed in answer to a hidden question is not shown. */
export function askOn(input: NodeJS.ReadStream, output: Writable): Ask {
  return (question, { isHidden }) =>
    new Promise((resolve) => {
      output.write(question);
      // readline shows what is typed by writing it.
      const echo = isHidden ? new Silence() : output;
      const reader = createInterface({ input, output: echo, terminal: true });
      reader.setPrompt(isHidden ? '' : question);
      let answer: string | undefined;
      reader.once('line', (line) => {
        answer = line;
        reader.close();
      });
      reader.once('SIGINT', () => reader.close());
      reader.once('close', () => {
        if (isHidden || answer === undefined) output.write('\n');
        resolve(answer);
      });
    });
}

class Silence extends Writable {
  override _write(_chunk: Buffer, _encoding: string, callback: () => void): void {
    callback();
  }
}
