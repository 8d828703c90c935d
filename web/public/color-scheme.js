(function () {
  var wanted = null;
  try {
    wanted = localStorage.getItem('runyard-color-scheme');
  } catch {
    // Storage is closed: the system's choice it is.
  }
  var dark = wanted === 'dark' ||
    (wanted !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
  document.documentElement.setAttribute('data-mantine-color-scheme', dark ? 'dark' : 'light');
})();
