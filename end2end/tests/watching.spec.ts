// A run goes on whatever happens to the page: reloads, second tabs, and a server that is killed.
import { expect, test } from '../support/journey.ts';
import { RunPage, isLive, light, open } from '../support/pages.ts';
import { chain } from '../support/workflows.ts';

test.describe('a run that takes its time', () => {
  test.use({ tps: 12 });

  test('reload and a second tab show the running run exactly where it is', async ({ page, context, server, shot }) => {
    test.setTimeout(120_000);
    const id = await server.startRun(await server.createWorkflow(chain()));
    await open(page, `/runs/${id}?task=second`);
    const run = new RunPage(page);
    await expect(run.task('First')).toHaveAttribute('data-status', 'succeeded', { timeout: 40_000 });
    await expect(run.streaming()).toHaveText(/\S+ \S+ \S+/, { timeout: 15_000 });
    const before = await run.streaming().innerText();
    await shot('before-reload');

    await page.reload();
    // Rendered by the server: the task is there and chosen before any script has run.
    await expect(run.task('Second')).toHaveAttribute('aria-selected', 'true');
    await expect(run.task('Second')).toHaveAttribute('data-status', 'running');
    await isLive(page);
    // What was said before the reload is there, and it goes on behind it without a hole.
    await expect(run.streaming()).toHaveText(/^(?!…)[\s\S]{20,}/);
    expect(await run.streaming().innerText()).toContain(before);
    await expect(run.streaming()).not.toHaveText(await run.streaming().innerText());
    await expect(run.streaming()).not.toContainText('…');
    await shot('after-reload');

    const second = await context.newPage();
    await open(second, `/runs/${id}?task=second`);
    const other = new RunPage(second);
    await expect(other.task('Second')).toHaveAttribute('data-status', 'running');
    await expect(other.streaming()).toHaveText(/\S+ \S+/, { timeout: 15_000 });
    await shot('second-tab', second);

    // At the end both say the same, and the same as the log.
    await expect(run.task('Second')).toHaveAttribute('data-status', 'succeeded', { timeout: 40_000 });
    await expect(other.task('Second')).toHaveAttribute('data-status', 'succeeded');
    const told = await run.panel().locator('.transcript').innerText();
    await expect(run.panel().locator('.answer')).toHaveText(/^[^…]/);
    expect(await other.panel().locator('.transcript').innerText()).toBe(told);
    await page.reload();
    expect(await run.panel().locator('.transcript').innerText()).toBe(told);
  });
});

test.describe('a run in the middle', () => {
  test.use({ tps: 25 });

  test('a chosen task stays chosen, Follow takes up the newest one again', async ({ page, server, shot }) => {
    const id = await server.startRun(await server.createWorkflow(chain()));
    await open(page, `/runs/${id}`);
    const run = new RunPage(page);
    await expect(run.panel().getByRole('heading', { name: 'First', exact: true })).toBeVisible();
    const follow = page.getByRole('button', { name: 'Follow' });
    await expect(follow).toHaveAttribute('aria-pressed', 'true');

    await run.task('Third').click();
    await expect(follow).toHaveAttribute('aria-pressed', 'false');
    await expect(run.panel().getByText('Waits for: Second.')).toBeVisible();
    await expect(run.node('third')).toHaveAttribute('data-selected', 'true');
    await shot('a-task-that-waits');

    await follow.click();
    await expect(run.panel().getByRole('heading', { name: /First|Second/ })).toBeVisible();
    await expect(page).not.toHaveURL(/task=/);

    // The keyboard does the same.
    await page.keyboard.press('Escape');
    await expect(run.panel().getByRole('heading', { name: 'The run' })).toBeVisible();
    await page.keyboard.press('j');
    await expect(run.task('First')).toHaveAttribute('aria-selected', 'true');
    await page.keyboard.press('j');
    await expect(page).toHaveURL(/task=second/);
    await page.keyboard.press('f');
    await expect(follow).toHaveAttribute('aria-pressed', 'true');

    await page.getByRole('button', { name: 'Cancel', exact: true }).click();
    const dialog = page.getByRole('dialog', { name: 'Cancel A chain of three?' });
    await expect(dialog).toBeVisible();
    await shot('asks-before-it-cancels');
    await dialog.getByRole('button', { name: 'Cancel the run' }).click();
    await run.ends('cancelled');
    await expect(dialog).toBeHidden();
    await expect(run.panel().getByText('Cancelled by')).toBeVisible();
    await expect(run.task('Third')).toHaveAttribute('data-status', 'cancelled');
    await shot('cancelled');
  });

  test('the server is killed mid-run: the page says so, catches up, and the run completes', async ({ page, server, watched, shot }) => {
    // The browser itself reports each connection that it could not make.
    watched.expect(/WebSocket connection to .* failed/, /Failed to load resource: net::ERR_/);
    const id = await server.startRun(await server.createWorkflow(chain()));
    await open(page, `/runs/${id}`);
    const run = new RunPage(page);
    await expect(run.task('First')).toHaveAttribute('data-status', 'succeeded', { timeout: 30_000 });
    await expect(run.task('Second')).toHaveAttribute('data-status', 'running');
    await expect(run.streaming()).toHaveText(/\S+ \S+/);
    // A reload would take this along.
    await page.evaluate(() => Object.assign(window, { sameDocument: true }));

    await server.kill9();
    await expect(light(page)).toHaveAttribute('data-status', /reconnecting|unreachable/);
    await expect(light(page)).toHaveText(/reconnecting for|server unreachable for/);
    await expect(run.task('First')).toHaveAttribute('data-status', 'succeeded');
    await shot('server-gone');

    await server.up();
    await isLive(page);
    await run.ends('succeeded', 60_000);
    for (const title of ['First', 'Second', 'Third', 'Done']) {
      await expect(run.task(title)).toHaveAttribute('data-status', 'succeeded');
    }
    expect(await page.evaluate(() => 'sameDocument' in window)).toBe(true);
    await shot('completed');

    // What was paid for before the kill was not paid for again.
    const { tasks } = (await server.get(`/api/v1/runs/${id}`)) as {
      tasks: { task: string; attempts: { turns: unknown[] }[] }[];
    };
    const first = tasks.find((task) => task.task === 'first');
    expect(first?.attempts.length).toBe(1);
    expect(first?.attempts[0]?.turns.length).toBe(1);
  });
});

test('an address without a run says so', async ({ page, watched, shot }) => {
  // The browser reports the status of the document.
  watched.expect(/status of 404/);
  for (const path of ['/runs/01890a5d-ac96-774b-bcce-b302099a8057', '/runs/nonsense']) {
    const response = await page.goto(path);
    expect(response?.status()).toBe(404);
    await expect(page.getByText('There is no such run')).toBeVisible();
    await expect(page.getByRole('link', { name: 'All runs' })).toBeVisible();
  }
  await shot('no-such-run');
});
