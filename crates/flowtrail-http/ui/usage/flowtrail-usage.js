// @ts-check
/**
 * The executions of a flow, or of all, and the one that is selected: `<flowtrail-usage flow-id="…">`.
 *
 * What is shown is its `state`; the event `flowtrail-state` tells of each change of it. Whoever keeps the state elsewhere, such as in the
 * page's address, prevents the event's default and sets the property.
 */

import { InvalidError } from '../../client/index.js';
import { keyed } from '../../vendor/lit-html/directives/keyed.js';
import { Connected } from '../base/connection.js';
import { css, define, html, nothing } from '../base/element.js';
import { count, plural } from '../base/format.js';
import { Later } from '../base/later.js';
import { Lazy, prefetch } from '../base/lazy.js';
import { Loading } from '../base/loading.js';
import '../parts/pager.js';
import '../parts/problem.js';
import '../parts/split.js';
import '../parts/status-mark.js';
import './execution-list.js';
import { FILTERS } from './filters.js';
import { merged } from './merge.js';
import { loadingRows, placeholderStyles, selectHint } from './placeholders.js';
import { fromOf } from './time-range.js';
import './usage-empty.js';
import { UsageKeys } from './usage-keys.js';

/** @typedef {import('../../client/index.js').Schemas['ExecutionPage']} ExecutionPage */
/** @typedef {import('./filters.js').Filters} Filters */
/**
 * @typedef {Filters & { page?: string, limit?: string, selected?: string, node?: string, tab?: string, view?: string }} UsageState
 */

/** How many executions a page has, unless the state says another number. */
const LIMIT = 50;
/** How long to wait before a list is fetched again whose filter only the server can decide, in milliseconds. */
const SOON = 1_000;
/** Most executions that are remembered as new; beyond it is said "more than". */
const MOST_WAITING = 1_000;

/** How often those who listen to the page are told how many have come, in milliseconds. */
const SAID = 5_000;

const bringExecution = () => import('./flowtrail-execution.js');
const bringScatter = () => import('./usage-scatter.js');

export class FlowtrailUsage extends Connected {
  static properties = {
    ...Connected.properties,
    flowId: { attribute: 'flow-id' },
    state: { attribute: false },
    hotkeys: { type: Boolean },
    way: {},
    isPaused: { state: true },
    waiting: { state: true },
    announced: { state: true },
  };

  static styles = [
    placeholderStyles,
    css`
      :host {
        height: 100%;
        min-height: 20rem;
        background: var(--ft-background);
      }
      .list {
        display: flex;
        flex-direction: column;
        height: 100%;
      }
      .rows {
        flex: 1;
        min-height: 0;
        overflow: auto;
        overflow-anchor: none;
      }
      .news {
        display: flex;
        align-items: center;
        justify-content: space-between;
        min-height: 1.75rem;
        padding: 0 0.25rem 0 0.625rem;
        border-bottom: 1px solid var(--ft-line);
        color: var(--ft-muted);
      }
      .foot {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        justify-content: space-between;
        gap: 0 0.75rem;
        padding: 0.125rem 0.75rem 0.125rem 0.25rem;
        border-top: 1px solid var(--ft-line);
        color: var(--ft-muted);
      }
      @media (max-width: 899px) {
        .selected [slot='first'] {
          display: none;
        }
        :not(.selected) > [slot='second'] {
          display: none;
        }
      }
    `,
  ];

