// Two operations for the workers of compose.yaml. Yours go into a module like this, in an image made from this one:
//   FROM belay
//   COPY operations.js /app/handlers/operations.js
import { setTimeout as sleep } from "node:timers/promises";
import { defineOperation } from "belayd/worker";

const SECONDS_MAX = 3600;

export const operations = [
  defineOperation({ type: "text.count", maxAttempts: 3 }, async (_context, { text = "" }) => ({
    words: String(text).split(/\s+/).filter(Boolean).length,
  })),
  defineOperation(
    { type: "example.wait", graceMs: 2000, maxAttempts: 3 },
    async (context, { seconds = 10 }) => {
      const total = Math.min(SECONDS_MAX, Math.max(1, Number(seconds) || 1));
      for (let second = 1; second <= total; second++) {
        await sleep(1000, undefined, { signal: context.signal });
        context.progress((100 * second) / total, `${second} of ${total} s`);
      }
      return { seconds: total };
    },
  ),
];
