"use strict";

// A picture from the camera goes into the same field as a file, and forms that take long say so. Without this script,
// files can still be chosen and everything is sent.

const LONGEST_SIDE = 1600;

for (const field of document.querySelectorAll("[data-camera]")) {
  const input = field.querySelector("input[type=file]");
  const box = make("div", "camera");
  const told = make("p", "told-camera");
  told.setAttribute("role", "status");
  field.append(box);

  input.addEventListener("change", () => check(input, Number(field.dataset.limit), told));
  box.append(told);
  if (!navigator.mediaDevices?.getUserMedia || !window.DataTransfer) continue;
  addCamera(box, input, told);
}

for (const form of document.querySelectorAll("form[data-busy]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
    const button = event.submitter ?? form.querySelector("[type=submit]");
    button?.setAttribute("aria-disabled", "true");
    const line = make("p", "busy");
    line.setAttribute("role", "status");
    line.textContent = form.dataset.busy;
    (button?.parentElement ?? form).append(line);
  });
}

// Who goes back to the page may send again.
window.addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    form.querySelector("[aria-disabled]")?.removeAttribute("aria-disabled");
    form.querySelector(".busy")?.remove();
  }
});

function addCamera(box, input, told) {
  const video = make("video");
  video.playsInline = video.muted = true;
  video.setAttribute("aria-label", "What the camera shows");
  const still = make("canvas");
  still.setAttribute("role", "img");
  still.setAttribute("aria-label", "The picture that was taken");
  const open = button("Use the camera");
  const shoot = button("Take the picture");
  const again = button("Take another one");
  show(open);
  box.prepend(video, still, open, shoot, again);
  let stream = null;

  open.addEventListener("click", start);
  again.addEventListener("click", start);
  shoot.addEventListener("click", () => {
    const scale = Math.min(1, LONGEST_SIDE / Math.max(video.videoWidth, video.videoHeight));
    still.width = Math.round(video.videoWidth * scale);
    still.height = Math.round(video.videoHeight * scale);
    still.getContext("2d").drawImage(video, 0, 0, still.width, still.height);
    stop();
    still.toBlob((blob) => {
      const files = new DataTransfer();
      files.items.add(new File([blob], "camera.jpg", { type: "image/jpeg" }));
      input.files = files.files;
      told.textContent = "The picture is taken. Send the form, or take another one.";
      show(still, again);
      again.focus();
    }, "image/jpeg", 0.92);
  });
  input.addEventListener("change", () => {
    stop();
    show(open);
  });
  window.addEventListener("pagehide", stop);

  async function start() {
    told.textContent = "Waiting for the camera…";
    try {
      stream = await navigator.mediaDevices.getUserMedia({
        audio: false,
        video: { width: { ideal: 1280 }, height: { ideal: 960 }, facingMode: input.dataset.facing ?? "user" },
      });
      video.srcObject = stream;
      await video.play();
    } catch (error) {
      stop();
      show(open);
      told.textContent = reason(error);
      return;
    }
    told.textContent = "";
    show(video, shoot);
    shoot.focus();
  }

  function stop() {
    for (const track of stream?.getTracks() ?? []) track.stop();
    stream = video.srcObject = null;
  }

  function show(...shown) {
    for (const part of [video, still, open, shoot, again]) part.hidden = !shown.includes(part);
  }
}

function check(input, limit, told) {
  const file = input.files[0];
  const megabytes = (bytes) => (bytes / 1e6).toFixed(1);
  told.textContent = "";
  input.setCustomValidity("");
  if (file && file.size > limit) {
    told.textContent = `This file has ${megabytes(file.size)} MB; at most ${megabytes(limit)} MB are taken.`;
    input.setCustomValidity(told.textContent);
  }
}

function reason(error) {
  switch (error.name) {
    case "NotAllowedError":
      return "The browser may not use the camera. Allow it beside the address, or choose a file.";
    case "NotFoundError":
    case "OverconstrainedError":
      return "No camera is found. Choose a file instead.";
    case "NotReadableError":
      return "Another program uses the camera. Close it and try again, or choose a file.";
    default:
      return "The camera cannot be used. Choose a file instead.";
  }
}

function make(tag, name = "") {
  const part = document.createElement(tag);
  part.className = name;
  return part;
}

function button(words) {
  const made = make("button", "btn-quiet");
  made.type = "button";
  made.textContent = words;
  return made;
}
