"""Windows of lines against the synthesizer's own list of lines."""

import numpy as np

from repro.instrument.pixels import pixel_centres
from repro.physics.constants import BOLTZMANN_EV
from repro.physics.lines import line_list
from repro.view.identifications import line_groups, windows


def strongest(species, low, high):
    """Wavelength [A] of the strongest line of a species between two wavelengths, at 4800 K."""
    lines = line_list()
    wave = lines.wave.numpy()
    own = (lines.species_index.numpy() == lines.species.index(species)) & (wave > low) & (wave < high)
    strength = np.log(lines.gf.numpy()) - lines.energy.numpy() / (BOLTZMANN_EV * 4800.0)
    return wave[np.flatnonzero(own)[np.argmax(strength[own])]]


def test_groups_are_windows_and_two_lines_that_stand_where_the_list_has_them():
    wave = pixel_centres()
    groups, known = line_groups(wave), windows(wave)
    assert set(groups) == set(known) - {"all"} | {"Mg I", "Fe I"}
    for name in set(known) - {"all"}:
        np.testing.assert_array_equal(groups[name], known[name])
    for species, near in (("Mg I", 8807.0), ("Fe I", 8689.0)):
        inside = wave[groups[species]]
        middle = 0.5 * (inside[0] + inside[-1])
        assert abs(middle - strongest(species, near - 8.0, near + 8.0)) < np.diff(wave)[0]
        assert 9.0 < inside[-1] - inside[0] <= 10.0
