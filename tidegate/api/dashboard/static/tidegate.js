/* Keeps a page live, and lets a signed-in person act. Everything shown is made by the server; this only puts it in place. */
"use strict";

const Tidegate = (() => {
  const find = (name) => document.querySelector(`[data-${name}]`);

  // --- Who is signed in ------------------------------------------------------------------------------------------------
  // The key is kept where only this address with this port can read it. Cookies would be shown to every port.
  const KEY = "tidegate.session";
  const session = () => {
    try {
      const kept = JSON.parse(localStorage.getItem(KEY));
      return kept && new Date(kept.until) > new Date() ? kept : null;
    } catch {
      return null;
    }
  };
  const showUser = () => {
    const kept = session();
    find("user").textContent = kept ? `Signed in as ${kept.user}` : "Looking only; sign in: tidegate open";
    find("sign-out").hidden = !kept;
  };
  const signOut = () => {
    localStorage.removeItem(KEY);
    showUser();
  };
  const SILENT_NOW = "Tidegate does not answer. Nothing is known to have happened; look again before you repeat it.";
  const send = async (method, path, body, kind, signal) => {
    const kept = session(), headers = {};
    if (body !== undefined) headers["Content-Type"] = kind;
    if (kept) headers.Authorization = `Bearer ${kept.key}`;
    const answer = await fetch(path, { method, headers, body, signal });
    if (answer.status === 401 && kept) signOut();
    return answer;
  };
  /* Asks the API for a change; gives its answer, or an Error with its two sentences. */
  const order = async (method, path, body, kind) => {
    let answer, content;
    try {
      answer = await send(method, path, body, kind);
      content = await answer.json();
    } catch {
      throw new Error(SILENT_NOW);
    }
    if (!answer.ok) throw new Error(`${content.detail} ${content.mend}`);
    return content;
  };
  const ask = (path, body, method = "POST") => order(method, path, JSON.stringify(body), "application/json");
  const signIn = async () => {
    const code = location.hash.slice(1), told = find("login-told");
    if (!code) return;
    history.replaceState(null, "", "/login");
    try {
      localStorage.setItem(KEY, JSON.stringify(await ask("/v1/session", { code })));
      told.textContent = `Signed in as ${session().user}.`;
      showUser();
      location.replace("/");
    } catch (error) {
      told.textContent = error.message;
    }
  };

  // --- Acting ----------------------------------------------------------------------------------------------------------
  const dialog = find("confirm");
  let asked = null;
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const command = () => {
    const reason = find("confirm-reason").value.trim();
    const full = asked.full !== undefined ? " --full" : "";
    const base = asked.command || `tidegate ${asked.verb} ${asked.subject}${full}`;
    return base + (reason ? ` --reason ${quoted(reason)}` : "");
  };
  const confirm = (button) => {
    asked = { ...button.dataset };
    const known = session() !== null;
    find("confirm-title").textContent = `${button.textContent}: ${asked.subject}`;
    find("confirm-asks").textContent = asked.asks;
    find("confirm-known").hidden = !known;
    find("confirm-reasoned").hidden = asked.unreasoned !== undefined;
    find("confirm-unknown").hidden = known;
    find("confirm-yes").hidden = !known;
    find("confirm-yes").textContent = button.textContent;
    find("confirm-yes").classList.toggle("danger", button.classList.contains("danger"));
    find("confirm-yes").disabled = false;
    find("confirm-wrong").hidden = true;
    find("confirm-reason").value = "";
    find("confirm-command").textContent = command();
    dialog.showModal();
    (known && asked.unreasoned === undefined ? find("confirm-reason") : find("confirm-no")).focus();
  };
  const wrong = (sentence) => {
    find("confirm-wrong").textContent = sentence;
    find("confirm-wrong").hidden = false;
  };
  const act = async () => {
    // What was confirmed was confirmed of what was seen then.
    const now = [...document.querySelectorAll("[data-verb]")].some((one) => one.dataset.place === asked.place && one.dataset.verb === asked.verb);
    if (!now) {
      wrong("It has gone on meanwhile: look again, and repeat it if you still want it.");
      find("confirm-yes").disabled = true;
      return;
    }
    const body = asked.unreasoned === undefined ? { reason: find("confirm-reason").value.trim() } : {};
    if (asked.full !== undefined) body.full = true;
    if (asked.now !== undefined) body.now = true;
    find("confirm-yes").disabled = true;
    try {
      const done = await ask(asked.path, body);
      dialog.close();
      toast(`${find("confirm-yes").textContent}: done, and written down for ${session().user}.`);
      if (asked.leads !== undefined && done.rollout) location.assign(`/rollouts/${encodeURIComponent(done.rollout.id)}`);
    } catch (error) {
      wrong(error.message);
      find("confirm-yes").disabled = false;
    }
  };
  let fading = 0;
  const toast = (sentence) => {
    find("toast").textContent = sentence;
    clearTimeout(fading);
    fading = setTimeout(() => { find("toast").textContent = ""; }, 6000);
  };

  // --- Live ------------------------------------------------------------------------------------------------------------
  /* Puts what the server made in its place; what the reader has opened, focused and scrolled stays so. */
  const put = (place, html) => {
    if (!place || place.lastPart === html) return;
    place.lastPart = html;
    const open = [...place.querySelectorAll("details[open][id]")].map((one) => one.id);
    const focusable = "a, button, summary, input, select, textarea, [tabindex]";
    const focused = place.contains(document.activeElement) ? [...place.querySelectorAll(focusable)].indexOf(document.activeElement) : -1;
    const scrolled = [...place.querySelectorAll(".scroll")].map((one) => one.scrollLeft);
    place.innerHTML = html;
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    [...place.querySelectorAll(".scroll")].forEach((one, number) => { one.scrollLeft = scrolled[number] || 0; });
    if (focused >= 0) [...place.querySelectorAll(focusable)][focused]?.focus();
  };
  const SILENT = 4000;
  const live = (path) => {
    const points = Charts.begin();
    let source = null, heard = Date.now(), running = null;
    const listen = () => {
      source?.close();
      source = new EventSource(path);
      const on = (kind, take) => source.addEventListener(kind, (event) => {
        heard = Date.now();
        if (kind !== "problem") find("silence").hidden = true;
        take(JSON.parse(event.data));
      });
      on("hello", ({ version }) => {
        if (running !== null && running !== version) location.reload();
        running = version;
      });
      on("parts", (parts) => { for (const [name, html] of Object.entries(parts)) put(document.querySelector(`[data-part="${name}"]`), html); });
      on("course", ({ names, rows, fresh }) => points(names, rows, fresh));
      on("beat", () => {});
      on("problem", ({ detail, mend }) => say(`${detail} ${mend}`));
    };
    const say = (sentence) => {
      if (find("silence").textContent !== sentence) find("silence").textContent = sentence;
      find("silence").hidden = false;
    };
    const watch = () => {
      if (document.hidden) return;
      if (Date.now() - heard > SILENT) say(`Tidegate is silent since ${new Date(heard).toLocaleTimeString("en-GB")}: what you see is from then. Users go on as they are; it is asked again all the time.`);
      if (source === null || source.readyState === EventSource.CLOSED) listen();
    };
    // A browser has few connections for one address: pages that nobody sees let go of theirs.
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) {
        source?.close();
        source = null;
      } else {
        heard = Date.now();
        listen();
      }
    });
    listen();
    setInterval(watch, 1000);
  };

  // --- Begin -----------------------------------------------------------------------------------------------------------
  showUser();
  window.addEventListener("storage", showUser);
  find("sign-out").addEventListener("click", signOut);
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-verb]");
    if (button) confirm(button);
  });
  find("confirm-no").addEventListener("click", () => dialog.close());
  find("confirm-reason").addEventListener("input", () => { find("confirm-command").textContent = command(); });
  dialog.querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    act();
  });
  if ("login" in document.body.dataset) signIn();
  if (document.body.dataset.live) live(document.body.dataset.live);
  return { session, send, order, toast, put, quoted };
})();
