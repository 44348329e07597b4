import { createGraphiQLFetcher } from "@graphiql/toolkit";
import { createClient } from "graphql-ws";

/** Sends queries and mutations by POST and subscriptions over graphql-transport-ws, both with the bearer token. */
export function makeFetcher(token) {
  const authorization = `Bearer ${token}`;
  const socket = new URL(window.location.pathname, window.location.href);
  socket.protocol = socket.protocol.replace("http", "ws");
  return createGraphiQLFetcher({
    url: window.location.pathname,
    headers: { Authorization: authorization },
    enableIncrementalDelivery: false,
    wsClient: createClient({ url: socket.href, connectionParams: { authorization }, lazy: true }),
  });
}
