"use strict";
// All of this is comfort: every page works without it.
(() => {
  const box = document.getElementById("q");
  const KEPT = 12;

  const stored = (name, otherwise) => {
    try { return JSON.parse(localStorage.getItem(name)) ?? otherwise; } catch { return otherwise; }
  };
  const store = (name, value) => {
    try { localStorage.setItem(name, JSON.stringify(value)); } catch { /* storage is full or switched off */ }
  };

  for (const hidden of document.querySelectorAll(".script")) hidden.hidden = false;

  // The key "/" (it can be switched off: WCAG 2.1.4) and Escape
  const slash = document.getElementById("slash");
  slash.checked = stored("slash", true) !== false;
  slash.addEventListener("change", () => store("slash", slash.checked));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    const typing = event.target.matches("input:not([type=checkbox]), textarea, select");
    if (event.key === "/" && slash.checked && !typing) {
      event.preventDefault();
      box.focus();
      box.select();
    } else if (event.key === "Escape" && event.target === box) {
      event.preventDefault();
      box.value = "";
    }
  });

  // Past questions, in this browser only
  const past = () => {
    const list = stored("past", []);
    return Array.isArray(list) ? list.filter((item) => typeof item === "string").slice(0, KEPT) : [];
  };
  const answer = document.querySelector("[data-question]");
  if (answer) {
    const question = answer.dataset.question;
    store("past", [question, ...past().filter((other) => other !== question)].slice(0, KEPT));
  }
  const section = document.getElementById("past");
  if (section && past().length) {
    for (const question of past()) {
      const link = document.createElement("a");
      link.href = "/?" + new URLSearchParams({ q: question });
      link.textContent = question;
      const item = document.createElement("li");
      item.append(link);
      section.querySelector("ul").append(item);
    }
    section.hidden = false;
    document.getElementById("forget").addEventListener("click", () => {
      localStorage.removeItem("past");
      section.hidden = true;
      box.focus();
    });
  }

  // Copy citation
  const copy = document.getElementById("copy");
  copy?.addEventListener("click", async () => {
    let said = "Copied.";
    try { await navigator.clipboard.writeText(JSON.parse(copy.dataset.copy)); } catch { said = "The browser did not allow it."; }
    document.getElementById("said").textContent = said;
  });
})();
