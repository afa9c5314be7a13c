"use strict";
// Charts: the value under the pointer or, with the arrow keys, of the next logged step.
for (const chart of document.querySelectorAll(".chart")) {
  const data = JSON.parse(chart.querySelector("script").textContent);
  const plot = chart.querySelector(".plot");
  const cursor = chart.querySelector(".cursor");
  const readout = chart.querySelector("output");
  const rest = readout.textContent;
  const number = (value) => (value === null ? "–" : Number(value.toPrecision(4)).toString());
  let at = data.steps.length - 1;
  const frame = () => (chart.querySelector(".wide").offsetParent ? data.wide : data.narrow);
  const show = (index) => {
    at = Math.max(0, Math.min(data.steps.length - 1, index));
    const { left, right, width } = frame();
    const part = (data.steps[at] - data.from) / (data.to - data.from);
    cursor.style.left = (100 * (left + part * (right - left))) / width + "%";
    cursor.hidden = false;
    const values = data.names.map((name, k) => `${name} ${number(data.raw[k][at])} (smooth ${number(data.smooth[k][at])})`);
    readout.textContent = `step ${Math.round(data.steps[at])}: ${values.join(", ")}`;
  };
  const hide = () => {
    cursor.hidden = true;
    readout.textContent = rest;
  };
  const point = (event) => {
    const { left, right, width } = frame();
    const box = plot.getBoundingClientRect();
    const x = ((event.clientX - box.left) * width) / box.width;
    const step = data.from + ((x - left) / (right - left)) * (data.to - data.from);
    let nearest = 0;
    data.steps.forEach((other, k) => {
      if (Math.abs(other - step) < Math.abs(data.steps[nearest] - step)) nearest = k;
    });
    show(nearest);
  };
  plot.addEventListener("pointermove", point);
  plot.addEventListener("pointerdown", point);
  plot.addEventListener("pointerleave", hide);
  plot.addEventListener("blur", hide);
  plot.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity }[event.key];
    if (move === undefined) return;
    event.preventDefault();
    show(at + move);
  });
}
// Samples: one picture at a time, by slider or as a film.
for (const gallery of document.querySelectorAll(".gallery")) {
  const slider = gallery.querySelector("input");
  if (!slider) continue;
  const pictures = gallery.querySelectorAll("img[data-step]");
  const readout = gallery.querySelector("output");
  const button = gallery.querySelector("button");
  const show = () => {
    pictures.forEach((picture, k) => (picture.hidden = k !== Number(slider.value)));
    readout.textContent = "step " + pictures[Number(slider.value)].dataset.step;
  };
  let film = null;
  const stop = () => {
    clearInterval(film);
    film = null;
    button.textContent = "Play";
  };
  slider.addEventListener("input", () => {
    stop();
    show();
  });
  button.addEventListener("click", () => {
    if (film) return stop();
    if (slider.value === slider.max) slider.value = 0;
    show();
    button.textContent = "Stop";
    film = setInterval(() => {
      slider.value = Number(slider.value) + 1;
      show();
      if (slider.value === slider.max) stop();
    }, 400);
  });
}
