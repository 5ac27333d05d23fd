// The list of workflows: bringing files in and out, copying, deleting and taking that back.
import { readFile } from 'node:fs/promises';
import { expect, test } from '../support/journey.ts';
import { isLive, open } from '../support/pages.ts';
import { chain } from '../support/workflows.ts';

interface List {
  items: { id: string; name: string }[];
}

test('a broken file: every problem is listed, nothing is stored', async ({ page, server, shot }) => {
  const before = (await server.get('/api/v1/workflows')) as List;
  await open(page, '/workflows');
  const broken = {
    troupe: 1,
    name: 'Broken in five ways',
    nodes: [
      { id: 'a', kind: 'agent', capabilities: ['x'], prompt: '{{ nodes.nobody.output }}' },
      { id: 'b', kind: 'transform', template: 'b {{ nodes.a.output }}' },
      { id: 'b', kind: 'teleport' },
      { id: 'c', kind: 'agent', capabilities: ['x'] },
    ],
    edges: [
      { from: 'a', to: 'b' },
      { from: 'b', to: 'a' },
      { from: 'a', to: 'nowhere' },
    ],
  };
  await page.getByLabel('Workflow file').setInputFiles({
    name: 'broken.json',
    mimeType: 'application/json',
    buffer: Buffer.from(JSON.stringify(broken)),
  });
  const dialog = page.getByRole('dialog', { name: 'broken.json was not imported' });
  await expect(dialog).toBeVisible();
  await expect(dialog.getByText('Nothing was stored.')).toBeVisible();
  const problems = dialog.getByRole('list', { name: 'Problems' }).getByRole('listitem');
  expect(await problems.count()).toBeGreaterThanOrEqual(5);
  for (const about of [/teleport/, /nowhere/, /nobody/, /prompt/]) {
    await expect(problems.filter({ hasText: about }).first()).toBeVisible();
  }
  await shot('problems-of-a-broken-file');
  await page.keyboard.press('Escape');
  await expect(dialog).toBeHidden();

  // Something that is no workflow at all.
  await page.getByLabel('Workflow file').setInputFiles({
    name: 'holiday.json',
    mimeType: 'application/json',
    buffer: Buffer.from('{"troupe": 1, "nodes": ['),
  });
  await expect(page.getByRole('dialog', { name: 'holiday.json was not imported' })).toBeVisible();
  await shot('no-json');

  const after = (await server.get('/api/v1/workflows')) as List;
  expect(after.items.map((item) => item.id).sort()).toEqual(before.items.map((item) => item.id).sort());
});

test('export, import, duplicate, delete and undo', async ({ page, server, shot }) => {
  await server.createWorkflow(chain('Round trip'));
  await open(page, '/workflows');
  const rows = page.getByRole('list', { name: 'Workflows' }).getByRole('listitem');
  const row = rows.filter({ hasText: 'Round trip' });

  const download = page.waitForEvent('download');
  await row.getByRole('button', { name: 'Export Round trip' }).click();
  const path = await (await download).path();
  const text = await readFile(path, 'utf8');
  expect(JSON.parse(text)).toMatchObject({ troupe: 1, name: 'Round trip' });

  await page.getByLabel('Workflow file').setInputFiles({ name: 'back.json', mimeType: 'application/json', buffer: Buffer.from(text) });
  await page.waitForURL(/\/workflows\/[0-9a-f-]{36}/);
  await shot('imported-and-open');

  await open(page, '/workflows');
  await expect(row).toHaveCount(2);
  await row.first().getByRole('button', { name: 'Duplicate Round trip' }).click();
  await expect(row).toHaveCount(3);
  await shot('three-of-them');

  await row.first().getByRole('button', { name: /^Delete/ }).click();
  await expect(row).toHaveCount(2);
  await page.getByRole('button', { name: 'Undo' }).click();
  await expect(row).toHaveCount(3);

  // The search is in the address, so it survives a reload.
  await page.getByRole('searchbox', { name: 'Search workflows' }).fill('three experts');
  await expect(rows).toHaveCount(1);
  await expect(page).toHaveURL(/q=three/);
  await page.reload();
  await isLive(page);
  await expect(rows).toHaveCount(1);
  await shot('found');
});
