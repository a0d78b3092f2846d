// Starts `emulate`'s Slack at a free port with the seed in the first argument; ends with its standard input.
import { pathToFileURL } from "node:url";

const [api, seed] = process.argv.slice(2);
const { createEmulator } = await import(pathToFileURL(api));
const slack = await createEmulator({ service: "slack", port: 0, seed: { slack: JSON.parse(seed) } });
console.log(slack.url);
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
