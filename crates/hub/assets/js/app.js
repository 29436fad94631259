// What pages do beyond links and forms. Everything here is a help: without it, links and forms still work.
(() => {
  "use strict";

  const byId = (id) => document.getElementById(id);
  const isTyping = (target) => target.closest?.("input, textarea, select, [contenteditable]") !== null;
  const palette = byId("palette");
  const isMac = /mac|iphone|ipad/i.test(navigator.platform);

  // --- Dialogs, menus, toasts ---------------------------------------------------------------------------------------
  const open = (dialog) => {
    if (!dialog || dialog.open) return;
    closeMenus(null);
    dialog.showModal();
    if (dialog === palette) {
      palette.querySelector("input").value = "";
      filter();
    }
    (dialog.querySelector("[aria-invalid]") ?? dialog.querySelector("[autofocus]"))?.focus();
  };

  const closeMenus = (except) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (menu !== except) menu.open = false;
    }
  };

  const dismissLater = (toast) => setTimeout(() => toast.remove(), toast.classList.contains("danger") ? 12000 : 6000);

  const copy = async (button) => {
    const source = byId(button.dataset.copies);
    await navigator.clipboard.writeText(source.value ?? source.textContent);
    const text = button.querySelector("span");
    const before = text.textContent;
    text.textContent = button.dataset.copied;
    button.classList.add("is-done");
    announce(button.dataset.copied);
    setTimeout(() => {
      text.textContent = before;
      button.classList.remove("is-done");
    }, 2000);
  };

  const reveal = (button) => {
    const field = byId(button.dataset.reveals);
    const shows = field.type === "password";
    field.type = shows ? "text" : "password";
    button.setAttribute("aria-pressed", String(shows));
  };

  // Says something once to those who listen.
  const announce = (text) => {
    const region = byId("announcer");
    if (region) region.textContent = text;
  };

  document.addEventListener("click", (event) => {
    const target = event.target;
    const opener = target.closest("[data-opens]");
    if (opener) return open(byId(opener.dataset.opens));
    if (target.closest("[data-closes]")) return target.closest("dialog").close();
    if (target.closest("[data-dismisses]")) return target.closest("[data-toast]").remove();
    const copier = target.closest("[data-copies]");
    if (copier) return void copy(copier);
    const revealer = target.closest("[data-reveals]");
    if (revealer) return reveal(revealer);
    // A click on the veil is a click on the dialog itself.
    if (target.matches("dialog[open]")) target.close();
    closeMenus(target.closest("details.menu"));
  });

  // --- Forms --------------------------------------------------------------------------------------------------------
  // A form is sent once: its button shows that it works until the next page is there.
  document.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (!button?.classList.contains("button") || event.target.hasAttribute("hx-post")) return;
    if (button.getAttribute("aria-busy") === "true") return event.preventDefault();
    button.setAttribute("aria-busy", "true");
  });
  window.addEventListener("pageshow", () => {
    for (const button of document.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy");
  });
  document.addEventListener("htmx:configRequest", (event) => {
    event.detail.headers["X-CSRF-Token"] = document.querySelector("meta[name=csrf]").content;
  });

  // A page that nobody looks at asks for nothing; what it missed comes with the next look.
  document.addEventListener("htmx:beforeRequest", (event) => {
    const { elt } = event.detail;
    if (document.hidden && elt.hasAttribute("data-rests-hidden")) event.preventDefault();
    // Nor is a part exchanged under the hands of somebody who has ticked, opened or focused something in it.
    const isTicked = (input) => input.checked && !input.defaultChecked;
    const isBusy = () => elt.querySelector("details[open], dialog[open], :focus-visible") !== null
      || [...elt.querySelectorAll("input")].some(isTicked);
    if (elt.hasAttribute("data-rests-busy") && isBusy()) event.preventDefault();
  });

  // --- Times --------------------------------------------------------------------------------------------------------
  const distances = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "always" });
  const refreshTimes = () => {
    for (const time of document.querySelectorAll("time[data-ago]")) {
      const minutes = Math.floor((Date.now() - Date.parse(time.dateTime)) / 60000);
      if (minutes < 1 || minutes >= 1440) continue;
      time.textContent = minutes < 60
        ? distances.format(-minutes, "minute")
        : distances.format(-Math.floor(minutes / 60), "hour");
    }
  };
  setInterval(refreshTimes, 30000);

  const countDown = () => {
    for (const time of document.querySelectorAll("[data-countdown]")) {
      const left = Math.ceil((Number(time.dataset.countdown) - Date.now()) / 1000);
      time.classList.toggle("is-over", left <= 0);
      time.textContent = left <= 0
        ? time.dataset.over
        : `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    }
  };
  setInterval(countDown, 1000);

  // --- Command palette ----------------------------------------------------------------------------------------------
  const entries = () => [...palette.querySelectorAll("a")].filter((entry) => !entry.hidden);

  const select = (entry) => {
    for (const other of palette.querySelectorAll("a")) other.setAttribute("aria-selected", String(other === entry));
    entry?.scrollIntoView({ block: "nearest" });
  };

  const filter = () => {
    const wanted = palette.querySelector("input").value.trim().toLowerCase();
    for (const entry of palette.querySelectorAll("#palette-list > a")) {
      entry.hidden = !entry.textContent.toLowerCase().includes(wanted);
    }
    const shown = entries();
    palette.querySelector(".palette-none").hidden = shown.length > 0;
    select(shown[0]);
  };

  if (palette) {
    palette.addEventListener("input", filter);
    palette.addEventListener("htmx:afterSwap", filter);
    palette.addEventListener("keydown", (event) => {
      const shown = entries();
      const at = shown.findIndex((entry) => entry.getAttribute("aria-selected") === "true");
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step && shown.length > 0) {
        event.preventDefault();
        select(shown[(at + step + shown.length) % shown.length]);
      } else if (event.key === "Enter" && shown[at]) {
        event.preventDefault();
        shown[at].click();
      }
    });
  }

  // --- A box that ticks all of a name in its form -------------------------------------------------------------------
  document.addEventListener("change", (event) => {
    const name = event.target.dataset?.ticks;
    if (!name) return;
    for (const box of event.target.form.querySelectorAll(`input[name="${name}"]`)) box.checked = event.target.checked;
  });

  // --- Forms whose unsaved changes would be lost --------------------------------------------------------------------
  let unsaved = null;
  document.addEventListener("input", (event) => {
    unsaved = event.target.closest?.("form[data-warns]") ?? unsaved;
  });
  document.addEventListener("submit", (event) => {
    if (event.target === unsaved) unsaved = null;
  });
  window.addEventListener("beforeunload", (event) => {
    if (unsaved?.isConnected) event.preventDefault();
  });

  // --- Keys ---------------------------------------------------------------------------------------------------------
  document.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "Escape") return closeMenus(null);
    if (palette && event.key.toLowerCase() === "k" && (isMac ? event.metaKey : event.ctrlKey)) {
      event.preventDefault();
      return palette.open ? palette.close() : open(palette);
    }
    if (isTyping(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "?" && byId("keys")) {
      event.preventDefault();
      open(byId("keys"));
    } else if (event.key === "/") {
      const search = document.querySelector("[data-search]");
      if (!search) return;
      event.preventDefault();
      search.focus();
    }
  });

  // Where a strip is wider than the screen, the entry one is at stands in its middle.
  for (const here of document.querySelectorAll(".settings-nav [aria-current], .tabs [aria-current]")) {
    const strip = here.closest("nav");
    const { left, width } = strip.getBoundingClientRect();
    strip.scrollLeft += here.getBoundingClientRect().left - left - (width - here.offsetWidth) / 2;
  }

  // --- Start, and again for what htmx brings ------------------------------------------------------------------------
  const prepare = (root) => {
    for (const toast of root.querySelectorAll("[data-toast]")) dismissLater(toast);
    for (const key of root.querySelectorAll("[data-mod-key]")) {
      if (!key.dataset.done) key.textContent = `${isMac ? "⌘" : "Ctrl "}${key.textContent}`;
      key.dataset.done = "1";
    }
    for (const dialog of root.querySelectorAll("dialog[data-open]")) open(dialog);
    countDown();
  };
  document.addEventListener("htmx:load", (event) => prepare(event.detail.elt.parentElement ?? document));
  prepare(document);
})();
