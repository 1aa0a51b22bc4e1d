// Keeps an open page true: what the service sends takes the place of what stood there; where
// nothing is heard any more, nothing is shown, because it could be old.
(function () {
  "use strict";
  var body = document.body;
  if (!body.dataset.live) { start(); return; }
  var AWAY_MS = 7000, heard = Date.now(), away = false, since = 0, source = null, retry = null, drift = 0;

  function dirty(form) {
    return Array.prototype.some.call(form.elements, function (one) {
      if (one.type === "checkbox" || one.type === "radio") return one.checked !== one.defaultChecked;
      if (one.tagName === "SELECT") return Array.prototype.some.call(one.options, function (o) { return o.selected !== o.defaultSelected; });
      return "defaultValue" in one && one.type !== "hidden" && one.value !== one.defaultValue;
    });
  }
  // What somebody is typing in, or opened, stays as it is.
  function keep(node) {
    if (node.nodeType !== 1) return true;
    if (node.tagName === "FORM" && (node.contains(document.activeElement) && document.activeElement.matches("input,textarea,select") || dirty(node))) return false;
    if (node.hasAttribute("data-once")) return false;
    return true;
  }
  function morph(id, html) {
    var target = document.getElementById(id);
    if (!target) return;
    Idiomorph.morph(target, html, {
      morphStyle: "innerHTML",
      callbacks: {
        beforeNodeMorphed: keep,
        beforeNodeRemoved: keep,
        beforeAttributeUpdated: function (name, node) { return !(name === "open" && node.tagName === "DETAILS"); }
      }
    });
    if (window.htmx) htmx.process(target);
    tick();
  }
  function listen() {
    if (source) source.close();
    var path = location.pathname === "/" ? "" : location.pathname;
    source = new EventSource("/live" + path + location.search);
    source.addEventListener("beat", function (event) {
      heard = Date.now();
      drift = Number(event.data) * 1000 - heard;
      if (away) location.reload();
      mark();
    });
    source.addEventListener("top", function (event) { heard = Date.now(); if (!away) morph("frame", event.data); });
    source.addEventListener("main", function (event) { heard = Date.now(); if (!away) morph("main", event.data); });
    source.addEventListener("reload", function () { location.reload(); });
    source.onerror = function () {
      if (source.readyState === 2) { clearTimeout(retry); retry = setTimeout(listen, 2000); }
    };
  }
  function mark() {
    var live = document.getElementById("live-age");
    if (!live) return;
    var seconds = Math.max(Math.round((Date.now() - heard) / 1000), 0);
    live.textContent = live.dataset.text.replace("{n}", seconds);
  }
  function clockText(ms) {
    var s = Math.max(Math.round(ms / 1000), 0), m = Math.floor(s / 60);
    return m + ":" + String(s % 60).padStart(2, "0");
  }
  function tick() {
    var now = Date.now() + drift;
    document.querySelectorAll("[data-ends]").forEach(function (one) {
      var left = Number(one.dataset.ends) * 1000 - now;
      if (one.tagName === "PROGRESS") one.value = Math.max(left / 1000, 0);
      else one.textContent = clockText(left);
    });
    var clock = document.getElementById("clock");
    if (clock && clock.dataset.offset !== undefined) {
      var at = new Date(now + Number(clock.dataset.offset) * 1000);
      clock.textContent = at.toISOString().slice(11, 19);
    }
    if (away) {
      var span = document.getElementById("away-for");
      if (span) span.textContent = clockText(Date.now() - since);
    }
  }
  function goDark() {
    away = true; since = heard;
    var sheet = document.getElementById("away").content.cloneNode(true);
    var frame = document.getElementById("frame"), main = document.getElementById("main");
    document.title = body.dataset.awayTitle;
    frame.querySelectorAll("[data-gone]").forEach(function (one) { one.remove(); });
    main.replaceChildren(sheet);
    var flash = document.getElementById("flash");
    if (flash) flash.remove();
    var last = document.getElementById("away-last");
    if (last) last.textContent = new Date(heard).toTimeString().slice(0, 8);
  }
  setInterval(function () {
    if (!away && Date.now() - heard > AWAY_MS) goDark();
    if (away && (!source || source.readyState === 2)) listen();
    mark(); tick();
  }, 1000);
  document.addEventListener("visibilitychange", function () {
    if (!document.hidden && (!source || source.readyState === 2)) listen();
  });
  addEventListener("pagehide", function () { if (source) source.close(); });
  addEventListener("pageshow", function (event) { if (event.persisted) location.reload(); });
  listen(); tick(); start();

  function start() {
    document.addEventListener("click", function (event) {
      if (event.target.closest("[data-print]")) print();
      if (event.target.closest("[data-reload]")) location.reload();
      var all = event.target.closest("[data-check-all]");
      if (all) all.form.querySelectorAll("input[type=checkbox][name=payment_id]").forEach(function (one) { one.checked = all.checked; });
    });
    // One press is one order.
    document.addEventListener("submit", function (event) {
      var form = event.target;
      if (form.method !== "post") return;
      if (form.dataset.sent) { event.preventDefault(); return; }
      form.dataset.sent = "1";
    });
  }
})();
