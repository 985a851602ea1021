// No text becomes markup on this page, whoever wrote it. What Leaflet tries when it is loaded is the
// one exception; where a browser has no Trusted Types, the page itself still only sets text.
if (window.trustedTypes) {
  trustedTypes.createPolicy("default", { createHTML: (text) => (text === "<svg/>" ? text : null) });
}
