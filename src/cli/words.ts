export { counted } from '../base/words.ts';
