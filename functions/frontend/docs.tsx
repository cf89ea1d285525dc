/** @jsxImportSource hono/jsx */
import { Layout, render } from "./layout.tsx";

/** The API page: Swagger UI, served by us, reading `/openapi.json` of this origin. */
export const renderDocs = (): string =>
  render(
    <Layout
      title="API · Shop"
      styles={["/docs/swagger-ui.css", "/docs/docs.css"]}
      scripts={["/docs/swagger-ui.js", "/docs/docs.js"]}
    >
      <main id="api"></main>
    </Layout>,
  );

/** Where a problem's `type` points to: every code has an anchor of its name. */
export const renderProblems = (problems: Readonly<Record<string, { status: number; title: string }>>): string =>
  render(
    <Layout title="Problem codes · Shop">
      <main class="prose">
        <h1>Problem codes</h1>
        <p>
          Every error is an <code>application/problem+json</code> (RFC 9457). Its <code>code</code> is one of these, its{" "}
          <code>detail</code> says which field it was about, and its <code>traceId</code> finds the request in the logs.
        </p>
        <table class="problems">
          <thead>
            <tr>
              <th scope="col">Status</th>
              <th scope="col">Code</th>
              <th scope="col">Title</th>
            </tr>
          </thead>
          <tbody>
            {Object.entries(problems).map(([code, { status, title }]) => (
              <tr id={code}>
                <td>{status}</td>
                <th scope="row">
                  <a href={`#${code}`}>
                    <code>{code}</code>
                  </a>
                </th>
                <td>{title}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </main>
    </Layout>,
  );
