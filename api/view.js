// Shows one view. Live pictures come over a WebSocket, stored ones as HLS segments; both go into a plain <video>.
// Whatever the server takes back leaves the screen with the media source that held it: each beginning makes a new one.
"use strict";

const video = document.querySelector("video");
const line = document.querySelector("p");
const { kind, mime } = document.body.dataset;
const here = location.href.split(/[?#]/)[0];

const KEEP_S = 6; // of what was shown; live
const LATEST_S = 0.5; // behind what has arrived: jump to it
const LATE_S = 0.25, NEAR_S = 0.13; // a little behind: play faster until it is near
const AHEAD_S = 6; // of stored video: no more than that has to be dropped when the switch is set
const AGAIN_MS = 2000;

let buffer = null;
let waiting = [];

// A new media source in place of the last one: nothing of that can be shown any more.
function fresh(type, ready) {
  buffer = null;
  waiting = [];
  const source = new MediaSource();
  URL.revokeObjectURL(video.src);
  video.src = URL.createObjectURL(source);
  source.addEventListener("sourceopen", () => {
    buffer = source.addSourceBuffer(type);
    buffer.addEventListener("updateend", next);
    ready(buffer, source);
    next();
  }, { once: true });
}

function blank(words) {
  buffer = null;
  waiting = [];
  video.removeAttribute("src");
  video.load();
  line.textContent = words;
}

function append(data) {
  waiting.push(data);
  next();
}

function next() {
  if (buffer && !buffer.updating && waiting.length) buffer.appendBuffer(waiting.shift());
}

function say(message) {
  document.body.dataset.showing = message.showing;
  line.textContent = `${message.showing}: ${message.reason}`;
}

function connect(heard) {
  const socket = new WebSocket(new URL("socket", here.replace(/^http/, "ws")));
  let over = false;
  socket.binaryType = "arraybuffer";
  socket.onmessage = (event) => {
    if (typeof event.data !== "string") return append(event.data);
    const message = JSON.parse(event.data);
    if (message.type === "notice") {
      over = message.over;
      blank(message.words);
    } else heard(message);
  };
  socket.onclose = () => {
    if (over) return;
    blank("The connection was lost.");
    setTimeout(() => connect(heard), AGAIN_MS);
  };
}

function live() {
  const follow = () => {
    const ranges = video.buffered;
    if (!buffer || buffer.updating || !ranges.length) return;
    const begin = ranges.start(ranges.length - 1), end = ranges.end(ranges.length - 1);
    const behind = end - video.currentTime;
    if (video.currentTime < begin || behind > LATEST_S) video.currentTime = Math.max(begin, end - NEAR_S);
    else if (behind > LATE_S) video.playbackRate = 1.1;
    else if (behind < NEAR_S) video.playbackRate = 1;
    if (video.paused) video.play().catch(() => {});
    if (ranges.start(0) < end - 2 * KEEP_S) buffer.remove(0, end - KEEP_S);
  };
  connect((message) => {
    say(message);
    fresh(message.mime, (made) => made.addEventListener("updateend", follow));
  });
}

async function stored() {
  const list = (await (await fetch(new URL("index.m3u8", here))).text()).split("\n");
  const lengths = list.filter((each) => each.startsWith("#EXTINF:")).map((each) => parseFloat(each.slice(8)));
  const names = list.filter((each) => each.endsWith(".m4s"));
  const starts = lengths.map((_, at) => lengths.slice(0, at).reduce((sum, each) => sum + each, 0));
  const total = starts[starts.length - 1] + lengths[lengths.length - 1];
  let turn = 0;

  async function get(name) {
    const answer = await fetch(new URL(name, here));
    if (answer.ok) return answer.arrayBuffer();
    const problem = await answer.json();
    throw new Error(`${problem.detail} ${problem.advice || ""}`);
  }

  // From `at_s` on; a later beginning, made by the switch or by seeking, ends this one.
  function from(at_s) {
    const mine = ++turn;
    fresh(mime, async (made, source) => {
      try {
        source.duration = total;
        append(await get("init.mp4"));
        let at = Math.max(0, starts.findLastIndex((start) => start <= at_s));
        video.currentTime = at_s;
        while (mine === turn && at < names.length) {
          const data = await get(names[at]);
          if (mine !== turn) return;
          append(data);
          at += 1;
          while (mine === turn && starts[at] - video.currentTime > AHEAD_S) await new Promise((go) => setTimeout(go, 100));
        }
      } catch (error) {
        if (mine === turn) blank(error.message);
      }
    });
    video.play().catch(() => {});
  }

  const isThere = (at_s) => [...Array(video.buffered.length).keys()].some(
    (each) => video.buffered.start(each) <= at_s && at_s < video.buffered.end(each) + 0.1);
  video.controls = true;
  video.addEventListener("seeking", () => {
    if (buffer && video.buffered.length && !isThere(video.currentTime)) from(video.currentTime);
  });
  connect((message) => {
    say(message);
    from(video.currentTime || 0);
  });
}

(kind === "live" ? live : stored)();
