"""Draws the page images from each document's text.txt (pages are divided by a line of three dashes).

Needs Pillow and the DejaVu fonts; run it only when a text changes: python3 documents/render.py
The images are committed, so that nobody who runs the example needs either.
"""

import pathlib
import textwrap

from PIL import Image, ImageDraw, ImageFont

# A4 at 150 dots per inch, as a flatbed scanner would give it. Four grey levels keep a page near 30 kB.
WIDTH, HEIGHT, MARGIN = 1240, 1754, 120
FONT = "DejaVuSerif.ttf"
SIZE, LINE_HEIGHT, COLUMNS = 30, 52, 60
GREYS = 4


def draw_page(text: str, number: int, count: int) -> Image.Image:
    page = Image.new("L", (WIDTH, HEIGHT), 255)
    draw = ImageDraw.Draw(page)
    font = ImageFont.truetype(FONT, SIZE)
    y = MARGIN
    for paragraph in text.strip().split("\n\n"):
        for line in [part for row in paragraph.splitlines() for part in textwrap.wrap(row, COLUMNS)]:
            draw.text((MARGIN, y), line, font=font, fill=0)
            y += LINE_HEIGHT
        y += LINE_HEIGHT // 2
    if y > HEIGHT - MARGIN:
        raise SystemExit(f"page {number} of {count} is too long: {y} pixels")
    if count > 1:
        draw.text((WIDTH // 2, HEIGHT - MARGIN // 2), str(number), font=font, fill=0, anchor="mm")
    return page.quantize(GREYS)


def main() -> None:
    for source in sorted(pathlib.Path(__file__).parent.glob("*/text.txt")):
        pages = source.read_text(encoding="utf-8").split("\n---\n")
        for number, text in enumerate(pages, start=1):
            target = source.with_name(f"page-{number:02}.png")
            draw_page(text, number, len(pages)).save(target, optimize=True, dpi=(150, 150))
            print(target, target.stat().st_size)


main()
