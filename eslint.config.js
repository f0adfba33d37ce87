// The linter of the pages' scripts; `make lint` runs it where Node and its packages are.
import js from "@eslint/js";
import globals from "globals";

export default [
  { ignores: ["jph/gateway/static/vendor/**"] },
  js.configs.recommended,
  {
    files: ["jph/gateway/static/**/*.js"],
    languageOptions: { ecmaVersion: 2023, sourceType: "module", globals: globals.browser },
    rules: {
      eqeqeq: "error",
      "no-unused-vars": ["error", { argsIgnorePattern: "^_", caughtErrors: "none" }],
      "no-var": "error",
      "prefer-const": "error",
    },
  },
];
