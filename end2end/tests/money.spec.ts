// Providers, prices and budgets, against a model server that has all of them.
import { expect, test } from '../support/journey.ts';
import { type OpenRouter, KEY, openRouter } from '../support/openrouter.ts';
import { RunPage, open } from '../support/pages.ts';
import type { Server, WorkflowFile } from '../support/server.ts';

let seller: OpenRouter;
test.beforeEach(async () => {
  seller = await openRouter(0.8);
});
test.afterEach(async () => {
  await seller.close();
});

function twoSteps(name: string, model: string): WorkflowFile {
  const step = (id: string, title: string, prompt: string) => ({
    id,
    kind: 'agent',
    title,
    capabilities: ['writing'],
    prompt,
    model: `openrouter:${model}`,
    max_tokens: 1000,
    retry: { attempts: 1 },
  });
  return {
    troupe: 1,
    name,
    nodes: [step('say', 'Say it', 'Say something about echoes'), step('again', 'Say it again', 'Again: {{ nodes.say.output }}')],
    edges: [{ from: 'say', to: 'again' }],
  };
}

/// Sets the provider up as a program does, for journeys that are about something else.
async function provide(server: Server): Promise<void> {
  const response = await fetch(`${server.url}/api/v1/providers`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'openrouter', kind: 'openrouter', base_url: seller.url, key: KEY, default_model: 'acme/echo', private: true }),
  });
  expect(response.status).toBe(201);
}

test('set a provider up, test it, find a model', async ({ page, shot, watched }) => {
  // What the server refuses browsers write to their consoles: the address, and what a wrong key may spend.
  watched.expect(/422 .*save_provider/, /503 .*provider_quota/);
  await open(page, '/settings');
  await page.getByRole('button', { name: 'Add provider' }).click();
  const form = page.getByRole('dialog', { name: 'Add provider' });
  await form.getByLabel('Name').fill('openrouter');
  await form.getByLabel('Base URL').fill(seller.url);
  await form.getByLabel('Key').fill('sk-or-v1-wrong');
  await form.getByRole('button', { name: 'Save' }).click();
  // An address in this machine is taken only from whoever says that it is theirs.
  await expect(form.getByRole('alert')).toBeVisible();
  await shot('not-mine');
  await form.getByLabel('The server is mine').check();
  await form.getByRole('button', { name: 'Save' }).click();
  await expect(form).toBeHidden();

  const row = page.getByRole('listitem').filter({ hasText: seller.url });
  await row.getByRole('button', { name: 'Test' }).click();
  await expect(row.getByText(/does not accept the key/)).toBeVisible();
  await shot('wrong-key');
  await row.getByRole('button', { name: 'Edit' }).click();
  const edit = page.getByRole('dialog').filter({ visible: true });
  await edit.getByLabel('Key', { exact: true }).fill(KEY);
  await edit.getByRole('button', { name: 'Save' }).click();
  await expect(edit).toBeHidden();
  await row.getByRole('button', { name: 'Test' }).click();
  await expect(row.getByText(/Works: 4 models/)).toBeVisible();
  // What it may spend is asked anew with the new key; the dashboard warns too.
  await expect(row.getByText('$0.80 of $10.00 left')).toBeVisible();
  await expect(row.getByText('runs out')).toBeVisible();
  expect(await page.content()).not.toContain(KEY);

  const models = page.getByRole('region', { name: 'Models' });
  await models.getByRole('button', { name: 'Refresh' }).click();
  await models.getByLabel('Name').fill('echo acme');
  await expect(models.getByRole('row')).toHaveCount(2);
  await expect(models.getByRole('row').last()).toContainText('131k');
  await shot('models');

  await open(page, '/');
  const low = page.getByRole('region', { name: 'Keys that run out' });
  await expect(low.getByText(/The key of openrouter has little left: \$0.80 of \$10.00 left/)).toBeVisible();
  await shot('runs-out');
});

test('a run waits at its budget until it is raised', async ({ page, server, shot }) => {
  await provide(server);
  const workflow = await server.createWorkflow(twoSteps('Bounded', 'acme/echo'));
  await open(page, `/workflows/${workflow}`);
  await page.getByRole('button', { name: 'Run with a budget' }).click();
  const dialog = page.getByRole('dialog', { name: 'Run Bounded' });
  await dialog.getByLabel('Dollars at most').fill('0.0115');
  await dialog.getByRole('button', { name: /Run|Start/ }).click();
  const run = new RunPage(page);
  await run.isOpen();
  await expect(page.getByText(/could pass the budget of this run: \$0.0025 of \$0.0115 is spent/)).toBeVisible();
  expect(seller.calls).toHaveLength(1);
  await shot('held');
  await page.getByRole('button', { name: 'Raise the budget' }).click();
  const raise = page.getByRole('dialog', { name: 'Raise the budget of this run' });
  await raise.getByLabel('Dollars at most').fill('0.50');
  await raise.getByRole('button', { name: 'Raise and go on' }).click();
  await run.ends('succeeded');
  expect(seller.calls).toHaveLength(2);
  await shot('raised');

  await open(page, '/usage');
  const models = page.getByRole('region', { name: 'By model' });
  await expect(models.getByRole('row').filter({ hasText: 'openrouter:acme/echo' })).toContainText('$0.005');
  await shot('usage');
});

test('a call that broke off says so, shows what came, and what it cost later', async ({ page, server, shot }) => {
  await provide(server);
  const workflow = await server.createWorkflow(twoSteps('Breaks off', 'acme/cut'));
  const id = await server.startRun(workflow);
  await open(page, `/runs/${id}`);
  const run = new RunPage(page);
  await run.ends('failed');
  // The run says it too, with what came.
  await page.getByText('Raw answer').click();
  await expect(page.locator('pre', { hasText: 'An echo' })).toBeVisible();
  await run.task('Say it').first().click();
  await expect(run.panel().getByText(/broke off: the connection was lost in the middle/).first()).toBeVisible();
  await run.panel().getByText('Raw answer').click();
  await expect(run.panel().locator('pre', { hasText: 'An echo' })).toBeVisible();
  // The provider's books say it some seconds later; the page hears of it by itself.
  await expect(page.locator('.run-figures')).toContainText('$0.0042', { timeout: 20_000 });
  await shot('cost-known-later');
});

test('a finished run is played back at no cost', async ({ page, server, shot }) => {
  await provide(server);
  const workflow = await server.createWorkflow(twoSteps('Recorded', 'acme/echo'));
  const id = await server.startRun(workflow);
  await open(page, `/runs/${id}`);
  const run = new RunPage(page);
  await run.ends('succeeded');
  await page.getByRole('button', { name: 'Play back…' }).click();
  const dialog = page.getByRole('dialog', { name: 'Play back' });
  await shot('ask');
  await dialog.getByRole('button', { name: 'Play back' }).click();
  await expect(page).not.toHaveURL(new RegExp(id));
  await run.isOpen();
  await run.ends('succeeded');
  await expect(page.getByText('Played back').first()).toBeVisible();
  expect(seller.calls).toHaveLength(2);
  await shot('played');
});
