// @ts-check
/** The application: who is logged in, where one is, and what surrounds every page. */

import { UnauthenticatedError } from '../../client/index.js';
import { Address } from '../base/address.js';
import { connect } from '../base/connection.js';
import { Element, css, define, html, nothing } from '../base/element.js';
import { clock } from '../base/format.js';
import { keyOf } from '../base/keys.js';
import { Lazy } from '../base/lazy.js';
import '../parts/problem.js';
import './app-bar.js';
import { bringPage } from './app-pages.js';
import { theme } from './theme.js';

/** @typedef {import('../../client/index.js').Schemas['Me']} Me */

/** How long something is told of that a person did, in milliseconds. */
const TOLD = 6_000;

const bringLogin = () => import('./app-login.js');
const bringSearch = () => import('./app-search.js');
const bringKeys = () => import('./app-keys.js');

class FlowtrailApp extends Element {
  static standsAlone = true;

  static properties = {
    me: { state: true },
    phase: { state: true },
    error: { state: true },
    notice: { state: true },
    isHelpOpen: { state: true },
    isSearching: { state: true },
    isKnown: { attribute: 'has-session', type: Boolean },
  };

  static styles = css`
    :host {
      display: grid;
      grid-template-rows: auto minmax(0, 1fr);
      height: 100dvh;
      background: var(--ft-background);
    }
    main:focus-visible {
      outline: none;
    }
    main {
      min-height: 0;
      overflow: auto;
    }
    .skip {
      position: absolute;
      inset-block-start: -4rem;
      inset-inline-start: 0.5rem;
      z-index: 3;
      padding: 0.5rem 0.75rem;
      background: var(--ft-background);
      box-shadow: var(--ft-float);
    }
    .skip:focus {
      inset-block-start: 0.375rem;
    }
    .lost {
      padding: 0.375rem 1rem;
      border-bottom: 1px solid var(--ft-line);
      background: var(--ft-error-ground);
    }
    .notice {
      position: fixed;
      inset-block-end: 1rem;
      inset-inline: 1rem;
      z-index: 2;
      width: fit-content;
      max-width: min(36rem, calc(100vw - 2rem));
      margin-inline: auto;
      padding: 0.5rem 0.75rem;
      border-radius: var(--ft-radius);
      background: var(--ft-background);
      box-shadow: var(--ft-float);
    }
  `;

  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #told;
  #lazy = new Lazy(this);
  /** @type {(() => void) | undefined} */
  #leave;
  #connection = connect();
  #address = new Address();
  /** Whether the address logs somebody in, who may be another one than before. */
  #hasCode = window.location.hash.startsWith('#code=');

  constructor() {
    super();
    theme.apply();
    /** @type {Me | undefined} */
    this.me = undefined;
    /** @type {'opening' | 'login' | 'open' | 'away'} */
    this.phase = 'opening';
    /**
     * Whether the browser has a session, as the server saw: then what it shows is fetched while it is asked whose it is, and
     * whether it is still good.
     */
    this.isKnown = false;
    // Not to wait for it later; what cannot be fetched is asked for again, and said, when it is shown.
    bringPage(this.#address.path)?.catch(() => {});
    /** Why one has to log in again, or cannot. @type {Error | undefined} */
    this.error = undefined;
    this.notice = '';
    this.isHelpOpen = false;
    this.isSearching = false;
    this.#address.addEventListener('change', () => this.#moved());
    this.#connection.live.addEventListener('state', () => {
      if (this.#connection.live.state === 'refused') void this.#refused();
      this.requestUpdate();
    });
  }

