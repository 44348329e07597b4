import "graphiql/graphiql.css";
import "./page.css";

import { GraphiQL } from "graphiql";
import { createRoot } from "react-dom/client";
import { useCallback, useMemo, useState } from "react";

import { makeFetcher } from "./fetcher.js";

const STORED_TOKEN = "assetgraph.token";

const EXAMPLE = `# Paste a token above (assetgraph token create), then press the play button.
{
  __schema {
    queryType {
      fields {
        name
        description
      }
    }
  }
}
`;

function TokenField({ token, onToken }) {
  const [draft, setDraft] = useState(token);
  const submit = (event) => {
    event.preventDefault();
    onToken(draft.trim());
  };
  return (
    <form className="token-bar" onSubmit={submit}>
      <a href="/">assetgraph</a>
      <label htmlFor="token">Token</label>
      <input
        id="token"
        type="password"
        autoComplete="off"
        spellCheck={false}
        placeholder="ag_..."
        value={draft}
        onChange={(event) => setDraft(event.target.value)}
      />
      <button type="submit">Use</button>
      <span>{token ? "kept for this tab only" : "the schema loads once a token is given"}</span>
    </form>
  );
}

function Page() {
  const [token, setToken] = useState(() => sessionStorage.getItem(STORED_TOKEN) ?? "");
  const keep = useCallback((value) => {
    sessionStorage.setItem(STORED_TOKEN, value);
    setToken(value);
  }, []);
  const fetcher = useMemo(() => makeFetcher(token), [token]);
  return (
    <>
      <TokenField token={token} onToken={keep} />
      {token ? (
        <GraphiQL key={token} fetcher={fetcher} defaultQuery={EXAMPLE} shouldPersistHeaders={false} />
      ) : (
        <main className="token-missing">
          <h1>GraphiQL</h1>
          <p>This page holds no data. Paste an API token above to load the schema and send queries.</p>
        </main>
      )}
    </>
  );
}

createRoot(document.getElementById("root")).render(<Page />);
