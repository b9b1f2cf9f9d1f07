// Read by Vite's plugin and by svelte-check: every component is in runes mode.
export default {
  compilerOptions: { runes: true },
};