  /** @type {Loading<ExecutionPage>} */
  #page = new Loading(this);
  /** Which question the page answers. */
  #asked = '';
  /** The moment of the first page, which those after it go on from. @type {string | undefined} */
  #asOf;
  /** The first page, as it was fetched. @type {ExecutionPage | undefined} */
  #first;
  /** What happened while a page was being fetched. @type {import('../base/live.js').Happening[]} */
  #missed = [];
  /** @type {Set<string>} */
  #fresh = new Set();
  #soon = new Later(this, SOON, () => this.#look());
  #said = new Later(this, SAID, () => {
    this.announced = this.waiting.size;
  });
  #lazy = new Lazy(this);

  constructor() {
    super();
    /** The flow; all flows when absent. @type {string | undefined} */
    this.flowId = undefined;
    /** @type {UsageState} */
    this.state = {};
    /** Whether keys are heard wherever they are pressed on the page. */
    this.hotkeys = false;
    /** How one may make an execution, for a list that has none. @type {'run' | 'record' | undefined} */
    this.way = undefined;
    this.isPaused = false;
    /** How many that have come were told of to those who listen. */
    this.announced = 0;
    /** The ids of what has come and is not shown. @type {Set<string>} */
    this.waiting = new Set();
    new UsageKeys(this, () => this.#actions);
  }

  /** @param {Map<PropertyKey, unknown>} changed */
  willUpdate(changed) {
    super.willUpdate(changed);
    if (changed.has('flowId') || this.isElsewhere(changed)) {
      this.#page.forget();
      this.#asked = '';
      this.#asOf = undefined;
      this.#first = undefined;
      this.waiting = new Set();
    }
    const asked = JSON.stringify([this.flowId, this.#filters, this.#limit, this.state.page ?? '1']);
    if (asked !== this.#asked) void this.#fetch();
    this.#asked = asked;
    // Without it there is a list all the same.
    if (this.flowId !== undefined && this.#page.value !== undefined) void bringScatter().catch(() => {});
    if (this.waiting.size !== this.announced) this.#said.ask();
    if (this.state.selected !== undefined) void this.#lazy.bring(bringExecution);
  }

  firstUpdated() {
    prefetch([bringExecution]);
  }

  /** @param {Map<PropertyKey, unknown>} changed */
  updated(changed) {
    const before = /** @type {UsageState | undefined} */ (changed.get('state'));
    if (changed.has('state') && before?.selected !== this.state.selected) {
      void this.#list?.updateComplete.then(() => this.#list?.reveal());
    }
  }

  /** @returns {import('./execution-list.js').ExecutionList | null} */
  get #list() {
    return /** @type {any} */ (this.$('ft-executions'));
  }

  /** @returns {Filters} */
  get #filters() {
    return Object.fromEntries(FILTERS.map((name) => [name, this.state[name]]).filter(([, value]) => value));
  }

  get #limit() {
    return Math.min(100, Math.max(1, Math.floor(Number(this.state.limit)) || LIMIT));
  }

  get #isFirst() {
    return Number(this.state.page ?? 1) <= 1;
  }

  /** What the server is asked. */
  get #query() {
    const { range, ...filters } = this.#filters;
    const from = filters.from ?? (range === undefined ? undefined : fromOf(range, this.server.now()));
    return /** @type {any} */ ({ ...filters, from, flowId: this.flowId, limit: this.#limit });
  }

  async #fetch() {
    this.#soon.stop();
    const page = Math.max(1, Number(this.state.page) || 1);
    const asOf = page > 1 ? this.#asOf : undefined;
    const query = { ...this.#query, page, asOf };
    const found = await this.#page.run(async (signal) => {
      const found = await this.client.executions.list({ ...query, signal }).catch((error) => {
        // Too much was recorded since the first page: the list begins anew.
        if (asOf === undefined || !(error instanceof InvalidError)) throw error;
        this.#asOf = undefined;
        return this.client.executions.list({ ...query, asOf: undefined, signal });
      });
      // The first page counts exactly what later pages, which are of its moment, count only so far.
      const first = this.#first;
      if (page === 1) this.#first = found;
      else if (!found.totalIsExact && first?.totalIsExact && first.asOf === asOf) {
        return { ...found, total: first.total, totalPages: first.totalPages, totalIsExact: true };
      }
      return found;
    }, JSON.stringify([this.flowId, this.#filters, this.#limit, page]));
    if (found === undefined) return;
    if (page === 1 || this.#asOf === undefined) this.#asOf = found.asOf ?? undefined;
    if (page === 1) this.waiting = new Set();
    const missed = this.#missed;
    this.#missed = [];
    if (missed.length > 0) this.happened(missed);
  }

  /** Shows what has come. */
  async #showNew() {
    this.$('.rows')?.scrollTo({ top: 0 });
    this.#asked = '';
    if (this.#isFirst) this.requestUpdate();
    else this.#change({ page: undefined });
  }

  /** @param {Partial<UsageState>} change */
  #change(change) {
    const isOther = 'selected' in change;
    const state = { ...this.state, ...(isOther ? { node: undefined, tab: undefined } : {}), ...change };
    for (const name of /** @type {(keyof UsageState)[]} */ (Object.keys(state))) if (!state[name]) delete state[name];
    if (this.tell('flowtrail-state', { state, change })) this.state = state;
  }

  /** @param {import('../base/live.js').Happening[]} events */
  happened(events) {
    if (this.#page.isLoading) {
      // The page that comes may be from before or after it.
      this.#missed.push(...events);
      if (this.#missed.length > MOST_WAITING) this.#missed = [{ id: '', type: 'resync', data: {} }];
      return;
    }
    const shown = this.#page.value;
    if (shown === undefined) {
      // It could not be fetched; something happens again, so it is tried again.
      if (this.#page.error !== undefined) this.#soon.ask();
      return;
    }
    const { items, total, waiting, fresh, isUnknown } = merged({ items: shown.items, total: shown.total, waiting: this.waiting }, events, {
      flowId: this.flowId,
      filters: this.#filters,
      limit: this.#limit,
      selected: this.state.selected,
      isPaused: this.isPaused,
      mayMove: this.#mayMove(),
      mostWaiting: MOST_WAITING,
    });
    if (items !== shown.items) {
      this.#page.value = { ...shown, items, total, totalPages: Math.max(shown.page, Math.ceil(total / this.#limit)) };
      this.#fresh = fresh;
      // Pages after this one would go on from another moment.
      if (fresh.size > 0) this.#asOf = undefined;
      this.requestUpdate();
    }
    if (waiting.size !== this.waiting.size) this.waiting = waiting;
    if (isUnknown) this.#soon.ask();
  }

  /** Whether rows may come in by themselves: nobody reads, and nobody has asked them to wait. */
  #mayMove() {
    const rows = this.$('.rows');
    // Those that wait come before those that come now.
    const isFree = this.waiting.size === 0 && !this.#page.isLoading;
    return isFree && !this.isPaused && this.#isFirst && this.state.selected === undefined && (rows?.scrollTop ?? 0) === 0;
  }

  /** Looks how many have come that only the server can tell. */
  async #look() {
    if (this.#mayMove() || !this.#isFirst) {
      void this.#fetch();
      return;
    }
    try {
      const asked = this.#asked;
      const now = await this.client.executions.list({ ...this.#query, page: 1 });
      const shown = this.#page.value;
      if (shown === undefined || asked !== this.#asked) return;
      // What is shown stays where it is, as it stands now; what has come waits.
      const newer = new Map(now.items.map((item) => [item.id, item]));
      const oldest = now.items.length < this.#limit ? '' : (now.items.at(-1)?.startedAt ?? '');
      // One that should be in the answer and is not is gone.
      const stays = shown.items.filter((item) => newer.has(item.id) || item.startedAt < oldest);
      this.#page.value = { ...shown, items: stays.map((item) => newer.get(item.id) ?? item), total: now.total, totalPages: now.totalPages };
      const known = new Set(shown.items.map((item) => item.id));
      const come = now.items.filter((item) => !known.has(item.id)).map((item) => item.id);
      this.waiting = new Set([...this.waiting, ...come]);
    } catch {
      // The next event, or the stream when it is back, brings it here again.
    }
  }

  /** @returns {Record<string, (event: KeyboardEvent) => void>} */
  get #actions() {
    return {
      j: () => this.#list?.move(1),
      k: () => this.#list?.move(-1),
      '.': () => this.#pause(),
      '/': () => /** @type {any} */ (this.$('ft-filters'))?.focusSearch(),
      ...(this.state.selected === undefined ? {} : { Escape: () => this.#change({ selected: undefined }) }),
      Enter: (event) => this.#enter(event),
    };
  }

  /** @param {KeyboardEvent} event */
  #enter(event) {
    const target = event.composedPath()[0];
    if (target instanceof Element && target.closest('a, button, summary, [role="button"]')) return;
    if (this.state.selected === undefined) this.#list?.move(1);
    else {
      // What is pressed here is not pressed there as well.
      event.preventDefault();
      /** @type {any} */ (this.$('flowtrail-execution'))?.focus();
    }
  }

  #pause() {
    this.isPaused = !this.isPaused;
    if (!this.isPaused) void this.#showNew();
  }

  render() {
    const { selected } = this.state;
    const isSelected = selected !== undefined;
    return html`<ft-split name="usage" share="33" class=${isSelected ? 'selected' : ''}>
      <section slot="first" class="list" aria-label="Executions">
        ${this.standing}
        <ft-filters
          .filters=${this.#filters}
          @ft-filters=${(/** @type {CustomEvent<Filters>} */ event) => this.#change({ ...event.detail, page: undefined })}
        ></ft-filters>
        ${this.#scatter()}
        ${this.#news()}
        <div class="rows">${this.#rows()}</div>
        ${this.#foot()}
      </section>
      <section slot="second" aria-label="The selected execution">${isSelected ? this.#detail(selected) : this.#hint()}</section>
    </ft-split>`;
  }

  #scatter() {
    // The list comes first: what it is about is drawn above it when there is time.
    if (this.flowId === undefined || this.#page.value === undefined) return nothing;
    // To the minute: otherwise it would be another time whenever it is drawn.
    const now = Math.floor(this.server.now() / 60_000) * 60_000;
    const { range, from, to } = this.#filters;
    return html`<usage-scatter
      .connection=${this.server}
      .flowId=${this.flowId}
      .from=${from ?? fromOf(range ?? '30d', now)}
      .to=${to}
      @ft-brush=${(/** @type {CustomEvent<{ from: string, to: string }>} */ event) =>
        this.#change({ ...event.detail, range: undefined, page: undefined })}
    ></usage-scatter>`;
  }

  #news() {
    const number = this.waiting.size;
    const order = this.#filters.sort === 'duration' ? 'Longest first' : 'Newest first';
    return html`<div class="news">
      ${number > 0
        ? html`<button class="link" type="button" @click=${this.#showNew}>↑ ${newsOf(number)}</button>`
        : html`<span>${this.isPaused ? 'Paused' : this.#page.isLoading && this.#page.value ? 'Refreshing…' : order}</span>`}
      <span class="visually-hidden" role="status">${this.announced > 0 ? `${newsOf(this.announced)} executions` : ''}</span>
      <button
        class="plain"
        type="button"
        aria-pressed=${this.isPaused ? 'true' : 'false'}
        title=${this.isPaused ? 'Go on ( . )' : 'Pause: nothing comes in by itself ( . )'}
        @click=${this.#pause}
      >
        ${this.isPaused ? '▶ Go on' : '❚❚ Pause'}
      </button>
    </div>`;
  }

  #rows() {
    const { value, error } = this.#page;
    const problem =
      error === undefined ? nothing : html`<ft-problem .error=${error} what="The executions cannot be listed" @ft-retry=${() => this.#fetch()}></ft-problem>`;
    if (value === undefined) return error === undefined ? loadingRows() : problem;
    if (value.items.length === 0) return html`${problem}${this.#empty(value)}`;
    return html`${problem}<ft-executions
        .items=${value.items}
        .selected=${this.state.selected}
        .showFlow=${this.flowId === undefined}
        .fresh=${this.#fresh}
        .now=${() => this.server.now()}
        @ft-select=${(/** @type {CustomEvent<string>} */ event) => this.#change({ selected: event.detail })}
      ></ft-executions>`;
  }

  /** @param {ExecutionPage} page */
  #empty(page) {
    return html`<ft-usage-empty
      .filters=${this.#filters}
      .flowId=${this.flowId}
      .way=${this.way}
      .isFirst=${page.page <= 1}
      .searchedTo=${page.searchedTo}
      @ft-filters=${(/** @type {CustomEvent<Partial<Filters>>} */ event) => this.#change({ ...event.detail, page: undefined })}
    ></ft-usage-empty>`;
  }

  #foot() {
    const { value } = this.#page;
    if (value === undefined) return nothing;
    const total = `${value.totalIsExact ? '' : 'at least '}${plural(value.total, 'execution')}`;
    return html`<div class="foot">
      <ft-pager
        .page=${value.page}
        .pages=${value.totalPages}
        @ft-page=${(/** @type {CustomEvent<number>} */ event) => this.#change({ page: event.detail > 1 ? String(event.detail) : undefined })}
      ></ft-pager>
      <span>${total}</span>
    </div>`;
  }

  /** @param {string} selected */
  #detail(selected) {
    if (this.#lazy.error) {
      return html`<ft-problem .error=${this.#lazy.error} what="This part cannot be fetched" @ft-retry=${() => this.#lazy.again()}></ft-problem>`;
    }
    const { node, tab, view } = this.state;
    // Another execution is another component: what was chosen in the one says nothing of the other.
    return keyed(
      selected,
      html`<flowtrail-execution
        .connection=${this.server}
        .executionId=${selected}
        .node=${node === undefined ? undefined : Number(node)}
        .tab=${tab ?? ''}
        .view=${view === 'graph' ? 'graph' : 'waterfall'}
        .isClosable=${true}
        @flowtrail-choose=${this.#chose}
        @flowtrail-select=${(/** @type {CustomEvent<string>} */ event) => this.#change({ selected: event.detail })}
        @flowtrail-close=${() => this.#change({ selected: undefined })}
      ></flowtrail-execution>`,
    );
  }

  /** @param {CustomEvent<{ node?: number, tab?: string, view?: string }>} event */
  #chose(event) {
    event.preventDefault();
    const { node, tab, view } = event.detail;
    /** @type {Partial<UsageState>} */
    const change = {};
    if (node !== undefined) Object.assign(change, { node: String(node), tab: undefined });
    if (tab !== undefined) change.tab = tab;
    if (view !== undefined) change.view = view === 'graph' ? 'graph' : undefined;
    this.#change(change);
  }

  #hint() {
    const isEmpty = (this.#page.value?.items.length ?? 0) === 0;
    return isEmpty ? nothing : selectHint();
  }
}

/** How many have come. @param {number} number */
const newsOf = (number) => (number > MOST_WAITING ? `more than ${count(MOST_WAITING)} new` : `${count(number)} new`);

define('flowtrail-usage', FlowtrailUsage);
