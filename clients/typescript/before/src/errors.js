/**
 * What can go wrong, as classes: `catch (error) { if (error instanceof NotFoundError) … }`.
 */

/** @typedef {import('./api.js').components['schemas']['ErrorCode']} ErrorCode */
/** @typedef {import('./api.js').components['schemas']['Problem']} Problem */

/** Something that the server refused, or that did not reach it. */
export class FlowtrailError extends Error {
  /**
   * @param {string} message what is wrong, for people
   * @param {{ status?: number, code?: ErrorCode | 'network', body?: any, requestId?: string | null, retryAfter?: number, cause?: unknown }} [about]
   */
  constructor(message, about = {}) {
    super(message, about.cause === undefined ? undefined : { cause: about.cause });
    this.name = new.target.name;
    /** The status of the answer; 0 when there was none. */
    this.status = about.status ?? 0;
    /** What kind of error it is: a stable word. Absent in the dialect of Open WebUI. */
    this.code = about.code;
    /** All that is wrong, where there can be several things. @type {Problem[]} */
    this.problems = about.body?.problems ?? [];
    /** What differs from what was recorded before. @type {string[]} */
    this.differences = about.body?.differences ?? [];
    /** By which the server's log knows the request. */
    this.requestId = about.requestId ?? null;
    /** After how many seconds to try again, if the server said so. */
    this.retryAfter = about.retryAfter;
  }
}

/** The request is not what it must be; the message names the field. */
export class InvalidError extends FlowtrailError {}
/** No key, or one that is unknown, revoked or expired. */
export class UnauthenticatedError extends FlowtrailError {}
/** You may see it, but not do this. */
export class ForbiddenError extends FlowtrailError {}
/** There is no such thing, or you may not know of it. */
export class NotFoundError extends FlowtrailError {}
/** It is at odds with what is there; `code` says how. */
export class ConflictError extends FlowtrailError {}
/** Too many requests a second; tried again in vain. */
export class RateLimitedError extends FlowtrailError {}
/** The server cannot do it just now; tried again in vain. */
export class UnavailableError extends FlowtrailError {}
/** The server went wrong. */
export class ServerError extends FlowtrailError {}
/** The server was not reached, or broke off. */
export class NetworkError extends FlowtrailError {
  /** @param {unknown} cause */
  constructor(cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(`the server cannot be reached: ${reason}`, { code: 'network', cause });
  }
}

/** @param {number} status */
function kind(status) {
  if (status === 401) return UnauthenticatedError;
  if (status === 403) return ForbiddenError;
  if (status === 404) return NotFoundError;
  if (status === 409) return ConflictError;
  if (status === 429) return RateLimitedError;
  if (status === 502 || status === 503 || status === 504) return UnavailableError;
  return status >= 500 ? ServerError : InvalidError;
}

/**
 * The error that an answer tells of.
 *
 * @param {Response} response
 * @returns {Promise<FlowtrailError>}
 */
export async function errorOf(response) {
  const text = await response.text().catch(() => '');
  let body;
  try {
    body = JSON.parse(text);
  } catch {
    // Whoever stands between may answer in other ways.
  }
  const message = body?.message ?? body?.detail ?? `the server answered ${response.status}`;
  const seconds = Number(response.headers.get('retry-after'));
  return new (kind(response.status))(message, {
    status: response.status,
    code: body?.code,
    body,
    requestId: response.headers.get('x-request-id'),
    retryAfter: Number.isFinite(seconds) && seconds > 0 ? seconds : undefined,
  });
}
