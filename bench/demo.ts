/*
 * npm run demo: two servers replicate real documents through crashes of both of them. Ends with 0 only
 * when both are equal and hold every write that was acknowledged.
 */
import { Demonstration, WRITERS } from './demo/demonstration.ts';
import { Narrator } from './demo/narrator.ts';
import { Pair } from './support/pair.ts';

/** Nothing should take so long; if it does, that is a failure and not a reason to wait. */
const DEADLINE_MS = 120_000;

async function main(): Promise<boolean> {
  const narrator = new Narrator();
  console.log('ticklog: a leader, a follower, real documents, and two crashes');
  narrator.step('Starting two servers, each with an empty directory');
  await using pair = await Pair.start({ connections: WRITERS + 1 });
  const { leader, follower } = pair;
  for (const { name, endpoint, pid } of [leader, follower]) {
    narrator.say(`${name.padEnd(8)} listens on ${endpoint}, process ${pid}`);
  }
  try {
    const equal = await new Demonstration({ pair, narrator }).run();
    console.log(equal ? '\nEQUAL: nothing was lost.' : '\nDIFFERENT: see above.');
    return equal;
  } catch (error) {
    for (const { name, output } of [leader, follower]) {
      console.error(`\n--- last output of the ${name} ---\n${output}`);
    }
    throw error;
  }
}

const deadline = setTimeout(() => {
  console.error(`\nFAILED: not done after ${DEADLINE_MS / 1000} s`);
  process.exit(1);
}, DEADLINE_MS);
try {
  process.exitCode = (await main()) ? 0 : 1;
} catch (error) {
  console.error('\nFAILED:', error);
  process.exitCode = 1;
} finally {
  clearTimeout(deadline);
}
