// Moments in addresses: `#t=83`, `#t=83.5`, `#t=1:23`. Only ever in the fragment, which browsers tell nobody.

/** The seconds in a fragment, or null when it names no moment. */
export function momentOf(hash) {
  const match = /^#t=((?:\d{1,6}:){0,2}\d{1,7}(?:\.\d{1,6})?)$/.exec(decoded(hash));
  if (!match) return null;
  return match[1].split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
}

/** The fragment of a moment. */
export function fragmentOf(seconds) {
  return `#t=${Number(seconds.toFixed(3))}`;
}

/** The index of the last of these ordered numbers that is not after `value`; -1 when all are. */
export function lastUpTo(numbers, value) {
  let low = 0;
  let high = numbers.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}