  connectedCallback() {
    super.connectedCallback();
    this.addEventListener('click', this.#click);
    window.addEventListener('keydown', this.#key);
    this.addEventListener('ft-unauthenticated', () => this.#refused());
    this.addEventListener('ft-go', (event) => this.#address.go(/** @type {CustomEvent<string>} */ (event).detail));
    this.addEventListener('ft-said', (event) => this.#say(/** @type {CustomEvent<string>} */ (event).detail));
    void this.#open();
  }

  willUpdate() {
    if (this.phase === 'login') void this.#lazy.bring(bringLogin);
    else if (this.isSearching) void this.#lazy.bring(bringSearch);
    else if (this.isHelpOpen) void this.#lazy.bring(bringKeys);
  }

  /** @param {Map<PropertyKey, unknown>} changed */
  updated(changed) {
    if (!changed.has('phase')) return;
    this.#leave?.();
    // Also on pages that show nothing live: whether the server is there is said on all.
    this.#leave = this.phase === 'open' ? this.#connection.live.listen(() => {}) : undefined;
  }

  /** Logs in by the link that was opened, or goes on with the session that there is. */
  async #open() {
    const code = /^#code=(.+)$/.exec(window.location.hash)?.[1];
    try {
      if (code !== undefined) {
        // It works once, and is nobody's to read from the address or the history.
        window.history.replaceState(null, '', window.location.pathname + window.location.search);
        this.me = (await this.#connection.client.logIn({ code: decodeURIComponent(code) })).user;
      } else this.me = (await this.#connection.client.session()).user;
      this.phase = 'open';
      this.error = undefined;
    } catch (error) {
      const isRefused = error instanceof UnauthenticatedError;
      if (isRefused && code !== undefined) {
        // Whoever opens a used link may be logged in already.
        const session = await this.#connection.client.session().catch(() => undefined);
        if (session !== undefined) {
          this.me = session.user;
          this.phase = 'open';
          return;
        }
      }
      this.phase = isRefused ? 'login' : 'away';
      this.error = isRefused && code === undefined ? undefined : /** @type {Error} */ (error);
    }
  }

  /** The key is good no longer, or the session is over. */
  async #refused() {
    if (this.phase !== 'open') return;
    this.#connection.live.stop();
    this.phase = 'login';
    this.error = new Error('your session is over: your key was revoked, or it is too long ago that you logged in');
  }

  /** @param {string} notice */
  #say(notice) {
    this.notice = notice;
    clearTimeout(this.#told);
    this.#told = setTimeout(() => {
      this.notice = '';
    }, TOLD);
  }

  #moved() {
    this.isSearching = false;
    this.requestUpdate();
  }

  /**
   * Follows links within the application without loading it again.
   *
   * @param {MouseEvent} event
   */
  #click = (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.composedPath().find((target) => target instanceof HTMLAnchorElement);
    if (!(link instanceof HTMLAnchorElement) || link.target || link.hasAttribute('download')) return;
    if (link.origin !== window.location.origin || link.pathname.startsWith('/api/') || link.hash) return;
    event.preventDefault();
    this.#address.go(link.href);
  };

  /** @param {KeyboardEvent} event */
  #key = (event) => {
    if ((event.metaKey || event.ctrlKey) && event.key === 'k' && this.phase === 'open') {
      event.preventDefault();
      this.isSearching = true;
      return;
    }
    const key = keyOf(event);
    if (key === '?') this.isHelpOpen = true;
    // A page with a search of its own takes it first.
    else if (key === '/' && this.phase === 'open') {
      event.preventDefault();
      this.isSearching = true;
    }
  };

  async #logOut() {
    try {
      await this.#connection.client.logOut();
    } catch (error) {
      this.#say(`You may still be logged in: ${/** @type {Error} */ (error).message}`);
      return;
    }
    this.#connection.live.stop();
    this.me = undefined;
    this.error = undefined;
    this.phase = 'login';
  }

  render() {
    if (this.phase === 'opening' && (!this.isKnown || this.#hasCode)) return html`<div></div>`;
    if (this.phase === 'away') {
      return html`<ft-problem .error=${this.error} what="Flowtrail cannot be shown" @ft-retry=${() => this.#open()}></ft-problem>`;
    }
    const missing = this.#lazy.error
      ? html`<ft-problem .error=${this.#lazy.error} what="This part cannot be fetched" @ft-retry=${() => this.#lazy.again()}></ft-problem>`
      : nothing;
    if (this.phase === 'login') {
      /** @param {CustomEvent<Me>} event */
      const entered = (event) => {
        this.me = event.detail;
        this.error = undefined;
        this.phase = 'open';
      };
      return html`<span></span>
        <main>${missing}<app-login .client=${this.#connection.client} .error=${this.error} @ft-entered=${entered}></app-login></main>`;
    }
    const { live } = this.#connection;
    return html`<app-bar
        .me=${this.me}
        .path=${this.#address.path}
        .live=${live.state}
        @ft-log-out=${this.#logOut}
        @ft-search=${() => {
          this.isSearching = true;
        }}
        @ft-help=${() => {
          this.isHelpOpen = true;
        }}
      ></app-bar>
      <main id="main" tabindex="-1">
        ${live.state === 'lost'
          ? html`<p class="lost" role="status">
              Can’t reach the server. Everything recorded so far is safe. This page shows how things stood at ${clock(new Date(live.lostAt ?? Date.now()).toISOString())} and reconnects
              by itself.
            </p>`
          : nothing}
        ${missing}
        <app-pages .connection=${this.#connection} .address=${this.#address} .me=${this.me}></app-pages>
      </main>
      ${this.isSearching
        ? html`<app-search
            .client=${this.#connection.client}
            .me=${this.me}
            @ft-close=${() => {
              this.isSearching = false;
            }}
          ></app-search>`
        : nothing}
      ${this.isHelpOpen
        ? html`<app-keys
            @ft-close=${() => {
              this.isHelpOpen = false;
            }}
          ></app-keys>`
        : nothing}
      <div class="notice" role="status" ?hidden=${this.notice === ''}>${this.notice}</div>`;
  }
}

define('flowtrail-app', FlowtrailApp);
