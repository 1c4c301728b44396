// Names, roles and tab stops that the theme leaves out; a screen reader and a keyboard need them.
(() => {
  const each = (selector, action) => document.querySelectorAll(selector).forEach(action);

  function mend() {
    each(".bd-sidebar-primary", (bar) => {
      bar.setAttribute("role", "complementary");
      bar.setAttribute("aria-label", "Site");
    });
    each(".bd-links summary", (summary) => {
      const link = summary.closest("li").querySelector("a");
      summary.setAttribute("aria-label", `Pages under ${link.textContent.trim()}`);
    });
    each(".citation-list, .citation", (element) => element.removeAttribute("role"));
  }

  // What is wider than its box can be scrolled with the arrow keys.
  function addTabStops() {
    each('.bd-content mjx-container[display="true"]', (box) => {
      if (box.scrollWidth > box.clientWidth) {
        box.tabIndex = 0;
      } else {
        box.removeAttribute("tabindex");
      }
    });
  }

  document.addEventListener("DOMContentLoaded", mend);
  window.addEventListener("load", () => window.MathJax?.startup?.promise?.then(addTabStops));
  window.addEventListener("resize", addTabStops);
})();
