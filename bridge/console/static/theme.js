// Light or dark, before the first paint: the saved choice, else the system's.
(function () {
  "use strict";
  var root = document.documentElement;
  function saved() { try { return localStorage.getItem("theme"); } catch (e) { return null; } }
  var choice = saved();
  if (choice === "dark" || choice === "light") root.dataset.theme = choice;
  document.addEventListener("click", function (event) {
    if (!event.target.closest("[data-theme-toggle]")) return;
    var dark = matchMedia("(prefers-color-scheme: dark)").matches;
    var now = root.dataset.theme || (dark ? "dark" : "light");
    root.dataset.theme = now === "dark" ? "light" : "dark";
    try { localStorage.setItem("theme", root.dataset.theme); } catch (e) { /* holds for this page */ }
  });
})();
