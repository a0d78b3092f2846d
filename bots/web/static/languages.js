// Another language without leaving the film: the page in that language is fetched, and its lines taken over.

export class Languages {
  constructor(media, transcript) {
    this.media = media;
    this.transcript = transcript;
    this.asked = 0;
    document.addEventListener("click", (event) => this.#clicked(event));
  }

  /** Show or hide the captions in the film, in the transcript's language. */
  toggleCaptions() {
    const shown = this.#tracks().some((track) => track.track.mode === "showing");
    this.#caption(shown ? null : this.transcript.holder.dataset.key);
  }

  /** Close the menu; whether it was open. */
  close() {
    const menu = document.querySelector(".menu[open]");
    menu?.removeAttribute("open");
    return Boolean(menu);
  }

  async #clicked(event) {
    const link = event.target.closest(".menu a");
    if (!event.target.closest(".menu") || link) this.close();
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const turn = ++this.asked;
    const page = await fetchPage(link.href).catch(() => null);
    if (turn !== this.asked) return; // somebody was quicker with another language
    const lines = page?.getElementById("lines");
    if (!lines) location.assign(link.href); // it says by itself what is wrong
    else this.#show(link, page, lines);
  }

  #show(link, page, lines) {
    const shown = this.#tracks().some((track) => track.track.mode === "showing");
    document.getElementById("languages").replaceWith(document.adoptNode(page.getElementById("languages")));
    this.transcript.replace(document.adoptNode(lines));
    if (shown) this.#caption(link.dataset.key);
    history.replaceState(null, "", new URL(link.href).search + location.hash);
    document.dispatchEvent(new CustomEvent("language"));
  }

  #caption(key) {
    for (const one of this.#tracks()) one.track.mode = one.dataset.key === key ? "showing" : "disabled";
  }

  #tracks() {
    return [...(this.media?.querySelectorAll("track") ?? [])];
  }
}

/** A page as a document that runs nothing and loads nothing. */
function fetchPage(address) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("GET", address);
    request.responseType = "document";
    request.timeout = 30_000;
    request.onload = () => (request.status === 200 ? resolve(request.responseXML) : reject(request.status));
    request.onerror = request.ontimeout = reject;
    request.send();
  });
}
