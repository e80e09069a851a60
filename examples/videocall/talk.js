"use strict";

// Chat and files beside a call. From top to bottom: sending, receiving, rendering. Received content is
// not trusted: it becomes text, or a file to save, and never a page of this origin. `sentence` is in
// app.js.

/** Image types with a preview. Not SVG, which is a document that can contain scripts. */
const PREVIEWS = ["image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"];

/** Larger images get no preview: a small file can contain a very large image. */
const MAX_PIXELS = 30e6;

/** A longer text is offered as a file. Beyond the maximum of messages, the oldest are removed. */
const MAX_TEXT = 20000;
const MAX_MESSAGES = 500;

/** `send(type, data, options)` calls `sendData()` of the current call. */
function createTalk(send) {
  const part = (id) => document.getElementById(id);
  let peer = null; // the peer, while a call is up
  let view = "";
  let isOpen = false; // whether the panel is open during a call
  let unread = 0;
  const incoming = new Map(); // from a transfer to its row, until the content has arrived
  const files = new Set(); // every file row

  // -------------------------------------------------------------- sending

  function write(event) {
    event.preventDefault();
    const text = part("message").value.trim();
    if (!text) return;
    part("message").value = "";
    const row = addMessage("You", text, { isMine: true, state: "Sending…" });
    const state = row.querySelector(".state");
    send("application/x-chat", text).then(
      () => state.replaceChildren(),
      (error) => {
        row.classList.add("failed");
        state.replaceChildren(why(error, { peer: row.peer, isMine: true }));
      },
    );
  }

  function sendFiles(list) {
    open();
    for (const file of list) {
      const stop = new AbortController();
      const row = addFile("You", file.name, file.size, { isMine: true, cancel: () => stop.abort() });
      const onProgress = (transfer) => advance(row, transfer);
      send(file.type || "application/octet-stream", file, { signal: stop.signal, onProgress }).then(
        () => settle(row, "Sent."),
        (error) => fail(row, error),
      );
    }
  }

  /** Describes why a message or file failed, and who caused it. */
  function why(error, { peer, isMine, isCancelled }) {
    switch (error?.code) {
      case "TRANSFER_CANCELLED":
        return isCancelled ? "You cancelled it." : sentence`${peer} cancelled it.`;
      case "TYPE_NOT_ALLOWED":
        return isMine ? sentence`${peer} accepts nothing of this kind.` : "Nothing of this kind is accepted here.";
      case "TOO_LARGE":
        return isMine ? sentence`It is larger than ${peer} accepts.` : "It is larger than is accepted here.";
      case "NOT_SUPPORTED_BY_PEER":
        return sentence`${peer}'s program can only receive short messages.`;
      case "DATA_DISABLED":
        return "Chat and files are switched off in this call.";
      case "CALL_ENDED":
      case "NO_CALL":
      case "CLOSED":
        // An outgoing one may have arrived all the same.
        return isMine ? "The call ended before its arrival was confirmed." : "The call ended before it arrived.";
      case "TRANSFER_FAILED":
        return isMine
          ? "It could not be sent. It may have been changed meanwhile, or be a folder."
          : "It did not arrive completely.";
      default:
        return sentence`${error?.message ?? error}`;
    }
  }

  // -------------------------------------------------------------- receiving

  function progress(transfer) {
    if (transfer.direction !== "incoming") return; // Outgoing ones use `onProgress`.
    let row = incoming.get(transfer);
    if (!row) {
      const { userName, filename, size } = transfer;
      row = addFile(userName, filename, size, { cancel: () => transfer.cancel() });
      incoming.set(transfer, row);
    }
    advance(row, transfer);
    if (transfer.state !== "failed") return;
    incoming.delete(transfer);
    fail(row, transfer.error);
  }

  /** Complete content arrived. Large content has a row already. */
  function receive(type, data, filename, userName) {
    const isText = typeof data === "string";
    const isIt = (one) => one.state === "done" && one.type === type && one.filename === filename;
    const transfer = [...incoming.keys()].find((one) => isIt(one) && (isText || one.size === data.size));
    const row = incoming.get(transfer);
    incoming.delete(transfer);
    if (isText && data.length <= MAX_TEXT) {
      if (row) remove(row);
      const isChat = type === "application/x-chat" || type === "text/plain";
      addMessage(userName, data, { state: isChat ? "" : sentence`${type}` });
      return;
    }
    const content = isText ? new Blob([data], { type: "text/plain" }) : data;
    offer(row ?? addFile(userName, filename, content.size), content);
  }

  /** Offers a received file to the user. */
  function offer(row, content) {
    // No browser opens this type as a page of this origin, whatever the content is.
    row.url = URL.createObjectURL(new Blob([content], { type: "application/octet-stream" }));
    const link = row.item.querySelector("a");
    link.href = row.url;
    link.download = row.filename;
    link.hidden = false;
    link.setAttribute("aria-label", `Save ${row.filename}`);
    settle(row, "Received.");
    if (PREVIEWS.includes(content.type)) preview(row, content);
  }

  function preview(row, content) {
    const image = new Image();
    const url = URL.createObjectURL(content);
    image.alt = "";
    image.className = "preview";
    image.decoding = "async";
    image.onerror = () => URL.revokeObjectURL(url);
    image.onload = () => {
      URL.revokeObjectURL(url);
      // The dimensions are known before the image is decoded.
      if (image.naturalWidth * image.naturalHeight > MAX_PIXELS) return;
      keepScrolledToEnd(() => row.item.querySelector("label").before(image));
    };
    image.src = url;
  }

  function refused(error) {
    addNote(sentence`${peer ?? ""} sent something that was refused. `, why(error, {}));
  }

  // -------------------------------------------------------------- rendering

  function rowFrom(template, who, isMine) {
    const item = part(template).content.firstElementChild.cloneNode(true);
    item.classList.toggle("mine", Boolean(isMine));
    item.querySelector(".speaker").textContent = who;
    const now = new Date();
    const time = item.querySelector("time");
    time.dateTime = now.toISOString();
    time.textContent = now.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    return item;
  }

  function addMessage(who, text, { isMine, state }) {
    const item = rowFrom("message-row", who, isMine);
    item.peer = peer;
    item.querySelector(".words").textContent = text;
    item.querySelector(".state").replaceChildren(state);
    add(item, !isMine);
    const messages = part("entries").querySelectorAll(".entry:not(.file), .note");
    if (messages.length > MAX_MESSAGES) messages[0].remove();
    return item;
  }

  function addFile(who, name, size, { isMine, cancel } = {}) {
    const item = rowFrom("file-row", who, isMine);
    const filename = name || "file without a name";
    const row = { item, filename, size, isMine, peer: peer ?? who, isCancelled: false, url: "" };
    item.querySelector(".filename").textContent = filename;
    item.querySelector(".figures").textContent = bytes(size);
    const button = item.querySelector(".cancel");
    button.setAttribute("aria-label", `Cancel ${filename}`);
    button.addEventListener("click", () => {
      row.isCancelled = true;
      cancel();
    });
    const removal = item.querySelector(".remove");
    removal.setAttribute("aria-label", `Remove ${filename}`);
    removal.addEventListener("click", () => {
      remove(row);
      part("log").focus();
    });
    files.add(row);
    add(item, !isMine);
    return row;
  }

  function addNote(...words) {
    const item = document.createElement("li");
    item.className = "note";
    item.append(...words);
    add(item, false);
  }

  function add(item, isNews) {
    keepScrolledToEnd(() => part("entries").append(item));
    if (item.classList.contains("mine")) item.scrollIntoView({ block: "nearest" });
    if (isNews && part("talk").hidden) countUnread(unread + 1);
  }

  /** Keeps the log scrolled to its end, unless the user has scrolled up. */
  function keepScrolledToEnd(change) {
    const log = part("log");
    const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    change();
    if (isAtEnd) log.scrollTop = log.scrollHeight;
  }

  function advance(row, { transferred, size }) {
    const bar = row.item.querySelector("progress");
    bar.max = size || 1;
    bar.value = transferred;
    row.item.querySelector(".figures").textContent = `${bytes(transferred)} of ${bytes(size)}`;
    row.item.querySelector(".state").textContent = "";
  }

  function fail(row, error) {
    // The user's own cancellation is not shown as a failure.
    row.item.classList.toggle("failed", !(row.isCancelled && error?.code === "TRANSFER_CANCELLED"));
    settle(row, why(error, row));
  }

  function settle(row, words) {
    const hadFocus = row.item.contains(document.activeElement);
    keepScrolledToEnd(() => {
      for (const running of row.item.querySelectorAll("progress, .cancel")) running.remove();
      row.item.querySelector(".figures").textContent = bytes(row.size);
      row.item.querySelector(".remove").hidden = false;
      row.item.querySelector(".state").replaceChildren(words);
    });
    if (hadFocus) row.item.querySelector(".actions > :not([hidden])").focus();
  }

  function remove(row) {
    URL.revokeObjectURL(row.url);
    files.delete(row);
    row.item.remove();
    show(view);
  }

  function bytes(count) {
    const units = ["bytes", "kB", "MB", "GB"];
    let unit = 0;
    while (count >= 1000 && unit < units.length - 1) {
      count /= 1000;
      unit += 1;
    }
    return `${count.toFixed(unit && count < 100 ? 1 : 0)} ${units[unit]}`;
  }

  function countUnread(count) {
    unread = count;
    part("unread").hidden = count === 0;
    part("unread").textContent = count;
    part("chat").setAttribute("aria-label", count ? `Chat, ${count} new` : "Chat");
  }

  // -------------------------------------------------------------- the panel

  const isUsed = () => part("entries").querySelector(".entry") !== null;

  /** Shows the panel in a call if it is open, and after a call if it has any content. */
  function show(newView) {
    view = newView;
    const isShown = view === "call" ? isOpen : view !== "ringing" && isUsed();
    part("talk").hidden = !isShown;
    document.body.classList.toggle("with-talk", isShown);
    part("chat").setAttribute("aria-expanded", String(isShown));
    if (isShown) {
      countUnread(0);
      part("log").scrollTop = part("log").scrollHeight;
    }
  }

  function open() {
    isOpen = true;
    show(view);
  }

  function toggle() {
    isOpen = !isOpen;
    show(view);
    // On a touch screen, focusing the field would open the keyboard.
    const inside = matchMedia("(pointer: coarse)").matches ? "log" : "message";
    part(isOpen ? inside : "chat").focus();
  }

  function begin(name) {
    peer = name;
    if (!isUsed()) part("entries").replaceChildren();
    addNote(sentence`Call with ${name}`);
    part("writing").disabled = false;
    // On a phone, the panel would hide the video.
    isOpen = matchMedia("(min-width: 56rem)").matches;
  }

  function end(words) {
    if (!peer) return;
    peer = null;
    part("writing").disabled = true;
    part("message").value = ""; // It was meant for this peer.
    part("drop").hidden = true;
    addNote(words);
  }

  /** Clears the log and releases the files. */
  function clear() {
    for (const row of files) URL.revokeObjectURL(row.url);
    files.clear();
    incoming.clear();
    part("entries").replaceChildren();
    show(view);
  }

  part("write").addEventListener("submit", write);
  part("attach").addEventListener("click", () => part("files").click());
  part("files").addEventListener("change", () => {
    sendFiles([...part("files").files]);
    part("files").value = ""; // Allows choosing the same file again.
  });
  part("chat").addEventListener("click", toggle);
  part("close-talk").addEventListener("click", toggle);
  part("clear-talk").addEventListener("click", clear);

  const holdsFiles = (event) => event.dataTransfer?.types.includes("Files");
  window.addEventListener("dragover", (event) => {
    if (!holdsFiles(event)) return;
    // Outside a call too: otherwise the browser would open the file in place of this page.
    event.preventDefault();
    event.dataTransfer.dropEffect = peer ? "copy" : "none";
    if (peer && part("drop").hidden) part("drop").firstElementChild.replaceChildren(sentence`Drop to send to ${peer}`);
    part("drop").hidden = !peer;
  });
  window.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) part("drop").hidden = true;
  });
  window.addEventListener("drop", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    part("drop").hidden = true;
    if (peer) sendFiles([...event.dataTransfer.files]);
  });

  return { begin, clear, end, progress, receive, refused, show };
}
