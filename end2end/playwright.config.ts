// How journeys run: one after the other, each file against a server process of its own (support/server.ts),
// in the Chromium that the system has. Never retried: a journey that passes on the second try has found something.
import { defineConfig } from '@playwright/test';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// Screenshots, traces and reports stay out of the checkout.
const artifacts = process.env.TROUPE_ARTIFACTS || join(tmpdir(), 'troupe-artifacts');

export default defineConfig({
  testDir: '.',
  testMatch: '**/*.spec.ts',
  outputDir: join(artifacts, 'journeys'),
  workers: 1,
  fullyParallel: false,
  retries: 0,
  forbidOnly: !!process.env.CI,
  timeout: 60_000,
  expect: { timeout: 10_000 },
  reporter: [['list'], ['json', { outputFile: join(artifacts, 'journeys.json') }]],
  use: {
    browserName: 'chromium',
    viewport: { width: 1280, height: 800 },
    locale: 'en-GB',
    timezoneId: 'UTC',
    screenshot: 'only-on-failure',
    trace: 'retain-on-failure',
    launchOptions: {
      executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
      args: JSON.parse(readFileSync(join(import.meta.dirname, 'support/chromium.json'), 'utf8')) as string[],
    },
  },
});
