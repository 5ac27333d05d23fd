// What takes the space, how long runs are kept, and the way to have old ones go.
import { expect, test } from '../support/journey.ts';
import { open } from '../support/pages.ts';
import { chain } from '../support/workflows.ts';

test('see what takes the space, say how long runs are kept, clean up', async ({ page, server, shot }) => {
  const workflow = await server.createWorkflow(chain('Kept for long'));
  const run = await server.startRun(workflow);
  await expect(async () => {
    expect(((await server.get(`/api/v1/runs/${run}`)) as { status: string }).status).toBe('succeeded');
  }).toPass();
  await open(page, '/settings');
  await page.getByRole('link', { name: /What takes the space/ }).click();
  await expect(page).toHaveURL(/\/settings\/storage$/);
  const runs = page.getByRole('region', { name: 'What runs take, by workflow' });
  await expect(runs.getByRole('row').filter({ hasText: 'Kept for long' })).toContainText('1 run');

  // What cannot be meant is refused where it was written.
  const rules = page.getByRole('region', { name: 'How long runs are kept' });
  await rules.getByLabel('Days', { exact: true }).fill('soon');
  await rules.getByRole('button', { name: 'Save' }).click();
  await expect(rules.getByRole('alert')).toContainText('whole number of days');
  await shot('no-number');

  await rules.getByLabel('Days', { exact: true }).fill('7');
  await rules.getByLabel('Workflows with a rule of their own').selectOption({ label: 'Kept for long' });
  await rules.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText('Saved.')).toBeVisible();
  await page.reload();
  await expect(rules.getByLabel('Days', { exact: true })).toHaveValue('7');
  await expect(rules.getByRole('listitem').filter({ hasText: 'Kept for long' })).toBeVisible();

  // Nothing is old enough: the run stays, and the page says so.
  const clean = page.getByRole('region', { name: 'Cleaning up' });
  await clean.getByRole('button', { name: 'Clean up now' }).click();
  await expect(clean.getByText(/nothing was old enough to go/)).toBeVisible({ timeout: 30_000 });
  await shot('cleaned-up');
  await open(page, `/runs/${run}`);
  await expect(page.getByRole('heading', { name: 'Kept for long' })).toBeVisible();
});
