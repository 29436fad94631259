// The inbox without reloads: conversations open in place, what happens elsewhere appears by itself, what is typed stays.
// Without this script every link and form of the inbox still works.
(() => {
  "use strict";

  const root = document.getElementById("inbox");
  if (!root) return;

  const byId = (id) => document.getElementById(id);
  const words = root.dataset;
  const csrf = document.querySelector("meta[name=csrf]").content;
  // The hub's clock against this machine's.
  const skew = Number(words.now) - Date.now();
  const now = () => Date.now() + skew;

  const talk = () => byId("inbox-talk");
  const open = () => talk()?.dataset.id ?? "";
  const isTyping = (target) => target.closest?.("input, textarea, select, [contenteditable]") !== null;

  // --- Asking the hub -----------------------------------------------------------------------------------------------
  const ask = async (address, body) => {
    const headers = { "HX-Request": "true", "HX-Current-URL": location.href };
    const options = { headers, credentials: "same-origin" };
    if (body !== undefined) {
      options.method = "POST";
      options.body = body;
      headers["X-CSRF-Token"] = csrf;
    }
    const response = await fetch(address, options);
    const elsewhere = response.headers.get("HX-Redirect");
    if (elsewhere) location.assign(elsewhere);
    return response;
  };

  const parse = (html) => {
    const template = document.createElement("template");
    template.innerHTML = html;
    return template.content;
  };

  const get = async (address) => {
    const response = await ask(address);
    return response.ok ? parse(await response.text()) : null;
  };

  // The list's address with what is chosen, plus further values.
  const listed = (path, more) => {
    const query = new URLSearchParams(location.search);
    query.delete("view");
    query.delete("after");
    for (const [name, value] of Object.entries(more)) query.set(name, value);
    return `${path}?${query}`;
  };

  // Each message is said once, to those who listen.
  const saidBefore = new Set();
  const say = (id, text) => {
    if (!id || saidBefore.has(id)) return;
    saidBefore.add(id);
    byId("inbox-said").textContent = text;
  };

  // --- The list -----------------------------------------------------------------------------------------------------
  const place = (row) => {
    const [at, id] = row.dataset.place.split(".");
    return { at: Number(at), id };
  };
  const isNewer = (a, b) => a.at > b.at || (a.at === b.at && a.id > b.id);

  const setTabs = (fresh) => {
    const tabs = byId("inbox-tabs");
    if (!fresh || !tabs) return;
    tabs.replaceChildren(...fresh.children);
    tabs.dataset.unread = fresh.dataset.unread;
    setTitle();
  };

  const setTitle = () => {
    const unread = Number(byId("inbox-tabs")?.dataset.unread ?? 0);
    document.title = `${unread > 0 ? `(${unread}) ` : ""}${words.title} · Trunkline`;
  };

  const setRow = (fresh) => {
    const old = byId(fresh.id);
    const list = byId("inbox-rows");
    const focused = old?.contains(document.activeElement);
    const heard = fresh.dataset.last;
    if (heard && heard !== old?.dataset.last && fresh.dataset.id !== open()) say(heard, fresh.dataset.say);
    old?.remove();
    const below = [...list.querySelectorAll(".inbox-row")].find((row) => isNewer(place(fresh), place(row)));
    const more = list.querySelector("[data-more]");
    // What lies below the last row that is loaded comes with its page.
    if (!below && more && !old) return;
    list.insertBefore(fresh, below ?? more);
    if (focused) fresh.querySelector("a").focus({ preventScroll: true });
  };

  const markCurrent = () => {
    for (const row of document.querySelectorAll(".inbox-row")) {
      const isCurrent = row.dataset.id === open();
      row.classList.toggle("is-current", isCurrent);
      const link = row.querySelector(".inbox-row-link");
      if (isCurrent) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  };

  // Fetches the rows that have changed; those the hub leaves out do not belong into this list any more.
  const refreshRows = async (ids) => {
    const fresh = await get(listed("/inbox/rows", { ids: [...ids].join(","), open: open() }));
    if (!fresh) return;
    // The first conversation of an empty list brings the list with it.
    if (fresh.querySelector(".inbox-row") && document.querySelector("#inbox-list .inbox-hint")) return refreshList();
    setTabs(fresh.querySelector("[data-tabs]"));
    for (const id of ids) {
      const row = fresh.getElementById(`row-${id}`);
      if (row) setRow(row);
      else byId(`row-${id}`)?.remove();
    }
    markCurrent();
    showLeft();
    const row = ids.has(open()) && byId(`row-${open()}`);
    if (row) talk().dataset.unread = row.dataset.unread;
  };

  const refreshList = async () => {
    const fresh = await get(listed("/inbox/list", { open: open() }));
    if (!fresh) return;
    const list = byId("inbox-list");
    const search = list.querySelector("[data-search]");
    const typed = search === document.activeElement ? [search.value, search.selectionStart] : null;
    const scrolled = byId("inbox-rows").scrollTop;
    list.replaceChildren(fresh);
    byId("inbox-rows").scrollTop = scrolled;
    if (typed) {
      const again = list.querySelector("[data-search]");
      [again.value] = typed;
      again.focus();
      again.setSelectionRange(typed[1], typed[1]);
    }
    setTitle();
    markCurrent();
    showLeft();
    watchMore();
    showTab();
  };

  // The chosen tab stands where it is seen.
  const showTab = () => {
    const here = document.querySelector("#inbox-tabs [aria-current]");
    const strip = here?.parentElement.getBoundingClientRect();
    const left = here?.getBoundingClientRect().left;
    if (here && left + here.offsetWidth > strip.right - 28) here.parentElement.scrollLeft += left - strip.left;
  };

  const more = new IntersectionObserver(async ([entry]) => {
    if (!entry.isIntersecting) return;
    const item = entry.target;
    more.unobserve(item);
    const address = new URL(item.querySelector("a").href);
    const fresh = await get(`/inbox/list${address.search}`);
    if (!fresh) return;
    const rows = [...fresh.querySelectorAll("[data-rows] > li")].filter((row) => !row.id || !byId(row.id));
    item.replaceWith(...rows);
    markCurrent();
    showLeft();
    watchMore();
  }, { rootMargin: "300px" });
  const watchMore = () => {
    const item = document.querySelector("#inbox-rows [data-more]");
    if (item) more.observe(item);
  };

  const choose = (address) => {
    const before = new URL(location.href);
    const to = new URL(address, location.href);
    history.pushState(null, "", `${before.pathname}${to.search}`);
    return refreshList();
  };

  let searching;
  root.addEventListener("input", (event) => {
    if (!event.target.matches("[data-search]")) return;
    clearTimeout(searching);
    searching = setTimeout(() => {
      const q = byId("inbox-list").querySelector("[data-search]").value.trim();
      history.replaceState(null, "", listed(location.pathname, { q }));
      refreshList();
    }, 250);
  });

  root.addEventListener("change", (event) => {
    if (event.target.matches("[data-account]")) choose(listed("/inbox", { account: event.target.value }));
    if (event.target.id === "inbox-file") {
      attach(event.target.files);
      event.target.value = "";
    }
  });

  // --- Opening a conversation ---------------------------------------------------------------------------------------
  const nothing = open() ? null : byId("inbox-panes").firstElementChild;
  let opening = 0;

  const openTalk = async (address, isNew) => {
    const turn = ++opening;
    const to = new URL(address, location.href);
    const id = to.pathname.split("/")[2];
    const fresh = await get(`/inbox/${id}/talk${to.search}`);
    if (turn !== opening) return;
    if (!fresh) return location.assign(to);
    byId("inbox-panes").replaceChildren(fresh);
    if (isNew) history.pushState({ from: words.view }, "", to);
    words.view = "talk";
    markCurrent();
    startTalk();
  };

  // The pane in front where only one fits. Going deeper is a step that the browser's own "back" takes back.
  const addressOf = (view) => {
    const query = new URLSearchParams(location.search);
    query.delete("view");
    if (view === "person") query.set("view", view);
    const path = view === "list" ? "/inbox" : location.pathname;
    return query.size > 0 ? `${path}?${query}` : path;
  };
  const goTo = (view) => {
    history.pushState({ from: words.view }, "", addressOf(view));
    words.view = view;
  };
  const backTo = (view) => {
    if (history.state?.from === view) return history.back();
    history.replaceState(null, "", addressOf(view));
    arrive();
  };
  const isNarrow = () => matchMedia("(width < 720px)").matches;

  const arrive = async () => {
    const id = location.pathname.split("/")[2] ?? "";
    const before = open();
    if (id && id !== before) await openTalk(location.href, false);
    if (!id && nothing) byId("inbox-panes").replaceChildren(nothing);
    const isPerson = new URLSearchParams(location.search).get("view") === "person";
    words.view = !id ? "list" : isPerson ? "person" : "talk";
    await refreshList();
    if (!id) byId(`row-${before}`)?.querySelector("a").focus({ preventScroll: true });
  };
  window.addEventListener("popstate", arrive);

  root.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    const link = event.target.closest("a");
    if (link?.matches(".inbox-row-link")) {
      event.preventDefault();
      openTalk(link.href, true);
    } else if (link?.matches("[data-tab]")) {
      event.preventDefault();
      choose(link.href);
    } else if (link?.dataset.show) {
      event.preventDefault();
      const isShown = getComputedStyle(byId("inbox-person")).display !== "none";
      if (words.view === "person") backTo("talk");
      else if (!isShown) goTo("person");
    } else if (link?.matches(".inbox-talk .inbox-back")) {
      event.preventDefault();
      backTo("list");
    } else if (event.target.closest("#inbox-down")) {
      toBottom();
    } else if (event.target.closest("[data-emoji]")) {
      insert(event.target.closest("[data-emoji]").textContent);
    }
  });

  // --- The transcript -----------------------------------------------------------------------------------------------
  let isPinned = true;
  const scroller = () => byId("inbox-scroll");
  const toBottom = () => {
    const box = scroller();
    box.scrollTop = box.scrollHeight;
    byId("inbox-down").hidden = true;
    isPinned = true;
  };

  // Pictures that load later must not push the newest message away.
  const grown = new ResizeObserver(() => isPinned && scroller() && toBottom());

  const onScroll = () => {
    const box = scroller();
    isPinned = box.scrollHeight - box.scrollTop - box.clientHeight < 60;
    if (isPinned) byId("inbox-down").hidden = true;
    if (box.scrollTop < 240) loadOlder();
  };

  let isLoadingOlder = false;
  const loadOlder = async () => {
    const mark = document.querySelector("#inbox-turns [data-older]");
    if (!mark || isLoadingOlder) return;
    isLoadingOlder = true;
    const id = open();
    try {
      const fresh = await get(`/inbox/${id}/turns?before=${encodeURIComponent(mark.dataset.older)}`);
      if (!fresh || id !== open()) return;
      const box = scroller();
      const below = box.scrollHeight - box.scrollTop;
      mark.replaceWith(...fresh.querySelectorAll("ol > li"));
      box.scrollTop = box.scrollHeight - below;
    } finally {
      isLoadingOlder = false;
    }
    if (scroller() && scroller().scrollTop < 240) loadOlder();
  };

  // Makes the end of the transcript what the hub says; nodes that have not changed are not touched.
  const setTail = (fresh) => {
    const list = byId("inbox-turns");
    const items = [...fresh.querySelectorAll("ol > .inbox-turn")];
    const known = new Map([...list.querySelectorAll(".inbox-turn:not([data-pending])")].map((turn) => [turn.id, turn]));
    const overlap = items.find((item) => known.has(item.id));
    const arrived = items.filter((item) => !known.has(item.id));
    if (!overlap) {
      const pending = list.querySelectorAll("[data-pending]");
      list.replaceChildren(...fresh.querySelectorAll("ol > li"), ...pending);
    } else {
      const told = new Set(items.map((item) => item.id));
      const all = [...known.values()];
      for (const turn of all.slice(all.indexOf(known.get(overlap.id)))) {
        if (!told.has(turn.id)) turn.remove();
      }
      let last = null;
      for (const item of items) {
        const old = known.get(item.id);
        let turn = old ?? item;
        if (old && old.dataset.v !== item.dataset.v) {
          const shown = old.querySelector("details")?.open;
          old.replaceWith(item);
          if (shown && item.querySelector("details")) item.querySelector("details").open = true;
          turn = item;
        }
        if (last) {
          if (last.nextElementSibling !== turn) last.after(turn);
        } else if (!old) {
          list.insertBefore(turn, known.get(overlap.id));
        }
        last = turn;
      }
    }
    const heard = arrived.filter((turn) => "in" in turn.dataset);
    const newest = heard.at(-1);
    if (newest) say(newest.id, newest.dataset.say);
    if (isPinned) toBottom();
    else if (heard.length > 0) byId("inbox-down").hidden = false;
    return arrived;
  };

  // Fetches the newest turns, and single ones that have changed further up.
  const refreshTalk = async (messages) => {
    const id = open();
    const fresh = await get(`/inbox/${id}/turns`);
    if (!fresh || id !== open()) return;
    const inTail = new Set([...fresh.querySelectorAll(".inbox-turn")].map((turn) => turn.id));
    const arrived = setTail(fresh);
    if (arrived.some((turn) => turn.classList.contains("is-out"))) hideWriter();
    const turnOf = (message) => document.querySelector(`#inbox-turns [data-members~="${CSS.escape(message)}"]`);
    for (const old of new Set([...messages].map(turnOf))) {
      if (!old || inTail.has(old.id)) continue;
      const turn = (await get(`/inbox/messages/${old.id}`))?.querySelector(".inbox-turn");
      if (!turn) continue;
      turn.classList.toggle("is-first", old.classList.contains("is-first"));
      const day = old.querySelector(".inbox-day");
      if (day) turn.prepend(day);
      old.replaceWith(turn);
    }
    if (arrived.some((turn) => turn.classList.contains("is-event"))) await refreshAround();
    markRead();
  };

  // What somebody looks at is read, each new message once: marked as unread by a person, it stays so until more is written
  // or it is opened again.
  let lookedAt = {};
  const markRead = () => {
    if (!open() || document.visibilityState !== "visible" || !document.hasFocus()) return;
    // An album is one turn that grows.
    const newest = [...document.querySelectorAll("#inbox-turns .inbox-turn[data-in]")].at(-1)?.dataset.members;
    const wasOpen = lookedAt.id === open();
    if (wasOpen && lookedAt.newest === newest) return;
    lookedAt = { id: open(), newest };
    if (!wasOpen && talk().dataset.unread === "0") return;
    ask(`/inbox/${open()}/read`, new URLSearchParams());
    talk().dataset.unread = "0";
  };
  window.addEventListener("focus", markRead);
  document.addEventListener("visibilitychange", markRead);

  const markUnread = async (id) => {
    const response = await ask(`/inbox/${id}/unread`, new URLSearchParams());
    if (response.ok) await refreshRows(new Set([id]));
  };

  // --- Head, notice and person --------------------------------------------------------------------------------------
  const setAround = (fresh) => {
    const focused = document.activeElement?.id;
    for (const part of [...fresh.children]) {
      const old = byId(part.id);
      // A field that somebody is filling in is not taken away.
      const typing = old?.contains(document.activeElement) && document.activeElement.matches("input") && document.activeElement.value;
      if (old && !typing) old.replaceWith(part);
    }
    const composer = byId("inbox-composer");
    if (composer) composer.hidden = byId("inbox-notice").hasAttribute("data-closed");
    if (focused) byId(focused)?.focus({ preventScroll: true });
  };

  const refreshAround = async () => {
    const id = open();
    const fresh = await get(`/inbox/${id}/around`);
    if (fresh && id === open()) setAround(fresh);
  };

  const refuse = (slot, html) => {
    slot.replaceChildren(parse(html));
  };
  const forgive = () => {
    for (const slot of document.querySelectorAll(".inbox .inbox-refusal")) slot.replaceChildren();
  };

  const post = async (form, submitter) => {
    const body = new URLSearchParams(new FormData(form, submitter));
    forgive();
    try {
      const response = await ask(form.action, body);
      const html = await response.text();
      const slot = form.querySelector(".inbox-refusal") ?? byId("inbox-refusal");
      if (!response.ok) return slot && refuse(slot, html);
      if (form.matches("[data-part]")) {
        form.reset();
        document.activeElement?.blur?.();
        setAround(parse(html));
        if (form.matches(".inbox-add")) byId(form.querySelector("input:not([type=hidden])").id)?.focus();
      }
      const row = form.closest(".inbox-row")?.dataset.id ?? open();
      await refreshRows(new Set([row]));
      if (row === open() && !form.matches("[data-part]")) await refreshAround();
    } finally {
      submitter?.removeAttribute("aria-busy");
    }
  };

  root.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.matches("[data-part], [data-quiet]")) {
      event.preventDefault();
      post(form, event.submitter);
    } else if (form.matches("[data-again]")) {
      event.preventDefault();
      sendAgain(form, event.submitter);
    } else if (form.id === "inbox-composer") {
      event.preventDefault();
      event.submitter?.removeAttribute("aria-busy");
      submit();
    } else if (form.matches(".inbox-find")) {
      event.preventDefault();
    }
  });

  // --- The price of an answer ---------------------------------------------------------------------------------------
  const price = () => byId("inbox-price")?.querySelector(".inbox-price-now");
  const isFree = () => Number(price()?.dataset.until ?? 0) > now();

  const refreshPrice = async () => {
    const id = open();
    if (!id || byId("inbox-composer").hidden) return;
    const fresh = await get(`/inbox/${id}/price`);
    if (!fresh || id !== open()) return;
    byId("inbox-price").replaceChildren(fresh);
    showLeft();
  };

  const showLeft = () => {
    for (const element of document.querySelectorAll(".inbox [data-until]")) {
      const left = Math.ceil((Number(element.dataset.until) - now()) / 1000);
      const text = element.querySelector("[data-left]");
      if (left > 0) {
        if (text) text.textContent = words.seconds.replace("#", left);
      } else if (element.matches(".inbox-price-now")) {
        element.removeAttribute("data-until");
        refreshPrice();
      } else {
        element.remove();
      }
    }
  };
  setInterval(showLeft, 1000);

  // In a group, what is paid is asked for first, with the number of members. Gives the terms, or null for "no".
  const terms = async () => {
    if (!("group" in talk().dataset) || isFree()) return {};
    if (!price()?.dataset.cost) await refreshPrice();
    const shown = price()?.dataset;
    if (!shown?.cost || shown.cost === "0") return {};
    const dialog = byId("inbox-confirm");
    dialog.querySelector("p").textContent = shown.ask;
    const pay = dialog.querySelector("[value=pay]");
    pay.textContent = shown.pay;
    dialog.returnValue = "";
    dialog.showModal();
    pay.focus();
    await new Promise((done) => dialog.addEventListener("close", done, { once: true }));
    return dialog.returnValue === "pay" ? { allow_paid: 1, max_cost: shown.cost } : null;
  };
  root.addEventListener("click", (event) => {
    const button = event.target.closest("#inbox-confirm button");
    if (button) byId("inbox-confirm").close(button.value);
  });

  // --- The composer -------------------------------------------------------------------------------------------------
  const field = () => byId("inbox-text");
  const draft = () => `inbox-draft-${open()}`;

  const fit = () => {
    const box = field();
    box.style.height = "auto";
    box.style.height = `${Math.min(box.scrollHeight, 200)}px`;
    const length = box.value.length;
    const max = Number(box.dataset.max);
    const told = byId("inbox-length");
    told.hidden = length < max - 500;
    told.classList.toggle("is-over", length > max);
    const count = new Intl.NumberFormat(document.documentElement.lang);
    told.textContent = length > max
      ? `${words.over} ${count.format(length - max)}`
      : `${count.format(length)} / ${count.format(max)}`;
    sessionStorage.setItem(draft(), box.value);
  };

  const insert = (text) => {
    const box = field();
    box.setRangeText(text, box.selectionStart, box.selectionEnd, "end");
    fit();
  };

  root.addEventListener("input", (event) => {
    if (event.target.id !== "inbox-text") return;
    fit();
    tellWriting();
  });

  // Who else is writing here. Colleagues are told that, seldom, and nothing of the text.
  let toldWriting = 0;
  const tellWriting = () => {
    if (!field().value.trim() || Date.now() - toldWriting < 3000) return;
    toldWriting = Date.now();
    ask(`/inbox/${open()}/writing`, new URLSearchParams()).catch(() => {});
  };

  const writers = new Map();
  let writerLeaves;
  const hideWriter = () => {
    clearTimeout(writerLeaves);
    byId("inbox-writing")?.replaceChildren();
  };
  const showWriter = async (user) => {
    const id = open();
    const said = writers.get(user) ?? (await get(`/inbox/writers/${user}`))?.textContent.trim();
    if (!said || id !== open()) return;
    writers.set(user, said);
    hideWriter();
    byId("inbox-writing").textContent = said;
    writerLeaves = setTimeout(hideWriter, 5000);
  };

  root.addEventListener("keydown", (event) => {
    if (event.target.id === "inbox-text" && event.key === "Enter") {
      // 229: the key belongs to an input method that is choosing characters.
      if (event.shiftKey || event.isComposing || event.keyCode === 229) return;
      if (matchMedia("(pointer: coarse)").matches) return;
      event.preventDefault();
      byId("inbox-composer").requestSubmit();
    } else if (event.target.matches("[data-emoji]")) {
      const all = [...byId("inbox-emoji").querySelectorAll("[data-emoji]")];
      const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 8, ArrowUp: -8 }[event.key];
      if (!step) return;
      event.preventDefault();
      all[(all.indexOf(event.target) + step + all.length) % all.length].focus();
    }
  });
  // Toggle events do not bubble.
  root.addEventListener("toggle", (event) => {
    if (event.target.id !== "inbox-emoji") return;
    if (event.newState === "open") event.target.querySelector("button").focus();
    else field().focus();
  }, true);

  // Pictures: prepared by the hub while the text is still being written.
  let chips = [];

  const drawChips = () => {
    const list = byId("inbox-chips");
    list.hidden = chips.length === 0;
    list.replaceChildren(...chips.map((chip) => {
      const item = document.createElement("li");
      item.classList.toggle("is-working", !chip.keys);
      const picture = document.createElement("img");
      picture.src = chip.address;
      picture.alt = chip.name;
      const remove = document.createElement("button");
      remove.type = "button";
      remove.textContent = "×";
      remove.setAttribute("aria-label", `${words.remove}: ${chip.name}`);
      remove.addEventListener("click", () => {
        chips = chips.filter((other) => other !== chip);
        drawChips();
        field().focus();
      });
      item.append(picture, remove);
      return item;
    }));
  };

  const attach = (files) => {
    const pictures = [...files].filter((file) => file.type.startsWith("image/"));
    forgive();
    for (const file of pictures) {
      if (chips.length >= 5) {
        byId("inbox-refusal").textContent = words.many;
        break;
      }
      const to = byId("inbox-composer").dataset.attach;
      const chip = { file, name: file.name, address: URL.createObjectURL(file), keys: "", refusal: "", of: open(), to };
      chips.push(chip);
      chip.ready = upload(chip);
    }
    drawChips();
  };

  const upload = async (chip) => {
    const body = new FormData();
    body.append("file", chip.file);
    chip.refusal = "";
    try {
      const response = await ask(chip.to, body);
      if (response.ok) chip.keys = (await response.json()).keys;
      else chip.refusal = parse(await response.text()).querySelector(".inbox-refused")?.textContent || words.unfit;
    } catch {
      chip.refusal = words.unfit;
    }
    // What was sent off already says so in its bubble.
    if (chip.refusal && chips.includes(chip)) {
      chips = chips.filter((other) => other !== chip);
      if (chip.of === open()) byId("inbox-refusal").textContent = chip.refusal;
    }
    if (chip.of === open()) drawChips();
  };

  root.addEventListener("paste", (event) => {
    if (event.target.id !== "inbox-text" || event.clipboardData.files.length === 0) return;
    event.preventDefault();
    attach(event.clipboardData.files);
  });
  root.addEventListener("dragover", (event) => {
    if (!event.target.closest?.(".inbox-talk") || byId("inbox-composer")?.hidden !== false) return;
    event.preventDefault();
    talk().classList.add("is-target");
  });
  root.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget?.closest?.(".inbox-talk")) talk()?.classList.remove("is-target");
  });
  root.addEventListener("drop", (event) => {
    if (!talk()?.classList.contains("is-target")) return;
    event.preventDefault();
    talk().classList.remove("is-target");
    attach(event.dataTransfer.files);
  });

  // The bubble that stands there before the hub has answered.
  const pendingTurn = (text, pictures) => {
    const make = (name, className, inner = []) => {
      const element = document.createElement(name);
      element.className = className;
      element.append(...inner);
      return element;
    };
    const bubbles = pictures.map((chip) => {
      const picture = make("img", "lv-photo");
      picture.src = chip.address;
      picture.alt = chip.name;
      chip.bubble = make("div", "lv lv-at-inbox lv-media", [picture]);
      return chip.bubble;
    });
    if (text) bubbles.push(make("div", "lv lv-at-inbox lv-bubble", [make("p", "lv-words", [text])]));
    const meta = make("p", "inbox-meta", [make("span", "inbox-sending is-queued", [words.sending])]);
    const turn = make("li", "inbox-turn is-out is-first", [
      make("div", "inbox-said", [make("div", "inbox-bubbles", [...bubbles, meta])]),
    ]);
    turn.dataset.pending = "";
    return turn;
  };

  // Answers leave in the order in which they were written.
  let queue = Promise.resolve();
  // Those that the hub has not answered yet, or that did not reach it.
  const unsent = new Set();
  const newKey = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

  const submit = async () => {
    const box = field();
    const text = box.value.trim();
    const pictures = chips;
    if (box.value.length > Number(box.dataset.max) || (!text && pictures.length === 0)) return box.focus();
    if (pictures.length + (text ? 1 : 0) > 5) {
      byId("inbox-refusal").textContent = words.many;
      return;
    }
    forgive();
    const id = open();
    const agreed = await terms();
    if (agreed === null || id !== open()) return;
    box.value = "";
    chips = [];
    drawChips();
    fit();
    box.focus();
    // One key for all tries: whether or not the hub took the first, it takes the answer once.
    const answer = { id, once: newKey(), turn: pendingTurn(text, pictures), text, pictures, agreed };
    unsent.add(answer);
    byId("inbox-turns").append(answer.turn);
    toBottom();
    queue = queue.then(() => deliver(answer));
  };

  const deliver = async (answer) => {
    const { id, once, turn, text, pictures, agreed } = answer;
    await Promise.all(pictures.map((chip) => chip.ready));
    const spoilt = pictures.find((chip) => !chip.keys);
    if (spoilt) return notSent(answer, spoilt.refusal, spoilt);
    const attachments = pictures.map((chip) => chip.keys).join(",");
    const body = new URLSearchParams({ text, attachments, once, ...agreed });
    let response;
    let html;
    try {
      response = await ask(`/inbox/${id}/send`, body);
      html = await response.text();
    } catch {
      return notSent(answer, words.failed);
    }
    // A failure that is no refusal leaves open whether the hub took it.
    if (response.status >= 500 && !parse(html).querySelector(".inbox-refused")) return notSent(answer, words.failed);
    unsent.delete(answer);
    turn.remove();
    if (id !== open()) {
      if (!response.ok) sessionStorage.setItem(`inbox-draft-${id}`, text);
      return;
    }
    if (response.ok) {
      setTail(parse(html));
      refreshPrice();
      refreshRows(new Set([id]));
      return;
    }
    // What was written goes back to where it can be changed.
    const box = field();
    box.value = box.value ? `${text}\n${box.value}` : text;
    chips = [...pictures, ...chips];
    drawChips();
    fit();
    refuse(byId("inbox-refusal"), html);
    refreshPrice();
  };

  // Says in the bubble why it is still here, with the ways on.
  const notSent = (answer, why, spoilt) => {
    const { turn, pictures } = answer;
    const told = document.createElement("span");
    told.className = "inbox-sending is-failed";
    told.textContent = why;
    const way = (name, act) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "button quiet";
      button.textContent = name;
      button.addEventListener("click", () => {
        act();
        if (!unsent.has(answer)) return turn.remove();
        told.className = "inbox-sending is-queued";
        told.textContent = words.sending;
        meta.replaceChildren(told);
        queue = queue.then(() => deliver(answer));
      });
      return button;
    };
    const ways = [way(words.retry, () => {
      for (const chip of pictures) if (chip.refusal) chip.ready = upload(chip);
    })];
    if (spoilt) {
      ways.push(way(words.remove, () => {
        spoilt.bubble.remove();
        answer.pictures = pictures.filter((chip) => chip !== spoilt);
        if (!answer.text && answer.pictures.length === 0) unsent.delete(answer);
      }));
    }
    const meta = turn.querySelector(".inbox-meta");
    meta.replaceChildren(told, ...ways);
  };

  const sendAgain = async (form, submitter) => {
    try {
      const agreed = await terms();
      if (agreed === null) return;
      forgive();
      const response = await ask(form.action, new URLSearchParams(agreed));
      const html = await response.text();
      if (response.ok) setTail(parse(html));
      else refuse(byId("inbox-refusal"), html);
      refreshPrice();
    } finally {
      submitter?.removeAttribute("aria-busy");
    }
  };

  // --- What happens elsewhere ---------------------------------------------------------------------------------------
  const due = { rows: new Set(), messages: new Set(), talk: false, around: false, price: false, all: false };
  let isFlushing = false;
  let flushing;

  const later = (wait = 40) => {
    clearTimeout(flushing);
    flushing = setTimeout(flush, wait);
  };

  const flush = async () => {
    if (isFlushing) return later();
    isFlushing = true;
    const take = { ...due, rows: new Set(due.rows), messages: new Set(due.messages) };
    due.rows.clear();
    due.messages.clear();
    due.talk = due.around = due.price = due.all = false;
    try {
      if (take.all) await refreshList();
      else if (take.rows.size > 0) await refreshRows(take.rows);
      if (open()) {
        if (take.all || take.talk) await refreshTalk(take.messages);
        if (take.all || take.around) await refreshAround();
        if (take.all || take.price) await refreshPrice();
      }
    } catch {
      due.all = true;
      later(3000);
    } finally {
      isFlushing = false;
    }
  };

  const heard = {
    message: ({ id, conversation }) => {
      due.rows.add(conversation);
      if (conversation !== open()) return;
      due.talk = due.price = true;
      due.messages.add(id);
    },
    delivery: ({ conversation }) => {
      if (conversation === open()) due.talk = due.price = true;
    },
    conversation: ({ id }) => {
      due.rows.add(id);
      if (id === open()) due.around = due.price = true;
    },
    contact: ({ id }) => {
      const row = document.querySelector(`.inbox-row[data-contact="${CSS.escape(id)}"]`);
      if (row) due.rows.add(row.dataset.id);
      if (open() && (row?.dataset.id === open() || "group" in talk().dataset)) due.talk = due.around = true;
    },
    writing: ({ id, conversation }) => {
      if (conversation === open() && id !== words.me) showWriter(id);
    },
    reset: () => {
      due.all = true;
    },
  };

  let wasLive = false;
  document.body.addEventListener("htmx:sseOpen", (event) => {
    const { source } = event.detail;
    // After a break, whatever was missed is fetched.
    if (wasLive) {
      due.all = true;
      later();
    }
    wasLive = true;
    if (source.isHeard) return;
    source.isHeard = true;
    for (const [kind, hear] of Object.entries(heard)) {
      source.addEventListener(kind, (notice) => {
        hear(JSON.parse(notice.data));
        later();
      });
    }
  });

  // --- Keys ---------------------------------------------------------------------------------------------------------
  const links = () => [...document.querySelectorAll("#inbox-rows .inbox-row-link")];

  const move = (step) => {
    const all = links();
    const at = all.indexOf(document.activeElement);
    const current = all.findIndex((link) => link.hasAttribute("aria-current"));
    const from = at >= 0 ? at : current;
    const to = all[Math.max(0, Math.min(all.length - 1, from < 0 ? 0 : from + step))];
    to?.focus();
    to?.scrollIntoView({ block: "nearest" });
  };

  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.querySelector("dialog[open]") || byId("inbox-emoji")?.matches(":popover-open")) return;
    if (event.key === "Escape") {
      if (isTyping(event.target)) {
        event.target.blur();
        byId(`row-${open()}`)?.querySelector("a").focus({ preventScroll: true });
      } else if (words.view === "person") {
        backTo("talk");
      } else if (open() && isNarrow()) {
        backTo("list");
      }
      return;
    }
    if (isTyping(event.target)) return;
    const act = {
      j: () => move(1),
      k: () => move(-1),
      r: () => {
        if (words.view === "person") backTo("talk");
        field()?.focus();
      },
      e: () => {
        const row = document.activeElement?.closest(".inbox-row");
        const button = row && row.dataset.id !== open()
          ? row.querySelector("button[value=closed]")
          : document.querySelector("#inbox-head [data-close]");
        button?.click();
      },
      u: () => {
        const id = document.activeElement?.closest(".inbox-row")?.dataset.id ?? open();
        if (id) markUnread(id);
      },
    }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });

  // A picture that does not load uncovers the first letter of the name.
  document.addEventListener("error", (event) => {
    if (event.target.matches?.(".avatar img")) event.target.remove();
  }, true);

  // --- Start --------------------------------------------------------------------------------------------------------
  const startTalk = () => {
    chips = [];
    toldWriting = 0;
    hideWriter();
    for (const turn of document.querySelectorAll("#inbox-turns .inbox-turn")) saidBefore.add(turn.id);
    scroller().addEventListener("scroll", onScroll, { passive: true });
    grown.disconnect();
    grown.observe(byId("inbox-turns"));
    field().value = sessionStorage.getItem(draft()) ?? "";
    fit();
    for (const answer of unsent) if (answer.id === open()) byId("inbox-turns").append(answer.turn);
    toBottom();
    refreshPrice();
    lookedAt = {};
    markRead();
    if (matchMedia("(width >= 720px) and (pointer: fine)").matches && !byId("inbox-composer").hidden) field().focus();
  };

  for (const row of document.querySelectorAll(".inbox-row")) saidBefore.add(row.dataset.last);
  watchMore();
  showLeft();
  showTab();
  if (open()) startTalk();
})();
