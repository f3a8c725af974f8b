"use strict";

SwaggerUIBundle({
  url: document.getElementById("swagger").dataset.url,
  dom_id: "#swagger",
  deepLinking: false,
  docExpansion: "list",
  defaultModelsExpandDepth: -1,
  validatorUrl: null,
  syntaxHighlight: false,
  persistAuthorization: false,
});
