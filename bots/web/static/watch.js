// The watch page: brings the player, the transcript, the search and the keyboard together.

import { Languages } from "./languages.js";
import { fragmentOf, lastUpTo, momentOf } from "./moment.js";
import { Transcript } from "./transcript.js";

const byId = (id) => document.getElementById(id);
const media = byId("media");
const search = byId("search");
const transcript = byId("lines") && new Transcript(byId("scroll"), byId("lines"), byId("follow"));
const languages = transcript && new Languages(media, transcript);
const chapters = [...document.querySelectorAll(".chapters a")];
const chapterStarts = chapters.map((link) => Number(link.dataset.start));

/** Where the film is; without one, the moment that was chosen last. */
let moment = 0;

function now() {
  return media ? media.currentTime : moment;
}

function jump(seconds) {
  moment = Math.max(0, seconds);
  if (media) seek(moment);
  show(true);
}

function seek(seconds) {
  if (media.readyState >= HTMLMediaElement.HAVE_METADATA) media.currentTime = seconds;
  else media.addEventListener("loadedmetadata", () => (media.currentTime = moment), { once: true });
}

function show(jumped = false) {
  const seconds = jumped ? moment : now();
  transcript?.show(seconds, { jump: jumped });
  const at = lastUpTo(chapterStarts, seconds + 0.05);
  chapters.forEach((link, index) => link.setAttribute("aria-current", String(index === at)));
}

function openMoment() {
  const seconds = momentOf(location.hash);
  if (seconds !== null) jump(seconds);
}

// ---- the mouse: a click on a line or a chapter jumps; selecting text does not ----

document.addEventListener("click", (event) => {
  const target = event.target.closest(".line[data-start], .chapters a");
  const link = event.target.closest("a");
  if (!target || event.ctrlKey || event.metaKey || event.shiftKey || (link && !link.hash)) return;
  if (!link && !getSelection().isCollapsed) return;
  event.preventDefault();
  const seconds = Number(target.dataset.start);
  history.replaceState(null, "", fragmentOf(seconds));
  jump(seconds);
});

// ---- the search ----

let typing;

function filter() {
  clearTimeout(typing);
  const count = transcript.filter(search.value);
  byId("found").value = count === null ? "" : count === 1 ? "1 line" : `${count} lines`;
}

search?.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(filter, 100);
});

search?.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.isComposing) return;
  filter();
  const seconds = transcript.nextFound(event.shiftKey ? -1 : 1);
  if (search.value.trim() && seconds !== null) {
    jump(seconds);
    transcript.reveal();
  }
});

// ---- the keyboard ----

const step = (seconds) => () => jump(Math.min(media.currentTime + seconds, media.duration || Infinity));
const line = (count) => () => jump(transcript.near(count) ?? now());

function togglePlay() {
  if (media.paused) media.play().catch(() => {}); // the player itself shows why not
  else media.pause();
}

function toggleFullScreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else media.requestFullscreen?.();
}

const KEYS = {
  ...(media && {
    " ": togglePlay,
    k: togglePlay,
    j: step(-10),
    l: step(10),
    ArrowLeft: step(-5),
    ArrowRight: step(5),
    m: () => (media.muted = !media.muted),
    f: toggleFullScreen,
  }),
  ...(transcript && {
    ArrowUp: line(-1),
    ArrowDown: line(1),
    c: () => languages.toggleCaptions(),
    "/": () => search.focus(),
  }),
  "?": () => byId("help").showModal(),
};

function escape() {
  if (languages?.close()) return;
  if (search?.value) {
    search.value = "";
    filter();
  }
  search?.blur();
  transcript?.resume();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || byId("help").open) return;
  if (event.key === "Escape") return escape();
  const focused = event.target.closest("input, textarea, select, button, summary, a");
  const isTyping = focused?.matches("input, textarea, select");
  if (isTyping || (focused && [" ", "Enter"].includes(event.key))) return;
  const act = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

byId("keys").addEventListener("click", () => byId("help").showModal());
byId("close-help").addEventListener("click", () => byId("help").close());

// ---- the beginning ----

for (const event of ["timeupdate", "seeking", "seeked"]) media?.addEventListener(event, () => show());
media?.addEventListener("error", () => (byId("unplayable").hidden = false));
if (media?.error) byId("unplayable").hidden = false;
document.addEventListener("language", () => {
  filter();
  moment = now();
  show(true);
});
addEventListener("hashchange", openMoment);
for (const time of document.querySelectorAll(".files time")) {
  time.textContent = new Date(time.dateTime).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}
openMoment();
