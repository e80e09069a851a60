// The pictures: video elements in the page, put there by us or given by the page.

function createView({ videos, localVideo, remoteVideo }) {
  // The element of each picture, and whether it is ours and so to be taken out again.
  const shown = new Map();

  // An element for a picture; none where the page gave no place for it.
  function place(isLocal) {
    const given = isLocal ? localVideo : remoteVideo;
    const element = given ?? videos?.appendChild(videos.ownerDocument.createElement("video"));
    if (!element) return undefined;
    element.autoplay = true;
    element.muted = isLocal;
    // The attribute, since the property is spelled differently from browser to browser.
    element.setAttribute("playsinline", "");
    element.classList.add(...classesOf(isLocal));
    shown.set(isLocal, [element, !given]);
    return element;
  }

  return {
    // A page that gave no place for a stream gets it by its event all the same.
    show(isLocal, stream) {
      tell("the element for a picture", () => {
        const element = shown.get(isLocal)?.[0] ?? place(isLocal);
        if (!element) return;
        if (element.srcObject !== stream) element.srcObject = stream;
        // Refused where the page may not play sound yet; `autoplay` then does it later.
        element.play().catch(() => {});
      });
    },

    // Takes the pictures away, and with them the elements that are ours.
    clear() {
      for (const [isLocal, [element, isOurs]] of shown) {
        tell("the element of a picture", () => {
          element.srcObject = null;
          if (isOurs) element.remove();
          else element.classList.remove(...classesOf(isLocal));
        });
      }
      shown.clear();
    },
  };
}

function classesOf(isLocal) {
  return ["videortc-video", isLocal ? "is-local-video" : "is-remote-video"];
}
