#include "api/openapi.h"
#include "api/routes.h"

namespace runyard {
namespace {

// Without its files (the web UI brings them) or without JavaScript the page is what is written
// here.
constexpr const char* kPage = R"(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Runyard: the HTTP API</title>
<link rel="stylesheet" href="docs-assets/swagger-ui.css">
</head>
<body>
<main id="docs">
<h1>The HTTP API of this server</h1>
<p>The files of the browsable page are not here. They come with the web UI, so build that to have
them. The description itself is <a href="api/openapi.json">api/openapi.json</a> (OpenAPI 3.1).</p>
</main>
<script src="docs-assets/swagger-ui-bundle.js"></script>
<script src="docs/page.js"></script>
</body>
</html>
)";

constexpr const char* kScript = R"('use strict';
(async () => {
  if (!window.SwaggerUIBundle) return;
  const place = document.getElementById('docs');
  const answer = await fetch('api/openapi.json');
  const spec = await answer.json();
  if (!answer.ok) {
    place.querySelector('p').textContent = spec.detail;
    return;
  }
  place.replaceChildren();
  window.SwaggerUIBundle({spec, domNode: place, deepLinking: true, validatorUrl: null});
})();
)";

Reply page(const char* text, const char* content_type) {
  Reply reply;
  reply.body = text;
  reply.content_type = content_type;
  return reply;
}

}  // namespace

std::vector<Route> docs_routes(JobService& service, std::shared_ptr<OpenApi> document) {
  constexpr const char* kHtml = "text/html; charset=utf-8";
  constexpr const char* kJavaScript = "text/javascript; charset=utf-8";
  return {
      {"GET", "/api/openapi.json", Role::kViewer, "This API as an OpenAPI 3.1 document",
       [&service, document](const Call&) {
         return json_text(*document->document(service.job_types()));
       },
       answers("OpenApiDocument")},
      {"GET", "/docs", Role::kPublic, "A page to browse this API",
       [](const Call&) { return page(kPage, kHtml); }, answers("", 200, kHtml)},
      {"GET", "/docs/page.js", Role::kPublic, "The script of that page",
       [](const Call&) { return page(kScript, kJavaScript); }, answers("", 200, kJavaScript)},
  };
}

}  // namespace runyard
