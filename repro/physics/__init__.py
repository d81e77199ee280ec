"""LTE synthesis of stellar spectra: from five labels to the emergent flux.

Everything is float64 PyTorch, batched over models, on any device, and differentiable in the labels.
"""
