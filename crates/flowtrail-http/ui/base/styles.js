// @ts-check
/** What all components have in common: text, buttons, fields, tables. */

import { css } from '../../vendor/@lit/reactive-element/css-tag.js';

export const common = css`
  :host {
    display: block;
    box-sizing: border-box;
    color: var(--ft-text);
    font: var(--ft-text-size) / var(--ft-leading) var(--ft-font);
    text-align: start;
  }
  :host([hidden]),
  [hidden] {
    display: none !important;
  }
  *,
  *::before,
  *::after {
    box-sizing: border-box;
  }
  h1,
  h2,
  h3,
  p,
  ul,
  ol,
  dl,
  dd,
  figure,
  pre {
    margin: 0;
    padding: 0;
  }
  ul,
  ol {
    list-style: none;
  }
  h1 {
    font-size: 1.25rem;
    line-height: 1.75rem;
    font-weight: 600;
  }
  h2 {
    font-size: 0.9375rem;
    line-height: 1.5rem;
    font-weight: 600;
  }
  h3 {
    font-size: var(--ft-text-size);
    line-height: var(--ft-leading);
    font-weight: 600;
  }
  a {
    color: var(--ft-accent);
    text-decoration: none;
  }
  a:hover,
  p a {
    text-decoration: underline;
  }
  code,
  pre,
  kbd,
  .mono {
    font-family: var(--ft-mono);
    font-size: 0.75rem;
  }
  .number {
    font-variant-numeric: tabular-nums;
    text-align: end;
  }
  .muted {
    color: var(--ft-muted);
  }
  .cut {
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: nowrap;
    min-width: 0;
  }
  .visually-hidden {
    position: absolute;
    width: 1px;
    height: 1px;
    margin: -1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }
  :focus-visible {
    outline: 2px solid var(--ft-accent);
    outline-offset: 1px;
  }

  button,
  .button {
    display: inline-flex;
    align-items: center;
    justify-content: center;
    gap: 0.375rem;
    min-height: 1.75rem;
    padding: 0 0.625rem;
    border: 1px solid var(--ft-line);
    border-radius: var(--ft-radius);
    background: var(--ft-background);
    color: var(--ft-text);
    font: inherit;
    font-weight: 500;
    white-space: nowrap;
    text-decoration: none;
    cursor: pointer;
    transition: background var(--ft-quick);
  }
  button:hover:not(:disabled),
  .button:hover {
    background: var(--ft-raised);
    text-decoration: none;
  }
  button:disabled {
    color: var(--ft-muted);
    cursor: default;
  }
  button.plain:disabled {
    opacity: 0.4;
  }
  button.primary {
    border-color: transparent;
    background: var(--ft-accent);
    color: var(--ft-on-accent);
  }
  button.primary:hover:not(:disabled) {
    background: color-mix(in srgb, var(--ft-accent) 88%, var(--ft-text));
  }
  button.primary:disabled {
    border-color: var(--ft-edge);
    background: none;
    color: var(--ft-muted);
  }
  button.danger {
    color: var(--ft-error);
  }
  button.plain {
    border-color: transparent;
    background: none;
    padding: 0 0.375rem;
    color: var(--ft-muted);
  }
  button.plain:hover:not(:disabled) {
    color: var(--ft-text);
    background: none;
  }
  button.plain[aria-pressed='true'],
  button.plain[aria-selected='true'],
  button.plain[aria-pressed='true']:hover,
  button.plain[aria-selected='true']:hover {
    color: var(--ft-text);
    background: var(--ft-sunken);
  }
  button.link {
    border: 0;
    padding: 0;
    min-height: 0;
    background: none;
    color: var(--ft-accent);
    font-weight: inherit;
  }
  button.link:hover:not(:disabled) {
    background: none;
    text-decoration: underline;
  }

  input,
  select,
  textarea {
    min-height: 1.75rem;
    max-width: 100%;
    padding: 0.125rem 0.5rem;
    border: 1px solid var(--ft-edge);
    border-radius: var(--ft-radius);
    background: var(--ft-background);
    color: var(--ft-text);
    font: inherit;
  }
  select {
    field-sizing: content;
  }
  input[type='checkbox'],
  input[type='radio'] {
    min-height: 0;
    margin: 0;
    accent-color: var(--ft-accent);
  }
  input[type='file'] {
    border: 0;
    padding: 0;
    background: none;
  }
  ::file-selector-button {
    min-height: 1.75rem;
    margin-inline-end: 0.5rem;
    padding: 0 0.625rem;
    border: 1px solid var(--ft-edge);
    border-radius: var(--ft-radius);
    background: var(--ft-background);
    color: var(--ft-text);
    font: inherit;
    font-weight: 500;
    cursor: pointer;
  }
  textarea {
    padding: 0.375rem 0.5rem;
    font-family: var(--ft-mono);
    font-size: 0.75rem;
    line-height: 1.125rem;
    resize: vertical;
  }
  input::placeholder,
  textarea::placeholder {
    color: var(--ft-muted);
    opacity: 1;
  }
  [aria-invalid='true'] {
    border-color: var(--ft-error);
  }
  .field {
    display: grid;
    gap: 0.25rem;
    align-content: start;
  }
  .field > .label,
  label.label {
    font-weight: 500;
  }
  .field > .hint {
    color: var(--ft-muted);
  }
  .field > .wrong {
    color: var(--ft-error);
  }

  dialog {
    padding: 1rem 1.25rem;
    border: 0;
    border-radius: var(--ft-radius);
    background: var(--ft-background);
    color: inherit;
    box-shadow: var(--ft-float);
  }
  dialog::backdrop {
    background: rgb(0 0 0 / 0.32);
  }

  table {
    width: 100%;
    border-collapse: collapse;
  }
  th {
    padding: 0.25rem 0.75rem 0.25rem 0;
    border-bottom: 1px solid var(--ft-line);
    color: var(--ft-muted);
    font-weight: 500;
    text-align: start;
    white-space: nowrap;
  }
  td {
    padding: 0.375rem 0.75rem 0.375rem 0;
    border-bottom: 1px solid var(--ft-line);
    vertical-align: baseline;
  }
  th.number {
    text-align: end;
  }
  th:last-child,
  td:last-child {
    padding-inline-end: 0;
  }
  td button {
    min-height: 1.5rem;
    margin-block: -0.125rem;
  }

  .row {
    display: flex;
    align-items: center;
    gap: 0.5rem;
    min-width: 0;
  }
  .grow {
    flex: 1;
    min-width: 0;
  }
  .standing {
    padding: 0.375rem 0.75rem;
    border-inline-start: 2px solid var(--ft-error);
    background: var(--ft-error-ground);
  }
  .shape {
    display: block;
    border-radius: var(--ft-radius);
    background: var(--ft-sunken);
  }
`;
