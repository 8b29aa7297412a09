// @ts-check
/** Colour, space and type, in one place. A page that embeds a component may set `--flowtrail-accent` and its like. */

import { css, unsafeCSS } from '../../vendor/@lit/reactive-element/css-tag.js';

/**
 * Each colour in the light and in the dark.
 *
 * @type {Record<string, readonly [light: string, dark: string]>}
 */
export const COLOURS = {
  background: ['#ffffff', '#0f1216'],
  raised: ['#f7f8fa', '#171b21'],
  sunken: ['#eef0f3', '#1f242c'],
  line: ['#e3e6ea', '#2a3039'],
  /** The edge of what can be filled in, which must be seen. */
  edge: ['#7d8592', '#6c7686'],
  text: ['#14181f', '#e8ebef'],
  muted: ['#5b6472', '#98a2b3'],
  accent: ['#2f5fde', '#7aa2ff'],
  'on-accent': ['#ffffff', '#0f1216'],
  selected: ['#eef3ff', '#1b2438'],
  pending: ['#c2570c', '#fb923c'],
  fulfilled: ['#15803d', '#4ade80'],
  error: ['#b91c1c', '#f87171'],
  aborted: ['#6b7280', '#9ca3af'],
  'error-ground': ['#fdf3f3', '#2a1719'],
  string: ['#1a6b3c', '#86d6a4'],
  number: ['#1f5aa8', '#8fb8ff'],
  literal: ['#8a3ea8', '#d3a0e8'],
};

/** What is read on what: each pair needs a contrast of 4.5. */
export const READ_ON = /** @type {const} */ ([
  ...['background', 'raised', 'sunken', 'selected'].flatMap((ground) =>
    ['text', 'muted', 'accent'].map((text) => [text, ground]),
  ),
  ...['string', 'number', 'literal', 'error', 'fulfilled', 'pending'].map((text) => [text, 'background']),
  ['error', 'error-ground'],
  ['text', 'error-ground'],
  ['on-accent', 'accent'],
  ['background', 'error'],
]);

/** Marks that are seen on a ground: each pair needs a contrast of 3. */
export const SEEN_ON = ['background', 'raised', 'selected'].flatMap((ground) =>
  ['pending', 'fulfilled', 'error', 'aborted', 'accent', 'edge'].map((mark) => [mark, ground]),
);

const colours = Object.entries(COLOURS)
  .map(([name, [light, dark]]) => `--ft-${name}: var(--flowtrail-${name}, light-dark(${light}, ${dark}));`)
  .join('\n');

export const tokens = css`
  :host {
    ${unsafeCSS(colours)}
    --ft-text-size: 0.8125rem;
    --ft-leading: 1.25rem;
    --ft-font: var(--flowtrail-font, system-ui, sans-serif);
    --ft-mono: var(--flowtrail-mono, ui-monospace, 'SF Mono', 'Cascadia Mono', Menlo, Consolas, monospace);
    --ft-radius: 4px;
    --ft-row: 2rem;
    --ft-quick: 120ms;
    --ft-float: 0 4px 16px rgb(0 0 0 / 0.16), 0 0 0 1px var(--ft-line);
  }
  @media (prefers-reduced-motion: reduce) {
    :host {
      --ft-quick: 0ms;
    }
  }
`;
