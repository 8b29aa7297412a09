// @ts-check
/** What the pages about people have in common. */

import { css } from '../base/element.js';

export const page = css`
  :host {
    max-width: 80rem;
    padding: 1rem 1rem 2rem;
  }
  h1 + p {
    margin-bottom: 1rem;
  }
  .new {
    display: flex;
    flex-wrap: wrap;
    gap: 0.75rem;
    align-items: end;
    margin-bottom: 1.25rem;
    padding-bottom: 1.25rem;
    border-bottom: 1px solid var(--ft-line);
  }
  .new .field input {
    width: 16rem;
  }
  td {
    vertical-align: middle;
  }
  td.cut {
    max-width: 16rem;
  }
  ft-problem {
    padding: 0 0 1rem;
  }
  @media (max-width: 639px) {
    .wide {
      display: none;
    }
    td.cut {
      max-width: none;
      overflow-wrap: anywhere;
      white-space: normal;
    }
    .new .field:first-child {
      flex-basis: 100%;
    }
    .new .field:first-child input {
      width: 100%;
    }
  }
`;
