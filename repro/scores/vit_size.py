"""Parameters of the vision transformer, counted in the network itself; of the sweep's members by its formula.

Evidence addresses; <shape> is <patch>-<width>-<depth>-<heads>-<stride> of a member of the published sweep:

vit/parameters/total, used, embed, encoder, norm, pooler, head    of the published architecture
vit/parameters/<shape>/total
vit_small/parameters/total, used; vit_fast/parameters/total, used of the kit's stand-in and fast variant

Needs torch: stage `trackA-evaluate` makes them, and recorded evidence is not recomputed for them.
"""

from collections.abc import Iterator
from typing import Final

from repro.instrument.pixels import N_PIXELS
from repro.models.vit import FAST, PUBLISHED, SMALL, parameters_by_part
from repro.scores.published_vit_items import parameters

# of logg/vit/exp/exp_vit_sweep_analysis_20251227.md: patch, width, depth, heads, stride
SWEEP: Final = (
    (16, 256, 4, 8, 16),
    (16, 256, 6, 8, 16),
    (16, 256, 8, 8, 16),
    (16, 384, 6, 8, 16),
    (8, 128, 8, 4, 8),
    (32, 256, 4, 4, 8),
    (32, 384, 4, 8, 16),
)


def size_items() -> Iterator[tuple[str, float]]:
    """Address and number of each, see above."""
    for part, count in parameters_by_part(PUBLISHED, N_PIXELS).items():
        yield f"vit/parameters/{part}", float(count)
    for members in SWEEP:
        patch, width, depth, _, stride = members
        counted = parameters(patch, width, depth, PUBLISHED.ratio, N_PIXELS, stride)  # no number of heads enters
        yield f"vit/parameters/{'-'.join(map(str, members))}/total", float(counted["total"])
    for name, shape in (("vit_small", SMALL), ("vit_fast", FAST)):
        found = parameters_by_part(shape, N_PIXELS)
        yield from ((f"{name}/parameters/{part}", float(found[part])) for part in ("total", "used"))
