// The store suite on two databases behind one port. Three nouns are left out: which of two acquires of one batch asks which
// database first is not theirs to choose (slots, differential), and a feed's position is asked for by its feed (feed reads;
// see routed.test.ts).
import { exerciseStore } from "./exercise-store.ts";
import { RoutedHarness } from "./routed-harness.ts";

exerciseStore("two databases", () => new RoutedHarness().open(), ["slots", "differential", "feed reads"]);
