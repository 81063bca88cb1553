// Numbers as people read them.

/** About three digits. */
export function short(value) {
  if (Number.isInteger(value)) return `${value}`;
  const size = Math.abs(value);
  return size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : size >= 0.1 ? value.toFixed(2) : value.toPrecision(2);
}

/** A share; weights are stored in whole percents. */
export const percent = share => share < 0.005 ? "under 1%" : `${Math.round(100 * share)}%`;

export const count = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;

/** "a", "a and b", "a, b and c". */
export const listed = parts => parts.length < 2 ? parts.join("") : `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`;

export const sum = numbers => numbers.reduce((total, number) => total + number, 0);

/** How many of the largest numbers make half of their sum. */
export function countOfHalf(numbers) {
  const order = numbers.toSorted((a, b) => b - a), half = sum(order) / 2;
  let total = 0, taken = 0;
  while (total < half) total += order[taken++];
  return taken;
}
