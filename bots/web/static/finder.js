// Finding words in lines: case and accents are ignored, and a phrase may run from one line into the next.

// Latin accents, Hebrew points and Arabic vowel signs; the vowels of Thai and Hindi are no accents.
const ACCENTS = /[\u0300-\u036f\u0591-\u05bd\u05bf-\u05c7\u0610-\u061a\u064b-\u065f\u0670]/g;
const UNSPACED = /[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u312f\u3190-\ua4cf\uf900-\ufaff\ufe30-\uffef]/;

/** The text as it is compared: without case and accents. */
export function fold(text) {
  return text.normalize("NFD").replace(ACCENTS, "").toLowerCase().normalize("NFC");
}

export class Finder {
  /** @param {string[]} texts the lines */
  constructor(texts) {
    this.texts = texts;
    this.starts = []; // where each line begins in the folded whole
    const parts = [];
    let length = 0;
    let last = "";
    for (const text of texts) {
      const folded = spaced(fold(text));
      const glue = !parts.length || UNSPACED.test(last + (folded[0] ?? "")) ? "" : " ";
      length += glue.length;
      this.starts.push(length);
      parts.push(glue, folded);
      length += folded.length;
      last = folded.at(-1) ?? "";
    }
    this.whole = parts.join("");
  }

  /** By line, where the words stand in it: `Map(line -> [[start, end], ...])`, in order. */
  find(words) {
    const wanted = spaced(fold(words)).trim();
    const found = new Map();
    if (!wanted) return found;
    let line = 0;
    for (let at = this.whole.indexOf(wanted); at >= 0; at = this.whole.indexOf(wanted, at + wanted.length)) {
      const end = at + wanted.length;
      while (line + 1 < this.starts.length && this.starts[line + 1] <= at) line += 1;
      for (let each = line; each < this.starts.length && this.starts[each] < end; each += 1) {
        const from = this.starts[each];
        const span = this.#within(each, Math.max(0, at - from), end - from);
        if (span) found.set(each, [...(found.get(each) ?? []), span]);
      }
    }
    return found;
  }

  /** A span of a folded line as a span of the line itself. */
  #within(line, start, end) {
    const text = this.texts[line];
    if (fold(text).length === text.length) return start < text.length ? [start, Math.min(end, text.length)] : null;
    let folded = 0;
    let first = -1;
    let position = 0;
    for (const { segment } of graphemes(text)) {
      const length = spaced(fold(segment)).length;
      if (first < 0 && folded + length > start) first = position;
      if (folded >= end) break;
      folded += length;
      position += segment.length;
    }
    return first < 0 || position <= first ? null : [first, position];
  }
}

function spaced(text) {
  return text.replace(/\s/g, " ");
}

const segmenter = new Intl.Segmenter();

function graphemes(text) {
  return segmenter.segment(text);
}
