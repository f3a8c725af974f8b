// Headcount against identified heads over time, drawn by uPlot. Each look leads to its page.
"use strict";

(() => {
  const place = document.getElementById("chart");
  if (!place || !window.uPlot) return;
  const HEIGHT = 230;
  const LEAST_S = 300; // Looks at one moment would leave no room between the ends of the axis.
  const INCRS_S = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440].map((minutes) => minutes * 60); // Ticks show minutes.
  let plot = null;
  let data = null;

  place.hidden = false;
  for (const one of document.querySelectorAll(".needs-script")) one.hidden = false;
  for (const one of document.querySelectorAll(".without-script")) one.hidden = true;

  // A variable of the stylesheet as the theme of this moment resolves it; canvas knows no variables.
  const probe = document.createElement("span");
  probe.hidden = true;
  place.after(probe);
  const colour = (name) => {
    probe.style.color = `var(--${name})`;
    return window.getComputedStyle(probe).color;
  };
  const faint = (name, share) => colour(name).replace(/^rgba?\(([^)]+)\)$/, (_, inner) => {
    const [red, green, blue] = inner.split(/[\s,/]+/);
    return `rgba(${red}, ${green}, ${blue}, ${share})`;
  });

  const clock = new Intl.DateTimeFormat("en-GB", {
    timeZone: place.dataset.zone, hour: "2-digit", minute: "2-digit", second: "2-digit",
  });
  const hours = new Intl.DateTimeFormat("en-GB", { timeZone: place.dataset.zone, hour: "2-digit", minute: "2-digit" });
  const whole = (_, value) => (value === null || value === undefined ? "–" : String(value));

  const around = () => {
    // Where there is but one look, uPlot would ask for a day from then on.
    const [first, last] = [data.times[0], data.times[data.times.length - 1]];
    const more = Math.max(LEAST_S - (last - first), 0) / 2;
    return [first - more, last + more];
  };

  const options = () => {
    const steps = window.uPlot.paths.stepped({ align: 1 });
    const axis = () => ({
      stroke: colour("soft"),
      font: "12px 'Inter Variable', sans-serif",
      grid: { stroke: colour("grid"), width: 1 },
      ticks: { stroke: colour("grid"), width: 1 },
    });
    const line = (label, name, more) => ({
      label, stroke: colour(name), width: 2, paths: steps, points: { show: data.times.length === 1 }, value: whole, ...more,
    });
    return {
      width: place.clientWidth,
      height: HEIGHT,
      tzDate: (seconds) => window.uPlot.tzDate(new Date(seconds * 1000), place.dataset.zone),
      cursor: { points: { size: 9 }, drag: { x: false, y: false } },
      scales: { x: { time: true, range: around }, y: { range: (_, __, most) => [0, Math.max(Math.ceil(most * 1.08), 1)] } },
      axes: [
        { ...axis(), incrs: INCRS_S, values: (_, ticks) => ticks.map((tick) => hours.format(tick * 1000)) },
        { ...axis(), size: 40, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500] },
      ],
      series: [
        { label: "Look", value: (_, seconds) => (seconds ? clock.format(seconds * 1000) : "–") },
        line("Heads counted", "ink"),
        line("With a name or settled by staff", "excused", { dash: [5, 4] }),
        line("Identified", "present"),
      ],
      bands: [
        { series: [1, 2], fill: faint("unknown", 0.45) },
        { series: [2, 3], fill: faint("excused", 0.18) },
      ],
    };
  };

  const draw = () => {
    plot?.destroy();
    place.replaceChildren();
    plot = new window.uPlot(options(), [data.times, data.headcount, data.explained, data.identified], place);
    plot.over.title = "Open this look";
    plot.over.addEventListener("click", () => {
      const index = plot.cursor.idx;
      if (index !== null && index !== undefined) window.location.href = data.pages[index];
    });
  };

  const load = async () => {
    try {
      const response = await fetch(place.dataset.looks, { headers: { Accept: "application/json" }, cache: "no-store" });
      if (!response.ok) throw new Error(String(response.status));
      data = await response.json();
      draw();
    } catch {
      if (plot) return;
      place.textContent = "The chart cannot be drawn now; the balance sheet of every look has the same numbers.";
    }
  };

  let width = 0;
  new ResizeObserver(() => {
    if (!plot || place.clientWidth === width) return;
    width = place.clientWidth;
    plot.setSize({ width, height: HEIGHT });
  }).observe(place);
  const redraw = () => data && draw();
  new MutationObserver(redraw).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
  document.addEventListener("gridroll:live", (event) => {
    if (data && event.detail.looks !== data.times.length) load();
  });
  load();

  // The table of looks is folded; who comes from a look's page, or follows the link to it, wants it open.
  const unfold = () => {
    const looks = document.getElementById("looks");
    if (looks && window.location.hash === "#looks") looks.open = true;
  };
  window.addEventListener("hashchange", unfold);
  unfold();
})();
