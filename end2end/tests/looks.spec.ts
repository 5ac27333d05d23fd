// Every page, wide and narrow, light and dark: screenshots for people to look at, and what can be checked
// without eyes: nothing sticks out sideways, every page has a title and one main heading.
import { expect, test } from '../support/journey.ts';
import { open } from '../support/pages.ts';
import { chain } from '../support/workflows.ts';

const looks = [
  { name: 'wide-light', viewport: { width: 1280, height: 800 }, colorScheme: 'light' },
  { name: 'wide-dark', viewport: { width: 1280, height: 800 }, colorScheme: 'dark' },
  { name: 'narrow-light', viewport: { width: 390, height: 844 }, colorScheme: 'light' },
  { name: 'narrow-dark', viewport: { width: 390, height: 844 }, colorScheme: 'dark' },
] as const;

for (const { name, viewport, colorScheme } of looks) {
  test.describe(name, () => {
    test.use({ viewport, colorScheme, tps: 0 });

    test(`every page, ${name}`, async ({ page, server, shot }) => {
      const workflow = await server.createWorkflow(chain());
      const run = await server.startRun(workflow);
      await expect(async () => {
        expect(((await server.get(`/api/v1/runs/${run}`)) as { status: string }).status).toBe('succeeded');
      }).toPass();
      const pages = [
        ['home', '/'],
        ['workflows', '/workflows'],
        ['editor', `/workflows/${workflow}`],
        ['runs', '/runs'],
        ['run', `/runs/${run}`],
        ['run-task', `/runs/${run}?task=second`],
        ['agents', '/agents'],
        ['events', '/events'],
        ['settings', '/settings'],
        ['storage', '/settings/storage'],
      ] as const;
      for (const [label, path] of pages) {
        await open(page, path);
        await expect(page).toHaveTitle(/\S+ · Troupe$/);
        await expect(page.getByRole('heading', { level: 1 })).toHaveCount(1);
        const sideways = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        expect(sideways, `${label} sticks out sideways`).toBeLessThanOrEqual(0);
        await shot(label);
      }
      await expect(page.getByRole('navigation', { name: 'Pages' })).toBeVisible();
    });
  });
}
