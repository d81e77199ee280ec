"""Multilayer perceptron from a spectrum to one label: 4096 -> 256 -> 64 -> 1."""

from collections.abc import Sequence
from typing import Any, ClassVar, Final, Literal

from torch import Tensor, nn

from repro.errors import ParameterError
from repro.models.network import NetworkModel, Standardised
from repro.training.loop import Recipe

WIDTHS: Final = (256, 64)  # the direct network of the published 32k comparison
ACTIVATIONS: Final[dict[str, type[nn.Module]]] = {"gelu": nn.GELU, "relu": nn.ReLU, "silu": nn.SiLU}

Activation = Literal["gelu", "relu", "silu"]


class MlpNetwork(Standardised):
    """Standardised flux -> standardised label."""

    def __init__(
        self, mean: Tensor, scale: Tensor, widths: Sequence[int], activation: Activation = "gelu", dropout: float = 0.0
    ) -> None:
        super().__init__(mean, scale)
        sizes = (len(mean), *widths)
        layers: list[nn.Module] = []
        for a, b in zip(sizes, widths, strict=False):
            bend = ACTIVATIONS[activation]()
            layers += [nn.Linear(a, b), nn.Sequential(bend, nn.Dropout(dropout)) if dropout else bend]
        self.layers = nn.Sequential(*layers, nn.Linear(sizes[-1], 1))

    def forward(self, flux: Tensor) -> Tensor:  #                                     (b, P)
        x = (flux - self.mean) / self.scale
        result: Tensor = self.layers(x)[:, 0]  #                                      (b,)
        return result


class Mlp(NetworkModel):
    """A perceptron on the pixels.

    Args:
        recipe: how it is trained.
        widths: of the hidden layers, of which there may be any number.
        activation: between layers.
        dropout: share of hidden values that each update leaves out.
        others: of `NetworkModel`.

    Raises:
        ParameterError: an unknown activation, or a dropout that is no share.
    """

    kind: ClassVar[str] = "mlp model"

    def __init__(
        self,
        recipe: Recipe | None = None,
        *,
        widths: Sequence[int] = WIDTHS,
        activation: Activation = "gelu",
        dropout: float = 0.0,
        **others: Any,
    ) -> None:
        super().__init__(recipe, **others)
        if activation not in ACTIVATIONS:
            raise ParameterError(f"{self.name}: activation {activation!r} is not one of {', '.join(ACTIVATIONS)}")
        if not 0.0 <= dropout < 1.0:
            raise ParameterError(f"{self.name}: dropout = {dropout} must be a share below 1")
        self.widths = tuple(widths)
        self.activation: Activation = activation
        self.dropout = dropout

    def _settings(self) -> dict[str, Any]:
        # the default goes unsaid, as in the files written before there was a choice
        bend = {} if self.activation == "gelu" else {"activation": self.activation}
        return {"widths": self.widths, **bend}

    def _made(self, mean: Tensor, scale: Tensor) -> nn.Module:
        return MlpNetwork(mean, scale, self.widths, self.activation, self.dropout)
