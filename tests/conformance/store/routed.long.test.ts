// The store suite on two databases behind one port. Four nouns are left out: which of two acquires of one batch asks which
// database first is not theirs to choose (slots, differential), an acquire asks each of them apart from the starts of one
// (granted starts), and a feed's position is asked for by its feed (feed reads; see routed.test.ts).
import { exerciseStore } from "./exercise-store.ts";
import { RoutedHarness } from "./routed-harness.ts";

const without = ["slots", "differential", "granted starts", "feed reads"];
exerciseStore("two databases", () => new RoutedHarness().open(), without);
