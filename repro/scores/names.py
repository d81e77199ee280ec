"""Names of models as tables and figures show them, and their order of simplicity."""

from typing import Final

# model -> shown name, the simplest model first: closed forms, then what needs a grid of templates but no training, then
# what is trained step by step; a model that is not listed stands before the first of those
DISPLAY: Final = {
    "ols": "OLS",
    "ridge": "Ridge",
    "pca_ridge": "PCA + Ridge",
    "pls": "PLS",
    "template": "Template fit",
    "template_error": "Template fit (σ)",
    "lightgbm": "LightGBM",
    "mlp": "MLP",
    "residual_mlp": "Ridge + MLP",
    "cnn": "CNN",
    "swin": "Swin-1D",
    "vit_small": "ViT (small)",
    "vit": "ViT",
    "vit_fast": "ViT (fast recipe)",
}
_TRAINED: Final = tuple(DISPLAY).index("lightgbm")


def display(model: str) -> str:
    """The shown name of a model; an unknown one shows its own."""
    return DISPLAY.get(model, model)


def simplicity(model: str) -> tuple[float, str]:
    """Sort key, the simplest model first."""
    names = tuple(DISPLAY)
    return (names.index(model) if model in names else _TRAINED - 0.5, model)
