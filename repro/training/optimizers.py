"""The optimizers of a training: AdamW for everything, or Muon for the matrices of the blocks and AdamW for the rest."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from repro.training.muon import Muon
from repro.training.recipe import Recipe


def begun(network: nn.Module, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """Optimizers of the parameters that are trained.

    Muon takes the matrices that `matrices` gives. Its updates have the root mean square of AdamW's, so that one
    learning rate and one weight decay serve both.
    """
    trained = [weights for weights in network.parameters() if weights.requires_grad]
    if recipe.optimizer == "adamw":
        return [_adamw(trained, recipe)]
    apart = matrices(network)
    chosen = {id(weights) for weights in apart}
    rest = [weights for weights in trained if id(weights) not in chosen]
    return [Muon(apart, recipe.learning_rate, recipe.weight_decay), _adamw(rest, recipe)]


def matrices(network: nn.Module) -> list[Tensor]:
    """Weights of linear layers between vectors: embeddings, convolutions and heads of one output stay with AdamW.

    A layer is an embedding where it belongs to a module of a class that is called so, as that of `repro.models.vit`.
    """
    embeddings = [module for module in network.modules() if type(module).__name__ == "Embedding"]
    apart = {id(layer) for module in embeddings for layer in module.modules()}
    layers = [module for module in network.modules() if isinstance(module, nn.Linear) and id(module) not in apart]
    return [layer.weight for layer in layers if min(layer.weight.shape) > 1 and layer.weight.requires_grad]


def _adamw(weights: Sequence[Tensor], recipe: Recipe) -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        weights, lr=recipe.learning_rate, betas=recipe.betas, weight_decay=recipe.weight_decay, fused=True
    )
