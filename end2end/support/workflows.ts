// Workflows for journeys that are not about drawing one.
import type { WorkflowFile } from './server.ts';

/// Three agents one after the other, and an output.
export function chain(name = 'A chain of three'): WorkflowFile {
  return {
    troupe: 1,
    name,
    inputs: [{ name: 'topic', type: 'string', required: true, default: 'lighthouses' }],
    nodes: [
      { id: 'first', kind: 'agent', title: 'First', capabilities: ['research'], prompt: 'Research this topic: {{ input.topic }}' },
      { id: 'second', kind: 'agent', title: 'Second', capabilities: ['writing'], prompt: 'Write about: {{ nodes.first.output }}' },
      { id: 'third', kind: 'agent', title: 'Third', capabilities: ['writing'], prompt: 'Summarise: {{ nodes.second.output }}' },
      { id: 'done', kind: 'output', title: 'Done', value: '{{ nodes.third.output }}' },
    ],
    edges: [
      { from: 'first', to: 'second' },
      { from: 'second', to: 'third' },
      { from: 'third', to: 'done' },
    ],
    layout: { nodes: { first: [0, 0], second: [280, 0], third: [560, 0], done: [840, 0] } },
  };
}
