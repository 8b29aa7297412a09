// @ts-check
/** The address of the page, which holds all that is shown, so that it can be sent to somebody. */

/** @typedef {Record<string, string | number | undefined | null>} Query */

/** An address within the application. */
export class Address extends EventTarget {
  constructor() {
    super();
    window.addEventListener('popstate', () => this.#changed());
  }

  /** Its parts, decoded. */
  get path() {
    return window.location.pathname.split('/').filter(Boolean).map(decoded);
  }

  /** What stands in its query. */
  get query() {
    return Object.fromEntries(new URLSearchParams(window.location.search));
  }

  /**
   * Goes there.
   *
   * @param {string} to
   * @param {{ replace?: boolean }} [how] whether going back leads to what was before this one
   */
  go(to, { replace = false } = {}) {
    const url = new URL(to, window.location.href);
    if (url.href === window.location.href) return;
    if (replace) window.history.replaceState(null, '', url);
    else window.history.pushState(null, '', url);
    this.#changed();
  }

  /**
   * Changes some of the query.
   *
   * @param {Query} change what is empty is left out
   * @param {{ replace?: boolean }} [how]
   */
  change(change, how) {
    this.go(href(window.location.pathname, { ...this.query, ...change }), how);
  }

  #changed() {
    this.dispatchEvent(new Event('change'));
  }
}

/**
 * An address.
 *
 * @param {string} path
 * @param {Query} [query] what is empty is left out
 */
export function href(path, query = {}) {
  const told = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== '');
  const text = new URLSearchParams(told.map(([name, value]) => [name, String(value)])).toString();
  return text ? `${path}?${text}` : path;
}

/** @param {string} part */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
