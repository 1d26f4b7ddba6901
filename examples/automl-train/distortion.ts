// Draws an image again, a little turned, sized and moved: as somebody else might have written the same digit. A network
// that never sees the same pixels twice learns the shapes, and goes on getting better for many epochs.
import { IMAGE_PIXELS, IMAGE_SIDE } from "./digits.ts";
import type { Random } from "./seeded-random.ts";

const TURN_MAX_RADIANS = 0.2;
const SIZE_CHANGE_MAX = 0.12;
const MOVE_MAX_PIXELS = 1.5;

/** From -max to max. */
function between(max: number, random: Random): number {
  return (2 * random() - 1) * max;
}

/** Draws `from` into `to`, both of IMAGE_PIXELS; what moves in over the edge is blank. */
export function distort(from: Float32Array, to: Float32Array, random: Random): void {
  const turn = between(TURN_MAX_RADIANS, random);
  const size = 1 + between(SIZE_CHANGE_MAX, random);
  const [along, across] = [Math.cos(turn) / size, Math.sin(turn) / size];
  const centre = (IMAGE_SIDE - 1) / 2;
  const [moveX, moveY] = [between(MOVE_MAX_PIXELS, random), between(MOVE_MAX_PIXELS, random)];
  for (let at = 0, y = 0; y < IMAGE_SIDE; y++) {
    for (let x = 0; x < IMAGE_SIDE; x++, at++) {
      const [dx, dy] = [x - centre - moveX, y - centre - moveY];
      to[at] = sample(from, centre + along * dx - across * dy, centre + across * dx + along * dy);
    }
  }
}

/** The ink between four pixels, by how near each is. */
function sample(pixels: Float32Array, x: number, y: number): number {
  const [left, top] = [Math.floor(x), Math.floor(y)];
  if (left < 0 || top < 0 || left >= IMAGE_SIDE - 1 || top >= IMAGE_SIDE - 1) return 0;
  const at = top * IMAGE_SIDE + left;
  const [right, down] = [x - left, y - top];
  const above = (pixels[at] as number) * (1 - right) + (pixels[at + 1] as number) * right;
  const below =
    (pixels[at + IMAGE_SIDE] as number) * (1 - right) + (pixels[at + IMAGE_SIDE + 1] as number) * right;
  return above * (1 - down) + below * down;
}

/** Room for one distorted image. */
export function imageRoom(): Float32Array {
  return new Float32Array(IMAGE_PIXELS);
}
