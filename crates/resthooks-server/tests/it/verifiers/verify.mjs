// Judges requests by the standardwebhooks package of npm, and those with a public key by Node's own Ed25519.
//
// Reads a JSON array of {name, key, headers, body (base64)} from standard input and prints a line of JSON for each. Its argument
// is where the package is installed.

import crypto from "node:crypto";
import fs from "node:fs";
import { createRequire } from "node:module";

const { Webhook } = createRequire(process.argv[2] + "/")("standardwebhooks");

// What stands in front of the 32 bytes of a public key in its DER form.
const DER = Buffer.from("302a300506032b6570032100", "hex");

function verifyByPublicKey(key, headers, body) {
  const raw = Buffer.from(key.slice("whpk_".length), "base64");
  const publicKey = crypto.createPublicKey({ key: Buffer.concat([DER, raw]), format: "der", type: "spki" });
  const message = Buffer.concat([Buffer.from(`${headers["webhook-id"]}.${headers["webhook-timestamp"]}.`), body]);
  const fits = headers["webhook-signature"].split(" ").some((one) => {
    const [version, signature] = one.split(",");
    return version === "v1a" && crypto.verify(null, message, publicKey, Buffer.from(signature, "base64"));
  });
  if (!fits) throw new Error("no signature fits");
}

for (const { name, key, headers, body } of JSON.parse(fs.readFileSync(0, "utf8"))) {
  let why = null;
  try {
    const bytes = Buffer.from(body, "base64");
    if (key.startsWith("whpk_")) verifyByPublicKey(key, headers, bytes);
    else new Webhook(key).verify(bytes, headers, { jsonParse: false });
  } catch (error) {
    why = `${error.name}: ${error.message}`;
  }
  console.log(JSON.stringify({ name, accepted: why === null, why }));
}
