// The lines beside the player: which one is spoken, keeping it in sight, and showing only those with some words.

import { Finder } from "./finder.js";
import { lastUpTo } from "./moment.js";

const EARLY = 0.05; // seconds; players stop a hair before the moment they were asked for
const calm = matchMedia("(prefers-reduced-motion: reduce)");

export class Transcript {
  /** @param {HTMLElement} box what scrolls on a wide screen; on a phone the page does */
  constructor(box, lines, follow) {
    this.box = box;
    this.holder = lines;
    this.button = follow;
    this.following = true;
    this.words = "";
    this.#watchTheReader();
    this.load();
  }

  /** Take the lines that are in the page now. */
  load() {
    this.lines = [...this.holder.querySelectorAll(".line")];
    this.paragraphs = this.lines.map((line) => line.querySelector("p"));
    this.timed = this.lines.filter((line) => line.dataset.start !== undefined);
    this.starts = this.timed.map((line) => Number(line.dataset.start));
    this.current = null;
    this.finder = null; // made when somebody searches
    this.marked = [];
  }

  /** Show the lines of another language in place of these; the search goes on. */
  replace(lines) {
    this.holder.replaceWith(lines);
    this.holder = lines;
    this.load();
    this.filter(this.words);
  }

  /** The line spoken at a moment becomes the current one. */
  show(seconds, { jump = false } = {}) {
    const line = this.timed[lastUpTo(this.starts, seconds + EARLY)] ?? null;
    if (jump) this.#follow(true);
    if (line === this.current && !jump) return;
    this.current?.removeAttribute("aria-current");
    line?.setAttribute("aria-current", "true");
    this.current = line;
    if (this.following && !this.words) this.reveal(jump);
  }

  /** Bring the current line into the middle. */
  reveal(atOnce = false) {
    if (!this.current || this.current.hidden) return;
    const behavior = atOnce || calm.matches ? "instant" : "smooth";
    if (this.#pageScrolls()) return this.current.scrollIntoView({ block: "center", behavior });
    const [line, box] = [this.current.getBoundingClientRect(), this.box.getBoundingClientRect()];
    const top = this.box.scrollTop + line.top - box.top - (box.height - line.height) / 2;
    this.box.scrollTo({ top, behavior }); // and not the page around it
  }

  /** Go on following after the reader has looked elsewhere. */
  resume() {
    this.#follow(true);
    this.reveal();
  }

  /** The start of the line `step` lines from the current one, or null. */
  near(step) {
    const at = this.timed.indexOf(this.current) + step;
    return this.starts[Math.max(0, Math.min(at, this.starts.length - 1))] ?? null;
  }

  /** Show only the lines with these words, marked; all of them for none. Gives how many there are. */
  filter(words) {
    this.words = words.trim();
    for (const paragraph of this.marked) paragraph.textContent = paragraph.textContent;
    this.finder ??= this.words ? new Finder(this.paragraphs.map((one) => one.textContent)) : null;
    const found = this.words ? this.finder.find(this.words) : null;
    this.lines.forEach((line, index) => (line.hidden = found !== null && !found.has(index)));
    this.marked = found ? [...found.keys()].map((index) => this.paragraphs[index]) : [];
    found?.forEach((spans, index) => mark(this.paragraphs[index], spans));
    for (const section of this.holder.querySelectorAll("section")) {
      section.hidden = found !== null && !section.querySelector(".line:not([hidden])");
    }
    if (!found && this.following) this.reveal(true);
    return found ? found.size : null;
  }

  /** The start of the next line shown after the current one, around the end; before it for `step` -1. */
  nextFound(step) {
    const shown = this.timed.filter((line) => !line.hidden);
    if (!shown.length) return null;
    const now = this.timed.indexOf(this.current);
    const places = shown.map((line) => this.timed.indexOf(line));
    const next = step > 0 ? places.find((place) => place > now) : places.findLast((place) => place < now);
    return this.starts[next ?? (step > 0 ? places[0] : places.at(-1))];
  }

  #watchTheReader() {
    const away = ({ target }) => {
      if (this.current && (this.#pageScrolls() || this.box.contains(target))) this.#follow(false);
    };
    for (const event of ["wheel", "touchmove"]) document.addEventListener(event, away, { passive: true });
    this.box.addEventListener("pointerdown", (event) => event.target === this.box && away(event)); // its scroll bar
    this.button.addEventListener("click", () => this.resume());
  }

  /** On a phone the page scrolls; on a wide screen the box does, and the page stays. */
  #pageScrolls() {
    return getComputedStyle(this.box).overflowY === "visible";
  }

  #follow(follows) {
    this.following = follows;
    this.button.hidden = follows;
  }
}

/** Wrap spans of a paragraph's text in marks. The words are a stranger's: they stay text. */
function mark(paragraph, spans) {
  const text = paragraph.textContent;
  const parts = [];
  let done = 0;
  for (const [start, end] of spans) {
    const marked = document.createElement("mark");
    marked.textContent = text.slice(start, end);
    parts.push(text.slice(done, start), marked);
    done = end;
  }
  paragraph.replaceChildren(...parts, text.slice(done));
}
