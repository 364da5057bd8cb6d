// What Grafana's own server would have put into the page before its code runs.

Object.assign(window, {
  grafanaBootData: {
    settings: { theme2: undefined, bootData: {}, buildInfo: {}, featureToggles: {}, datasources: {}, panels: {} },
    user: { timezone: "utc", lightTheme: false, locale: "en-US", language: "en-US", regionalFormat: "en-US" },
    navTree: [],
  },
  __grafana_public_path__: "/",
});
