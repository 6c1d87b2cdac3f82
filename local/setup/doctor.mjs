import { components, tableLine, whatToType } from './components.mjs';

// The table of the set-up, changing nothing. Exit code 1 when something is missing.

const missing = [];
for (const component of components) {
  const began = performance.now();
  const found = await component.find();
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  console.log(tableLine(component.name, found, found ? `found, ${seconds} s` : 'missing'));
  if (!found) missing.push({ component });
}
if (missing.length > 0) {
  console.log('\n`npm start` and `npm test` install what is missing; by hand:');
  console.log(whatToType(missing));
  process.exitCode = 1;
}
