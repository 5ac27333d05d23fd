// Drawing workflows as people do it: with the mouse, with the keyboard, in two tabs at once.
import { expect, test } from '../support/journey.ts';
import { CanvasPage, RunPage, centre, isLive, open } from '../support/pages.ts';
import type { Server, WorkflowFile } from '../support/server.ts';
import { chain } from '../support/workflows.ts';
import type { Page } from '../support/journey.ts';

/// The form of what is selected.
const properties = (page: Page) => page.getByRole('complementary', { name: 'Properties' });

const saved = (page: Page) => expect(page.getByText(/^Saved \d\d:\d\d$/)).toBeVisible();

/// What the server has.
async function stored(server: Server, id: string): Promise<WorkflowFile> {
  const { drawing, workflow, ...rest } = (await server.get(`/api/v1/workflows/${id}`)) as Record<string, unknown>;
  return (drawing ?? workflow ?? rest) as WorkflowFile;
}

test('draw, save, run, see the output', async ({ page, server, shot }) => {
  await open(page, '/workflows');
  await page.getByRole('button', { name: 'New workflow' }).click();
  await page.waitForURL(/\/workflows\/[0-9a-f-]{36}/);
  const id = page.url().split('/').pop() as string;
  const canvas = new CanvasPage(page);
  await expect(canvas.canvas()).toBeVisible();
  await isLive(page);
  await expect(page.getByRole('button', { name: 'Run', exact: true })).toBeDisabled();
  await shot('empty-canvas');

  const palette = page.getByRole('navigation', { name: 'Add a step' });
  await palette.getByRole('button', { name: 'Add agent' }).click();
  await expect(canvas.node('agent')).toBeVisible();
  await palette.getByRole('button', { name: 'Add output' }).click();
  await expect(canvas.node('output')).toBeVisible();

  // The output goes to the right of the agent, by its head.
  const agent = await canvas.node('agent').boundingBox();
  const grip = canvas.node('output').locator('.node-title');
  if (!agent) throw new Error('the agent is not on the page');
  await canvas.dragTo(grip, { x: agent.x + agent.width + 140, y: agent.y + 60 });
  await canvas.drag(canvas.port('agent', 'out'), canvas.port('output', 'in'));
  await expect(canvas.edge('agent.out->output.in')).toBeAttached();
  await shot('connected');

  // What is missing stands beside its field.
  await canvas.node('agent').click();
  const form = properties(page);
  await expect(form.getByRole('heading', { level: 2 })).toBeVisible();
  await expect(page.getByRole('button', { name: /problem/ })).toBeVisible();
  await form.getByLabel('Title').fill('Poet');
  await form.getByLabel('Prompt').fill('Write a short poem about the sea.');
  await canvas.node('output').click();
  await form.getByLabel('Value').fill('{{ nodes.agent.output }}');
  await expect(page.getByRole('button', { name: 'No problems' })).toBeVisible();
  await saved(page);
  await shot('drawn-and-saved');

  await page.getByRole('button', { name: 'Run', exact: true }).click();
  const run = new RunPage(page);
  await run.isOpen();
  await run.ends('succeeded');
  const output = run.panel().getByRole('region', { name: 'Output' });
  expect((await output.innerText()).length).toBeGreaterThan(40);
  await expect(run.node('agent')).toHaveAttribute('data-status', 'succeeded');
  await shot('its-output');

  // The drawing is what was drawn, after a reload too.
  await open(page, `/workflows/${id}`);
  await expect(canvas.nodes()).toHaveCount(2);
  await expect(canvas.node('agent')).toContainText('Poet');
  await expect(canvas.edge('agent.out->output.in')).toBeAttached();
  expect(await stored(server, id)).toMatchObject({
    nodes: [{ id: 'agent', title: 'Poet' }, { id: 'output' }],
    edges: [{ from: 'agent', to: 'output' }],
  });
  await shot('after-reload');
});

test('a circle and a second edge are refused while they are drawn, and the reason is shown', async ({ page, server, shot }) => {
  const id = await server.createWorkflow(chain('No circles'));
  await open(page, `/workflows/${id}`);
  const canvas = new CanvasPage(page);
  await canvas.control('fit').click();
  await expect(canvas.port('third', 'out')).toBeVisible();

  // Backwards: the reason stands at the pointer before the button is let go.
  const start = await centre(canvas.port('third', 'out'));
  const end = await centre(canvas.port('first', 'in'));
  await page.mouse.move(start.x, start.y);
  await page.mouse.down();
  await page.mouse.move(start.x + 10, start.y + 10);
  await page.mouse.move(end.x, end.y, { steps: 15 });
  await expect(page.locator('[data-connection-line]')).toHaveAttribute('data-state', 'refused');
  await expect(page.locator('.canvas-hint')).toHaveText(/circle.*First → Second → Third/);
  await shot('a-circle-is-refused');
  await page.mouse.up();
  await expect(page.locator('[data-connection-line]')).toHaveCount(0);
  await expect(canvas.edge('third.out->first.in')).toHaveCount(0);

  // The same edge twice.
  const from = await centre(canvas.port('first', 'out'));
  const to = await centre(canvas.port('second', 'in'));
  await page.mouse.move(from.x, from.y);
  await page.mouse.down();
  await page.mouse.move(from.x + 10, from.y + 40, { steps: 3 });
  await page.mouse.move(to.x, to.y, { steps: 10 });
  await expect(page.locator('.canvas-hint')).toHaveText(/connected already/);
  await shot('a-duplicate-is-refused');
  await page.mouse.up();
  await expect(page.locator('[data-connection-line]')).toHaveCount(0);
  await expect(page.locator('[data-edge-id]')).toHaveCount(3);
  // The next edit is stored with whatever came before it.
  await canvas.node('first').locator('.node-title').click();
  await page.keyboard.press('Control+d');
  await expect(canvas.nodes()).toHaveCount(5);
  await expect.poll(async () => (await stored(server, id)).nodes.length).toBe(5);
  expect((await stored(server, id)).edges).toHaveLength(3);
});

