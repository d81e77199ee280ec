"""The solar mixture and its scaling, against the mass fractions its authors publish."""

import pytest
import torch

from repro.labels import LABELS
from repro.physics.composition import ALPHA_ELEMENTS, ELEMENTS, mixture
from repro.physics.constants import ATOMIC_MASS_UNIT

SUN = torch.tensor([[5777.0, 4.44, 0.0, 0.0, 0.0]], dtype=torch.float64)


def shifted(**labels: float) -> torch.Tensor:
    result = SUN.clone()
    for name, value in labels.items():
        result[0, LABELS.index(name)] = value
    return result


def test_solar_mass_fractions_are_those_of_asplund_2005():
    """Z / X = 0.0165 and X = 0.7392 (present photosphere); X only as far as two digits of log He/H carry."""
    composition = mixture(SUN)
    total = float(composition.mass_per_hydrogen[0]) / ATOMIC_MASS_UNIT
    hydrogen = 1.00794 / total
    helium = 4.0026 * float(composition.abundance[0, ELEMENTS.index("He")]) / total
    assert (1.0 - hydrogen - helium) / hydrogen == pytest.approx(0.0165, abs=1e-4)
    assert hydrogen == pytest.approx(0.7392, abs=1.5e-3)


@pytest.mark.parametrize(
    ("label", "moved"),
    [
        ("M_H", set(ELEMENTS) - {"H", "He"}),
        ("a_M", {"O", "Ne", "Mg", "Si", "S", "Ar", "Ca", "Ti"}),
        ("C_M", {"C"}),
    ],
)
def test_each_label_moves_its_elements_by_as_many_dex_and_no_other(label, moved):
    change = torch.log10(mixture(shifted(**{label: -0.4})).abundance / mixture(SUN).abundance)[0]
    expected = torch.tensor([-0.4 if element in moved else 0.0 for element in ELEMENTS], dtype=torch.float64)
    torch.testing.assert_close(change, expected, rtol=0.0, atol=1e-12)


def test_labels_add_up_for_an_alpha_element():
    abundance = mixture(shifted(M_H=-1.0, a_M=0.3, C_M=0.2)).abundance[0]
    assert "Ca" in ALPHA_ELEMENTS
    assert torch.log10(abundance[ELEMENTS.index("Ca")]) == pytest.approx(6.31 - 12.0 - 0.7, abs=1e-12)
    assert torch.log10(abundance[ELEMENTS.index("C")]) == pytest.approx(8.39 - 12.0 - 0.8, abs=1e-12)
