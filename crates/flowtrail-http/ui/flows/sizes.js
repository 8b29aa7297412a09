// @ts-check
/** How large a node of a graph is drawn. */

export const WIDTH = 168;
export const HEIGHT = 48;
