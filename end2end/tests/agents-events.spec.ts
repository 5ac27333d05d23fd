// Agents by hand, and the log of everything that happened.
import { expect, test } from '../support/journey.ts';
import { RunPage, isLive, open } from '../support/pages.ts';
import { chain } from '../support/workflows.ts';

test('spawn an agent, hold it, let it work, end it', async ({ page, server, watched, shot }) => {
  // The browser reports refusals of the server, here of a name that is taken.
  watched.expect(/status of 409/);
  await open(page, '/agents');
  await page.getByRole('button', { name: 'Spawn agent' }).click();
  const dialog = page.getByRole('dialog', { name: 'Spawn agent' });
  await dialog.getByLabel('Name').fill('Ada');
  await dialog.getByLabel('Capabilities').fill('research, writing');
  await dialog.getByLabel('Instructions').fill('Short sentences.');
  await shot('spawn-dialog');
  await dialog.getByRole('button', { name: 'Spawn', exact: true }).click();
  await expect(dialog).toBeHidden();
  const row = page.getByRole('list', { name: 'Agents' }).getByRole('listitem').filter({ hasText: 'Ada' });
  await expect(row.locator('.status')).toHaveText('idle');

  // A name is taken only once.
  await page.getByRole('button', { name: 'Spawn agent' }).click();
  await dialog.getByLabel('Name').fill('Ada');
  await dialog.getByRole('button', { name: 'Spawn', exact: true }).click();
  await expect(dialog.getByRole('alert')).toContainText('Ada');
  await shot('the-name-is-taken');
  await page.keyboard.press('Escape');

  await row.getByRole('button', { name: 'Pause Ada' }).click();
  await expect(row.locator('.status')).toHaveText('paused');
  await expect(row.getByRole('button', { name: 'Pause Ada' })).toHaveCount(0);
  await shot('paused');

  // Work for her waits, and the run page says for whom.
  const file = chain('For Ada alone');
  file.nodes = [{ id: 'first', kind: 'agent', title: 'First', agent: 'Ada', prompt: 'Write about {{ input.topic }}' }];
  file.edges = [];
  const run = await server.startRun(await server.createWorkflow(file));
  await open(page, `/runs/${run}?task=first`);
  const watching = new RunPage(page);
  await expect(watching.panel().getByText('Waits for the agent Ada.')).toBeVisible();
  await shot('waits-for-her');

  await open(page, '/agents');
  await row.getByRole('button', { name: 'Resume Ada' }).click();
  await open(page, `/runs/${run}`);
  await watching.ends('succeeded');

  await watching.task('First').click();
  await watching.panel().getByRole('link', { name: 'Ada' }).click();
  await expect(page.getByRole('heading', { name: 'Ada', level: 1 })).toBeVisible();
  await expect(page.getByText('Short sentences.')).toBeVisible();
  await shot('her-page');

  await page.getByRole('button', { name: 'Terminate Ada' }).first().click();
  const asked = page.getByRole('dialog', { name: 'Terminate Ada' });
  await asked.getByRole('button', { name: 'Terminate Ada' }).click();
  await expect(page.locator('.page-head .status')).toHaveText('terminated');
  await expect(page.getByRole('button', { name: 'Resume Ada' })).toHaveCount(0);
  await open(page, '/agents');
  await expect(row).toHaveCount(0);
  await page.getByRole('link', { name: 'Also ended' }).click();
  await expect(row.locator('.status')).toHaveText('terminated');
  await shot('also-ended');
});

test('the log: filters in the address, live on top, everything as data', async ({ page, server, shot }) => {
  const workflow = await server.createWorkflow(chain('Something to log'));
  const first = await server.startRun(workflow);
  await open(page, '/events');
  const rows = page.getByRole('list', { name: 'Events' }).getByRole('listitem');
  await expect(rows.filter({ hasText: 'workflow.completed' })).toHaveCount(1, { timeout: 30_000 });

  await page.getByRole('combobox', { name: 'Type' }).selectOption('task.completed');
  await expect(page).toHaveURL(/type=task\.completed/);
  await expect(rows).toHaveCount(4);
  await expect(rows.filter({ hasNotText: 'task.completed' })).toHaveCount(0);
  await shot('filtered');

  // What comes now passes the same filter.
  const second = await server.startRun(workflow);
  expect(second).not.toBe(first);
  await expect(rows).toHaveCount(8, { timeout: 30_000 });

  await page.reload();
  await isLive(page);
  await expect(rows).toHaveCount(8);
  await page.goBack();
  await page.goForward();

  await page.getByRole('combobox', { name: 'Severity' }).selectOption('error');
  await expect(page.getByText('No event fits these filters.')).toBeVisible();
  await page.getByRole('combobox', { name: 'Severity' }).selectOption('');
  await expect(rows).toHaveCount(8);

  await rows.first().getByRole('button', { name: /^Raw/ }).click();
  await expect(rows.first().locator('pre')).toContainText('"type": "task.completed"');
  await shot('raw');

  await rows.first().getByRole('link', { name: 'run' }).click();
  await expect(page).toHaveURL(new RegExp(`/runs/${second}`));
  await expect(page.getByRole('heading', { name: 'Something to log' })).toBeVisible();
});
