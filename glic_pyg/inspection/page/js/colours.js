// A sequential scale that colour-blind readers see alike (cividis, nine of its colours).

const STOPS = [[0, 34, 78], [24, 55, 108], [65, 77, 107], [93, 98, 110], [124, 123, 120],
  [154, 149, 118], [187, 176, 108], [220, 205, 89], [254, 232, 56]];

/** Red, green and blue of a share from 0 to 1. */
export function colour(share) {
  const position = Math.min(1, Math.max(0, share)) * (STOPS.length - 1);
  const below = Math.min(STOPS.length - 2, Math.floor(position)), part = position - below;
  return STOPS[below].map((value, i) => value + part * (STOPS[below + 1][i] - value));
}

export const gradient = `linear-gradient(90deg, ${STOPS.map(stop => `rgb(${stop})`).join(", ")})`;
