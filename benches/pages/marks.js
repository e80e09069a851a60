"use strict";

// When what happened in this page: milliseconds on one clock, so that two pages' times can be
// compared.

const times = {};
const waiting = new Set();

window.clock = () => performance.timeOrigin + performance.now();

/** Notes the first time that this happened. */
window.mark = function (name) {
  if (name in times) return;
  times[name] = clock();
  window.steps?.push([`= ${name} =`, times[name]]);
  for (const look of [...waiting]) look();
};

/** When this happened, as soon as it has. */
window.reached = function (name, limit = 30000) {
  return new Promise((resolve, reject) => {
    const look = () => {
      if (!(name in times)) return false;
      waiting.delete(look);
      clearTimeout(timer);
      resolve(times[name]);
      return true;
    };
    const timer = setTimeout(() => {
      waiting.delete(look);
      reject(new Error(`no ${name} within ${limit} ms, only ${JSON.stringify(times)}`));
    }, limit);
    if (!look()) waiting.add(look);
  });
};

/** Removes marks that will be measured again. */
window.forget = function (...names) {
  for (const name of names) delete times[name];
};

/** Notes the first frame that is decoded and shown in this element. */
window.watchPicture = (video) => video.requestVideoFrameCallback(() => mark("picture"));

window.pause = (ms) => new Promise((resume) => setTimeout(resume, ms));
