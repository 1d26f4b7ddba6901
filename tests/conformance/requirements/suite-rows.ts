// All rows of the suite, in the order of their rules.
import type { Row } from "./row.ts";
import { errorRows } from "./rows-errors.ts";
import { jsonRows } from "./rows-json.ts";
import { lifecycleRows } from "./rows-lifecycle.ts";
import { listRows } from "./rows-lists.ts";
import { operationRows } from "./rows-operations.ts";
import { startRows } from "./rows-starts.ts";
import { transcodingRows } from "./rows-transcoding.ts";
import { yandexRows } from "./rows-yandex.ts";

export const suiteRows: readonly Row[] = [
  ...operationRows,
  ...startRows,
  ...yandexRows,
  ...transcodingRows,
  ...errorRows,
  ...listRows,
  ...lifecycleRows,
  ...jsonRows,
].toSorted((a, b) => a.rule - b.rule);
