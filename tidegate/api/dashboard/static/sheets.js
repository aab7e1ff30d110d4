/* Sheets: parts of a page that not everybody may read, or that a form asks for. The server makes them, as it makes pages.

   <div data-sheet="/sheets/..." id="x">    is asked for with the key of who is signed in; data-every="2000" again and again
   <form data-feeds="x">                    its fields are the query of that sheet, also while typing
   <button data-turn="3">                   inside of a sheet: the same with page=3
   <form data-checks="/sheets/..." data-into="x">   its fields are sent as JSON, and the answer goes into x; its button is
                                            disabled until this is here: pressed before, the browser would leave the page */
"use strict";

const Sheets = (() => {
  const SIGN_IN = `<p class="dim" data-sign-in>Only for who is signed in: it may name people, or hold secrets. Type <code>tidegate open</code> in a terminal on this machine, and open the address that it prints.</p>`;
  const SILENT = `<p class="wrong">Tidegate does not answer. It is asked again.</p>`;
  const TYPED = 250;

  /* What a door has refused, or nobody foresaw, is no page. */
  const said = async (answer) => {
    if ((answer.headers.get("content-type") || "").startsWith("text/html")) return answer.text();
    const { detail, mend } = await answer.json(), told = document.createElement("p");
    told.className = "wrong";
    told.textContent = `${detail} ${mend}`;
    return told.outerHTML;
  };
  const asked = async (place, method, path, body) => {
    const turn = place.turn = (place.turn || 0) + 1;
    if (!Tidegate.session()) {
      Tidegate.put(place, SIGN_IN);
      return false;
    }
    place.setAttribute("aria-busy", "true");
    let html, ok = false;
    try {
      const answer = await Tidegate.send(method, path, body, "application/json");
      html = answer.status === 401 ? SIGN_IN : await said(answer);
      ok = answer.ok;
    } catch {
      html = SILENT;
    }
    if (turn !== place.turn) return false;
    const log = place.querySelector("[data-end]"), at = !log || log.scrollTop + log.clientHeight >= log.scrollHeight - 8, was = log?.scrollTop;
    Tidegate.put(place, html);
    place.removeAttribute("aria-busy");
    const now = place.querySelector("[data-end]");
    if (now) now.scrollTop = at ? now.scrollHeight : was;
    place.dispatchEvent(new CustomEvent("shown", { detail: { ok } }));
    return ok;
  };

  const load = async (place) => {
    clearTimeout(place.again);
    if (!document.hidden) {
      const query = new URLSearchParams(place.query || "").toString();
      await asked(place, "GET", query ? `${place.dataset.sheet}${place.dataset.sheet.includes("?") ? "&" : "?"}${query}` : place.dataset.sheet);
    }
    if (place.dataset.every && place.follows !== false) {
      clearTimeout(place.again);
      place.again = setTimeout(() => load(place), Number(place.dataset.every));
    }
  };

  const fields = (form) => Object.fromEntries([...new FormData(form)].filter(([, value]) => value !== ""));
  const typed = (form, then) => {
    let waiting = 0;
    form.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(then, TYPED);
    });
    form.addEventListener("change", () => {
      clearTimeout(waiting);
      then();
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      clearTimeout(waiting);
      then();
    });
  };

  const begin = (root) => {
    for (const place of root.querySelectorAll("[data-sheet]")) {
      place.addEventListener("click", (event) => {
        const button = event.target.closest("[data-turn]");
        if (!button) return;
        place.query = { ...place.query, page: button.dataset.turn };
        load(place);
      });
      const form = document.querySelector(`form[data-feeds="${place.id}"]`);
      if (form) {
        const feed = () => {
          const { follow, ...query } = fields(form);
          place.query = query;
          if (form.elements.follow) place.follows = form.elements.follow.checked;
          load(place);
        };
        typed(form, feed);
        feed();
      } else load(place);
    }
    for (const form of root.querySelectorAll("form[data-checks]")) {
      const place = document.getElementById(form.dataset.into);
      const check = () => asked(place, "POST", form.dataset.checks, JSON.stringify({ ...(form.also?.() || {}), ...fields(form) }));
      form.check = check;
      if (form.dataset.typing !== undefined) typed(form, check);
      else form.addEventListener("submit", (event) => {
        event.preventDefault();
        check();
      });
      for (const button of form.querySelectorAll("button[type=submit]")) button.disabled = false;
    }
  };

  window.addEventListener("storage", () => {
    for (const place of document.querySelectorAll("[data-sheet]")) load(place);
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) for (const place of document.querySelectorAll("[data-sheet][data-every]")) load(place);
  });
  begin(document);
  return { load, asked, fields };
})();
