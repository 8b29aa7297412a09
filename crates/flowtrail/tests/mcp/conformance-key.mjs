// Loaded before the conformance suite, which cannot send a key: adds it to all that is sent, by fetch and undici (one
// dispatcher) and by http.request.

import http from "node:http";
import { syncBuiltinESMExports } from "node:module";

import { Agent, setGlobalDispatcher } from "undici";

const key = `Bearer ${process.env.FLOWTRAIL_KEY}`;

function withKey(headers) {
  if (Array.isArray(headers)) return [...headers, "authorization", key];
  if (headers && typeof headers[Symbol.iterator] === "function") return [...[...headers].flat(), "authorization", key];
  return { ...headers, authorization: key };
}

const add = (dispatch) => (options, handler) => dispatch({ ...options, headers: withKey(options.headers) }, handler);
setGlobalDispatcher(new Agent().compose(add));

const { request } = http;
http.request = (options, ...rest) => request({ ...options, headers: withKey(options.headers) }, ...rest);
syncBuiltinESMExports();
