// @ts-check
/** Keys that do something wherever they are pressed, but where somebody writes. */

/** @param {EventTarget | undefined} target */
function isWriting(target) {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName);
}

/**
 * What a key press means outside of fields: the key, or nothing when somebody writes, holds a modifier, or it was taken.
 *
 * @param {KeyboardEvent} event
 * @returns {string | undefined}
 */
export function keyOf(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return undefined;
  if (isWriting(event.composedPath()[0])) return undefined;
  return event.key;
}
