// @ts-check
/** Light or dark: as the system says, unless somebody chose. */

/** @typedef {'system' | 'light' | 'dark'} Theme */

const NAME = 'flowtrail.theme';

/** Which one is chosen. */
export const theme = {
  /** @returns {Theme} */
  get() {
    try {
      const kept = localStorage.getItem(NAME);
      return kept === 'light' || kept === 'dark' ? kept : 'system';
    } catch {
      return 'system';
    }
  },

  /** @param {Theme} chosen */
  set(chosen) {
    try {
      if (chosen === 'system') localStorage.removeItem(NAME);
      else localStorage.setItem(NAME, chosen);
    } catch {
      // Then it is for this page only.
    }
    theme.apply(chosen);
  },

  /** @param {Theme} [chosen] */
  apply(chosen = theme.get()) {
    document.documentElement.style.colorScheme = chosen === 'system' ? 'light dark' : chosen;
    // What is drawn on a canvas has to be drawn anew.
    window.dispatchEvent(new Event('flowtrail-theme'));
  },
};
