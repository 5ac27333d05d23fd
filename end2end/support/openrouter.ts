// A model server with prices, as OpenRouter is one: what a call does is in the name of its model.
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export const KEY = 'sk-or-v1-journey-0123456789abcdef';

interface Model {
  id: string;
  name: string;
  prompt: string;
  completion: string;
  context: number;
  supported: string[];
}

const MODELS: Model[] = [
  { id: 'acme/echo', name: 'Acme: Echo', prompt: '0.000001', completion: '0.000010', context: 131_072, supported: ['tools', 'structured_outputs'] },
  { id: 'acme/cut', name: 'Acme: Breaks off', prompt: '0.000001', completion: '0.000010', context: 32_768, supported: [] },
  { id: 'acme/busy', name: 'Acme: Overloaded', prompt: '0.000003', completion: '0.000015', context: 8_192, supported: ['tools'] },
  { id: 'acme/poor', name: 'Acme: No credit left', prompt: '0.00003', completion: '0.00015', context: 200_000, supported: ['tools'] },
];

const COST = 0.0025;

export interface OpenRouter {
  url: string;
  /// Models that were called, in order.
  calls: string[];
  close(): Promise<void>;
}

/// Starts one on a port of its own. `remaining` is what its key may still spend of 10 dollars.
export async function openRouter(remaining = 9.5): Promise<OpenRouter> {
  const calls: string[] = [];
  let count = 0;
  const server = createServer((request, response) => {
    const body: Buffer[] = [];
    request.on('data', (piece: Buffer) => body.push(piece));
    request.on('end', () => {
      count += 1;
      response.setHeader('X-Generation-Id', `gen-${count}`);
      answer(request, Buffer.concat(body).toString(), response, { calls, remaining, id: `gen-${count}` });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/api/v1`,
    calls,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

interface State {
  calls: string[];
  remaining: number;
  id: string;
}

function answer(request: IncomingMessage, body: string, response: ServerResponse, state: State): void {
  const json = (status: number, value: object) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(value));
  };
  const url = new URL(request.url ?? '/', 'http://127.0.0.1');
  if (url.pathname === '/api/v1/models') {
    json(200, {
      data: MODELS.map((model) => ({
        id: model.id,
        name: model.name,
        context_length: model.context,
        pricing: { prompt: model.prompt, completion: model.completion },
        supported_parameters: model.supported,
      })),
    });
    return;
  }
  if (request.headers.authorization !== `Bearer ${KEY}`) {
    json(401, { error: { code: 401, message: `no such key: ${request.headers.authorization}` } });
    return;
  }
  if (url.pathname === '/api/v1/key') {
    json(200, { data: { label: 'journey', limit: 10, limit_remaining: state.remaining, usage: 10 - state.remaining, limit_reset: 'monthly' } });
    return;
  }
  if (url.pathname === '/api/v1/generation') {
    json(200, { data: { id: url.searchParams.get('id'), model: 'acme/cut', total_cost: 0.0042, native_tokens_prompt: 30, native_tokens_completion: 9 } });
    return;
  }
  if (url.pathname !== '/api/v1/chat/completions') {
    json(404, { error: { code: 404, message: 'no such door' } });
    return;
  }
  const asked = JSON.parse(body) as { model: string; models?: string[] };
  // The first that can answer does, as with OpenRouter.
  const model = [asked.model, ...(asked.models ?? [])].find((name) => name !== 'acme/busy' && name !== 'acme/poor') ?? asked.model;
  state.calls.push(model);
  switch (model) {
    case 'acme/busy':
      json(503, { error: { code: 503, message: 'all servers are at work', metadata: { error_type: 'provider_overloaded' } } });
      return;
    case 'acme/poor':
      json(402, { error: { code: 402, message: 'requires more credits, or fewer max_tokens' } });
      return;
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const send = (choice: object, more: object = {}) => response.write(`data: ${JSON.stringify({ id: state.id, model, choices: [{ index: 0, ...choice }], ...more })}\n\n`);
  response.write(': OPENROUTER PROCESSING\n\n');
  send({ delta: { role: 'assistant', content: 'An echo ' }, finish_reason: null });
  if (model === 'acme/cut') {
    setTimeout(() => response.destroy(), 100);
    return;
  }
  send({ delta: { content: 'of what was asked.' }, finish_reason: null });
  send({ delta: { content: '' }, finish_reason: 'stop' });
  send({ delta: { content: '' }, finish_reason: 'stop' }, { usage: { prompt_tokens: 40, completion_tokens: 20, total_tokens: 60, cost: COST, prompt_tokens_details: { cached_tokens: 8 } } });
  response.end('data: [DONE]\n\n');
}