test('undo, redo, delete', async ({ page, server, shot }) => {
  const id = await server.createWorkflow(chain('Back and forth'));
  await open(page, `/workflows/${id}`);
  const canvas = new CanvasPage(page);
  await expect(canvas.nodes()).toHaveCount(4);
  await expect(canvas.control('undo')).toBeDisabled();

  await canvas.node('second').locator('.node-title').click();
  await page.keyboard.press('Delete');
  await expect(canvas.nodes()).toHaveCount(3);
  await expect(canvas.edge('first.out->second.in')).toHaveCount(0);
  await shot('deleted');

  await canvas.control('undo').click();
  await expect(canvas.nodes()).toHaveCount(4);
  await expect(canvas.edge('first.out->second.in')).toBeAttached();
  await expect(canvas.edge('second.out->third.in')).toBeAttached();

  await page.keyboard.press('Control+Shift+Z');
  await expect(canvas.nodes()).toHaveCount(3);
  await page.keyboard.press('Control+Z');
  await expect(canvas.nodes()).toHaveCount(4);

  // A moved node goes back to where it was, and everything is saved as it is now.
  const before = await canvas.node('first').getAttribute('style');
  await canvas.dragTo(canvas.node('first').locator('.node-title'), { x: 500, y: 520 });
  await expect(canvas.node('first')).not.toHaveAttribute('style', before ?? '');
  await canvas.control('undo').click();
  await expect(canvas.node('first')).toHaveAttribute('style', before ?? '');
  await saved(page);
  expect((await stored(server, id)).nodes).toHaveLength(4);
});

test('two tabs change the same workflow: the later one is asked', async ({ page, context, server, watched, shot }) => {
  // The browser reports that the server refused to save over the other version.
  watched.expect(/status of 409/);
  const id = await server.createWorkflow(chain('Two hands'));
  await open(page, `/workflows/${id}`);
  const other = await context.newPage();
  await open(other, `/workflows/${id}`);

  await new CanvasPage(page).node('first').locator('.node-title').click();
  await properties(page).getByLabel('Title').fill('Mine');
  await saved(page);

  await new CanvasPage(other).node('second').locator('.node-title').click();
  await properties(other).getByLabel('Title').fill('Theirs');
  const banner = other.getByRole('alert').filter({ hasText: 'Changed elsewhere' });
  await expect(banner).toBeVisible();
  await banner.getByRole('button', { name: 'Show what differs' }).click();
  await expect(banner).toContainText('first, second');
  await shot('conflict', other);

  await banner.getByRole('button', { name: 'Keep mine as a new version' }).click();
  await expect(banner).toBeHidden();
  await saved(other);
  const { nodes } = (await stored(server, id)) as { nodes: { id: string; title: string }[] };
  expect(nodes.map((node) => node.title).slice(0, 2)).toEqual(['First', 'Theirs']);
});

test('with the keyboard alone: add, connect, find one\'s way', async ({ page, server, shot }) => {
  const id = await server.createWorkflow({
    troupe: 1,
    name: 'Only keys',
    nodes: [
      { id: 'left', kind: 'agent', title: 'Left', capabilities: ['x'], prompt: 'Say something.' },
      { id: 'right', kind: 'output', title: 'Right', value: '{{ nodes.left.output }}' },
    ],
    edges: [],
    layout: { nodes: { left: [0, 0], right: [320, 0] } },
  });
  await open(page, `/workflows/${id}`);
  const canvas = new CanvasPage(page);

  // Tab leads to the canvas and to a step; from there to its ports.
  await canvas.canvas().focus();
  await page.keyboard.press('ArrowRight');
  await expect(canvas.node('left')).toBeFocused();
  await shot('a-step-has-the-focus');
  await canvas.port('left', 'out').focus();
  await page.keyboard.press('Enter');
  await expect(page.locator('[data-connection-line]')).toHaveAttribute('data-state', 'legal');
  await shot('connecting-by-keys');
  await page.keyboard.press('Enter');
  await expect(canvas.edge('left.out->right.in')).toBeAttached();
  await saved(page);
  expect((await stored(server, id)).edges).toMatchObject([{ from: 'left', to: 'right' }]);

  // A new step by its name.
  await canvas.canvas().focus();
  await page.keyboard.press('n');
  const search = page.getByRole('combobox', { name: 'Add a step' });
  await expect(search).toBeFocused();
  await page.keyboard.type('note');
  await shot('search-for-a-step');
  await page.keyboard.press('Enter');
  await expect(canvas.nodes()).toHaveCount(3);

  // What the keys do, and the way to everything else.
  await canvas.canvas().focus();
  await page.keyboard.press('?');
  const sheet = page.getByRole('dialog', { name: 'Keyboard' });
  await expect(sheet).toBeVisible();
  await expect(sheet.getByText('Undo', { exact: true })).toBeVisible();
  await shot('cheat-sheet');
  await page.keyboard.press('Escape');
  await expect(sheet).toBeHidden();

  await page.keyboard.press('Control+k');
  const palette = page.getByRole('dialog').getByRole('combobox');
  await expect(palette).toBeFocused();
  await page.keyboard.type('events');
  await shot('palette');
  await page.keyboard.press('Enter');
  await page.waitForURL('**/events');
  await expect(page.getByRole('heading', { name: 'Events', level: 1 })).toBeAttached();
});
