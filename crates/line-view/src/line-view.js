// Applies the values that line-view computed (data-lv-css) through the CSSOM, which a strict style-src allows.
// Runs at once and for every node that is added later. Load it from the head, with or without defer.
(() => {
  'use strict';

  const properties = new Set([
    "--lv-fs",
    "--lv-line-gap",
    "--lv-width-em",
    "-webkit-line-clamp",
    "aspect-ratio",
    "background-color",
    "background-image",
    "border-color",
    "border-radius",
    "border-width",
    "bottom",
    "color",
    "flex-grow",
    "height",
    "inset-inline-end",
    "inset-inline-start",
    "left",
    "margin-inline-start",
    "margin-top",
    "max-height",
    "max-width",
    "padding",
    "padding-bottom",
    "padding-inline-end",
    "padding-inline-start",
    "padding-top",
    "top",
    "width",
  ]);

  const apply = (element) => {
    for (const declaration of element.dataset.lvCss.split(";")) {
      const [property, value] = declaration.split(":");
      if (properties.has(property) && value) element.style.setProperty(property, value);
    }
  };

  const sweep = (root) => {
    if (root.matches?.("[data-lv-css]")) apply(root);
    root.querySelectorAll?.("[data-lv-css]").forEach(apply);
  };

  new MutationObserver((records) => {
    for (const record of records) {
      if (record.type === "attributes") sweep(record.target);
      record.addedNodes.forEach(sweep);
    }
  }).observe(document.documentElement, { childList: true, subtree: true, attributeFilter: ["data-lv-css"] });

  sweep(document);
})();
