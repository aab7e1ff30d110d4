/* The form in which a change of flags is written. The server says what it would do while it is typed; nothing begins but what
   was looked at, and made from the document that is in force. */
"use strict";

(() => {
  const place = document.getElementById("change");
  if (!place) return;
  const TYPED = 300;

  const begin = (form) => {
    const ahead = document.getElementById("ahead"), button = form.querySelector("[type=submit]"), refused = form.querySelector("[data-refused]");
    const value = (name) => form.elements[name]?.value ?? "";
    const typed = form.dataset.typed !== undefined;
    let seen = null, busy = false;

    const wish = () => ({ do: value("do"), name: value("name").trim(), number: Number(value("number")), text: value("text") });
    const state = () => JSON.stringify({ ...wish(), plan: value("plan").trim() });
    const now = () => form.elements.now.checked;
    const ready = () => {
      const sound = ahead.querySelector("[data-sound]"), risk = ahead.querySelector("[data-risk]");
      for (const one of ahead.querySelectorAll("[data-by-steps]")) one.hidden = now();
      for (const one of ahead.querySelectorAll("[data-at-once]")) one.hidden = !now();
      form.elements.plan.disabled = now();
      button.disabled = busy || seen !== state() || !sound || "nothing" in sound.dataset || (risk !== null && !now() && !risk.checked);
      form.querySelector("[data-shown-command]").textContent = command();
    };
    const command = () => {
      const { name } = wish(), plan = value("plan").trim(), reason = value("reason").trim();
      const begun = form.dataset.command.replace("NAME", name ? Tidegate.quoted(name) : "NAME");
      return begun + (now() ? " --now" : plan ? ` --plan ${Tidegate.quoted(plan)}` : "") + (reason ? ` --reason ${Tidegate.quoted(reason)}` : "");
    };
    const check = async () => {
      const asked = state();
      const ok = await Sheets.asked(ahead, "POST", form.dataset.check, JSON.stringify({ ...JSON.parse(asked), base: Number(value("base")) }));
      if (ok) seen = asked;
      ready();
    };

    /* What is typed is sent as it is, in a body of YAML: the server reads it as it read it while it was typed. */
    const order = () => {
      const { do: kind, name, number, text } = wish(), plan = value("plan").trim();
      const how = { base: Number(value("base")), reason: value("reason").trim() };
      if (now()) how.now = true;
      else if (plan) how.plan = plan;
      if (kind === "release") how.number = number;
      const path = form.dataset.path.replace("{name}", encodeURIComponent(name));
      if (!typed) return Tidegate.order(form.dataset.method, path, JSON.stringify(how), "application/json");
      const lines = text.split("\n").map((line) => `  ${line}`).join("\n");
      const rest = Object.entries(how).map(([key, said]) => `${key}: ${JSON.stringify(said)}`).join("\n");
      return Tidegate.order(form.dataset.method, path, `content:\n${lines}\n${rest}\n`, "application/yaml");
    };

    let waiting = 0;
    form.addEventListener("input", (event) => {
      refused.hidden = true;
      if (event.target.matches("[name=text], [name=name], [name=plan]")) {
        clearTimeout(waiting);
        waiting = setTimeout(check, TYPED);
      }
      ready();
    });
    form.addEventListener("change", ready);
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (button.disabled) return;
      busy = true;
      ready();
      try {
        const done = await order();
        if (done.rollout) location.assign(`/rollouts/${encodeURIComponent(done.rollout.id)}`);
        else Tidegate.toast(done.sentence);
      } catch (error) {
        refused.textContent = error.message;
        refused.hidden = false;
      }
      busy = false;
      ready();
    });
    const who = document.querySelector("form[data-who]");
    if (who) {
      who.also = () => {
        const change = wish();
        return change.do === "new-flag" && change.name ? { change, flag: change.name } : { change };
      };
    }
    check();
  };

  place.addEventListener("shown", () => {
    const form = place.querySelector("form[data-change]");
    if (form && !form.begun) {
      form.begun = true;
      begin(form);
    }
  });
})();
