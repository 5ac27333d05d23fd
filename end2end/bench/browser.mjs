// The product's own page in a browser, watching one answer being written whose every word is the moment at which it was
// sent: how old words are when they stand in the page. The next frame paints them.
import { chromium } from '@playwright/test';
import { readFileSync } from 'node:fs';

const args = JSON.parse(readFileSync(new URL('../support/chromium.json', import.meta.url), 'utf8'));
const executablePath = process.env.CHROMIUM || '/usr/bin/chromium';

/** Opens the page of a run at its step `a`; `ages` tells how old words were that came since it was asked last. */
export async function watch(server, run) {
  const browser = await chromium.launch({ executablePath, args });
  const page = await browser.newPage();
  await page.goto(`${server.url}/runs/${run}?task=a`);
  await page.locator('.streaming pre').first().waitFor();
  await page.evaluate(() => {
    globalThis.ages = [];
    let known = 0;
    const look = () => {
      const text = document.querySelector('.streaming pre')?.textContent ?? '';
      // What is behind the last space may go on.
      const end = text.lastIndexOf(' ');
      if (end > known) {
        const at = performance.timeOrigin + performance.now();
        for (const word of text.slice(known, end).split(' ')) if (word !== '') globalThis.ages.push(at - Number(word));
        known = end;
      }
    };
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true });
  });
  return {
    ages: () => page.evaluate(() => globalThis.ages.splice(0)),
    close: () => browser.close(),
  };
}
